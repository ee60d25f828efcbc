//! How a session is made: with whom, by which protocol, when TLS begins and what the server must prove.

use super::smarthost::Smarthost;
use crate::base::{Doubt, Endpoint, TlsFacts};
use crate::dns::{Name, Tlsa};
use crate::net;
use crate::smtp::client::{ClientProtocol, Login, TlsUse};
use crate::verify::dane;
use crate::verify::tls_report::Applied;
use std::net::{IpAddr, SocketAddr};

/// How a session is made.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where to connect.
    pub at: Endpoint,
    /// What is spoken.
    pub protocol: ClientProtocol,
    /// The server's name, as it is asked for and checked in TLS.
    pub server_name: String,
    /// When TLS begins.
    pub start: TlsStart,
    /// Whether STARTTLS is used.
    pub tls: TlsUse,
    /// What the server must prove.
    pub proof: Proof,
    /// Who we are there.
    pub login: Option<Login>,
    /// What a refusal means there.
    pub refusal: Refusal,
    /// How the domain hears of it.
    pub reported: Option<Reported>,
}

/// What a domain hears of a session with one of its servers (RFC 8460).
#[derive(Debug, Clone)]
pub struct Reported {
    /// On which domain.
    pub domain: Name,
    /// What it wanted.
    pub applied: Applied,
    /// What it wanted the server to prove, also where that is not demanded.
    pub proof: Proof,
    /// The server.
    pub host: (String, IpAddr),
}

/// What a refusal for ever means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// What it says.
    ForEver,
    /// For later: TLS has failed, and without it a server may refuse what it would take.
    ForLater,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsStart {
    /// With the connection (RFC 8314 §3.3).
    AtOnce,
    /// By STARTTLS, if at all.
    Later,
}

/// What a server must prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: most mail servers can prove nothing.
    Nothing,
    /// Its name, by a certificate that an authority of this machine vouches for.
    Name,
    /// That one of these records is about it; the names that it may have.
    Dane(Vec<Tlsa>, Vec<Name>),
}

const SMTP: u16 = 25;
const SUBMISSIONS: u16 = 465;

impl Way {
    /// To a server of a domain.
    pub fn straight(address: IpAddr, server_name: &Name) -> Self {
        Self {
            at: SocketAddr::new(address, SMTP).into(),
            protocol: ClientProtocol::Smtp,
            server_name: server_name.as_str().to_owned(),
            start: TlsStart::Later,
            tls: TlsUse::IfOffered,
            proof: Proof::Nothing,
            login: None,
            refusal: Refusal::ForEver,
            reported: None,
        }
    }

    /// By a smarthost.
    pub fn by(smarthost: &Smarthost, address: IpAddr) -> Self {
        let at_once = smarthost.port == SUBMISSIONS;
        Self {
            at: SocketAddr::new(address, smarthost.port).into(),
            protocol: ClientProtocol::Smtp,
            server_name: smarthost.name.as_str().to_owned(),
            start: if at_once { TlsStart::AtOnce } else { TlsStart::Later },
            tls: if at_once { TlsUse::Never } else { TlsUse::Must },
            proof: Proof::Name,
            login: smarthost.login.clone(),
            refusal: Refusal::ForEver,
            reported: None,
        }
    }

    /// To a server behind us.
    pub fn behind(server: &Endpoint) -> Self {
        Self {
            at: server.clone(),
            protocol: ClientProtocol::Lmtp,
            server_name: String::new(),
            start: TlsStart::Later,
            tls: TlsUse::Never,
            proof: Proof::Nothing,
            login: None,
            refusal: Refusal::ForEver,
            reported: None,
        }
    }
}

impl Proof {
    /// Why TLS that stands is not good enough.
    pub fn lacks(&self, facts: &TlsFacts) -> Option<Doubt> {
        let peer = facts.peer.as_ref();
        match self {
            Self::Nothing => None,
            Self::Name => match peer {
                Some(peer) => peer.vouched.clone().err(),
                None => Some(Doubt::NoCertificate),
            },
            Self::Dane(records, names) => {
                let chain = peer.map(|peer| peer.chain.as_slice()).unwrap_or_default();
                let names: Vec<&Name> = names.iter().collect();
                dane::check(records, chain, &names, net::now()).err()
            }
        }
    }
}
