//! Where a server listens, ours or one that we go to: an address with a port, or a socket's path.

use serde::{Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A port.
    Address(SocketAddr),
    /// A Unix socket, by its path from the root.
    Socket(PathBuf),
}

impl Endpoint {
    /// `192.0.2.1:25`.
    pub fn address(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::Address)
    }

    /// The same, or `/run/pillarbox/lmtp`.
    pub fn address_or_socket(text: &str) -> Option<Self> {
        let path = PathBuf::from(text);
        if path.is_absolute() { Some(Self::Socket(path)) } else { Self::address(text) }
    }

    /// The port's number, if it is one.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Address(address) => Some(address.port()),
            Self::Socket(_) => None,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
