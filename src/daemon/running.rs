//! A bound port, whoever bound it, and why one could not be had.

use super::inherited::{Inherited, InheritedError};
use super::port::Port;
use super::socket_file::{self, SocketError, SocketFile};
use crate::base::Endpoint;
use smol::net::TcpListener;
use smol::net::unix::UnixListener;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A bound port.
#[derive(Debug)]
pub struct Running {
    /// What it is for.
    pub port: Port,
    /// Where it is.
    pub address: Endpoint,
    pub(super) listener: Listener,
}

/// What takes the connections of a port.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a Unix socket, with its file if that is ours.
    Unix(UnixListener, Option<SocketFile>),
}

/// Why the box did not start.
#[derive(Debug)]
pub enum StartError {
    /// A port cannot be had.
    Bind(Port, SocketAddr, io::Error),
    /// A Unix socket cannot be had.
    Socket(Port, PathBuf, SocketError),
    /// What systemd passed on cannot be used.
    Inherited(InheritedError),
    /// What systemd passed on cannot be listened on.
    Listen(Port, io::Error),
    /// Signals cannot be heard.
    Signals(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(port, address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} ({}) is used by another program. Nobody can connect there. Stop that program (ss -ltnp \
                 'sport = :{}' says which it is), or choose other ports (--port-base, or [listen] in pillarbox.toml)",
                port.name(),
                address.port()
            ),
            Self::Bind(port, address, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "{address} ({}) is not for this user: ports below 1024 need CAP_NET_BIND_SERVICE, which \
                     systemd/pillarbox.service gives. Start it by that, or as root, or choose other ports ([listen] in \
                     pillarbox.toml)",
                    port.name()
                )
            }
            Self::Bind(port, address, error) => {
                write!(f, "{address} ({}) cannot be bound: {error}", port.name())
            }
            Self::Socket(port, path, error) => write!(
                f,
                "the socket {} ({}) cannot be had: {error}. Nobody can connect there. Stop that program or move that file, \
                 or choose another path, which this user may write and that is shorter than 108 bytes ({} in pillarbox.toml)",
                path.display(),
                port.name(),
                if *port == Port::Submit { "`submit`" } else { "[listen]" }
            ),
            Self::Inherited(error) => error.fmt(f),
            Self::Listen(port, error) => {
                write!(f, "the socket that was passed on as {} does not work: {error}", port.name())
            }
            Self::Signals(error) => write!(f, "signals cannot be heard: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The modes of a socket and of its folder, if that is made: whoever connects needs to write to the socket, and to reach it.
const fn modes(port: Port) -> (u32, u32) {
    match port {
        // Everybody on this machine may send; who it is says the kernel.
        Port::Submit => (0o666, 0o711),
        // A group of the server's own may hand on mail there.
        _ => (0o660, 0o750),
    }
}

/// Binds a port.
pub async fn bind(port: Port, place: &Endpoint) -> Result<Running, StartError> {
    match place {
        Endpoint::Address(address) => bind_address(port, *address).await,
        Endpoint::Socket(path) => bind_socket(port, path),
    }
}

fn bind_socket(port: Port, path: &Path) -> Result<Running, StartError> {
    let failed = |error| StartError::Socket(port, path.to_owned(), error);
    let (mode, folder_mode) = modes(port);
    let (listener, file) = socket_file::bind(path, mode, folder_mode).map_err(failed)?;
    let listener = Listener::Unix(listener, Some(file));
    Ok(Running { port, address: Endpoint::Socket(path.to_owned()), listener })
}

/// Takes a socket that systemd passed on.
pub fn take_over(port: Port, socket: Inherited) -> Result<Running, StartError> {
    let taken = || match socket {
        Inherited::Tcp(listener) => {
            let address = listener.local_addr()?.into();
            Ok(Running { port, address, listener: Listener::Tcp(listener.try_into()?) })
        }
        Inherited::Unix(listener) => {
            let address = listener.local_addr()?;
            let path = address.as_pathname().unwrap_or(Path::new("(no path)")).to_owned();
            let listener = Listener::Unix(listener.try_into()?, None);
            Ok(Running { port, address: Endpoint::Socket(path), listener })
        }
    };
    taken().map_err(|error| StartError::Listen(port, error))
}

async fn bind_address(port: Port, address: SocketAddr) -> Result<Running, StartError> {
    let bound = async {
        let listener = match TcpListener::bind(address).await {
            // A machine without IPv6: all of its addresses are IPv4.
            Err(error)
                if address.ip() == Ipv6Addr::UNSPECIFIED && !is_for_a_person(error.kind()) =>
            {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await?
            }
            bound => bound?,
        };
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    match bound.await {
        Ok((listener, address)) => {
            Ok(Running { port, address: address.into(), listener: Listener::Tcp(listener) })
        }
        Err(error) => Err(StartError::Bind(port, address, error)),
    }
}

/// Errors of a bind that someone must mend.
fn is_for_a_person(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
