//! A port of the box: what it is for, its usual number, and why it could not be had.

use smol::net::TcpListener;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// 25.
    Smtp,
    /// 587, STARTTLS.
    Submission,
    /// 465, TLS from the start.
    Submissions,
    /// 143, STARTTLS.
    Imap,
    /// 993, TLS from the start.
    Imaps,
    /// 110, STLS.
    Pop3,
    /// 995, TLS from the start.
    Pop3s,
    /// For a server that stands before us; it has no usual number, and is not there unless it is asked for.
    Lmtp,
}

impl Port {
    /// All that the box listens on.
    pub const ALL: [Self; 8] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Lmtp,
    ];

    /// Its usual number, if it is usually there.
    pub const fn usual(self) -> Option<u16> {
        match self {
            Self::Smtp => Some(25),
            Self::Submission => Some(587),
            Self::Submissions => Some(465),
            Self::Imap => Some(143),
            Self::Imaps => Some(993),
            Self::Pop3 => Some(110),
            Self::Pop3s => Some(995),
            Self::Lmtp => None,
        }
    }

    /// As the output names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Lmtp => "lmtp",
        }
    }

    /// May a proxy stand before it? Whoever hands on mail by LMTP is a server of ours and speaks for itself.
    pub const fn takes_proxies(self) -> bool {
        match self {
            Self::Smtp
            | Self::Submission
            | Self::Submissions
            | Self::Imap
            | Self::Imaps
            | Self::Pop3
            | Self::Pop3s => true,
            Self::Lmtp => false,
        }
    }

    /// Does TLS come before the first word?
    pub const fn is_secure(self) -> bool {
        match self {
            Self::Smtp | Self::Submission | Self::Imap | Self::Pop3 | Self::Lmtp => false,
            Self::Submissions | Self::Imaps | Self::Pop3s => true,
        }
    }
}

/// A bound port.
#[derive(Debug)]
pub struct Running {
    /// What it is for.
    pub port: Port,
    /// Where it is.
    pub address: SocketAddr,
    pub(super) listener: TcpListener,
}

/// Why the box did not start.
#[derive(Debug)]
pub enum StartError {
    /// A port cannot be had.
    Bind(Port, SocketAddr, io::Error),
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
            Self::Signals(error) => write!(f, "signals cannot be heard: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Binds a port.
pub async fn bind(port: Port, address: SocketAddr) -> Result<Running, StartError> {
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
        Ok((listener, address)) => Ok(Running { port, address, listener }),
        Err(error) => Err(StartError::Bind(port, address, error)),
    }
}

/// Errors of a bind that someone must mend.
fn is_for_a_person(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
