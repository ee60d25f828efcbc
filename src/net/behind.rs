//! Reads a PROXY header off a new connection, and not a byte more: what follows may be the begin of a TLS handshake.

use super::proxy::{Header, ProxyError};
use smol::Timer;
use smol::future;
use smol::io::AsyncReadExt;
use smol::net::TcpStream;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// A proxy sends its header at once; it needs nobody's answer for it.
const HEADER_WAIT: Duration = Duration::from_secs(5);

/// Why it is not known who stands behind a proxy.
#[derive(Debug)]
pub enum BehindError {
    /// The connection broke, or ended within the header.
    Io(io::Error),
    /// It is no header.
    Header(ProxyError),
    /// It did not come in time.
    Slow,
}

impl fmt::Display for BehindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Header(error) => error.fmt(f),
            Self::Slow => f.write_str("the proxy sent no PROXY header in time"),
        }
    }
}

/// Who connected to the proxy; `None` if the proxy speaks for itself.
pub async fn behind(stream: &mut TcpStream) -> Result<Option<IpAddr>, BehindError> {
    let read = async {
        let mut header = Vec::new();
        loop {
            match Header::read(&header).map_err(BehindError::Header)? {
                Header::Whole(told) => return Ok(told),
                Header::More(count) => {
                    let start = header.len();
                    header.resize(start + count, 0);
                    let more = header.get_mut(start..).unwrap_or_default();
                    stream.read_exact(more).await.map_err(BehindError::Io)?;
                }
            }
        }
    };
    let limit = async {
        Timer::after(HEADER_WAIT).await;
        Err(BehindError::Slow)
    };
    future::or(read, limit).await
}
