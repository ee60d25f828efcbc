//! The records that mail needs, with their RFCs. Whoever controls a zone controls what is in them.

use super::name::Name;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 address (RFC 1035 §3.4.1).
    A,
    /// IPv6 address (RFC 3596).
    Aaaa,
    /// Who takes mail for a domain (RFC 5321 §5).
    Mx,
    /// Text (RFC 1035 §3.3.14).
    Txt,
    /// The name of an address.
    Ptr,
    /// Which certificate a port has (RFC 6698).
    Tlsa,
    /// Where a service is (RFC 2782).
    Srv,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// Who serves a zone.
    Ns,
    /// What a zone says of itself.
    Soa,
}

impl Kind {
    /// Its TYPE in messages (RFC 1035 §3.2.2, and the RFC of each).
    pub const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Soa => 6,
            Self::Ptr => 12,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Srv => 33,
            Self::Tlsa => 52,
            Self::Caa => 257,
        }
    }
}

/// One record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Who takes mail.
    Mx(Mx),
    /// Its strings put together without anything between, as SPF, DKIM and the like read it.
    Txt(Vec<u8>),
    /// The name of an address.
    Ptr(Name),
    /// Which certificate a port has.
    Tlsa(Tlsa),
    /// Where a service is.
    Srv(Srv),
    /// Flags, tag and value.
    Caa(u8, String, Vec<u8>),
    /// A server of the zone.
    Ns(Name),
    /// The zone's primary server and serial.
    Soa(Name, u32),
}

/// MX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host; the root says that nobody takes mail (RFC 7505).
    pub exchange: Name,
}

/// TLSA, its fields as numbers: a rule says which it knows (RFC 6698 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Whole certificate or its key.
    pub selector: u8,
    /// As it is, or which hash of it.
    pub matching: u8,
    /// What it must be.
    pub data: Vec<u8>,
}

/// SRV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among equals.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; the root says that there is no such service.
    pub target: Name,
}
