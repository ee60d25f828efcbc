//! A connection to another server.

use super::clock::within;
use super::stream::Stream;
use smol::net::TcpStream;
use smol::net::unix::UnixStream;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long a server may take to answer at all: one that is not there mostly says nothing.
const CONNECT_WAIT: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// It was refused, or there is no way.
    Io(io::Error),
    /// Nothing answered.
    Silent,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Silent => f.write_str("nothing answers"),
        }
    }
}

/// Connects.
pub async fn connect(address: SocketAddr) -> Result<Stream, ConnectError> {
    let connected = within(CONNECT_WAIT, TcpStream::connect(address)).await;
    let stream = connected.ok_or(ConnectError::Silent)?.map_err(ConnectError::Io)?;
    // What is sent is whole already; waiting for more would only make it late.
    stream.set_nodelay(true).map_err(ConnectError::Io)?;
    Ok(Stream::Clear(stream))
}

/// Connects to a program on this machine.
pub async fn connect_locally(path: &Path) -> Result<Stream, ConnectError> {
    let connected = within(CONNECT_WAIT, UnixStream::connect(path)).await;
    connected.ok_or(ConnectError::Silent)?.map(Stream::Local).map_err(ConnectError::Io)
}
