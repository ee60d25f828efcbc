//! How a session with a destination is made: straight to the servers of a domain, or by a smarthost that brings our mail on.

use crate::base::{Doubt, TlsFacts};
use crate::mail::Domain;
use crate::smtp::client::{Login, TlsUse};

/// A server that takes all our mail and brings it on: a provider's, for lines whose port 25 is shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// Its name, which its certificate must have.
    pub name: Domain,
    /// 465 is TLS from the first byte; on others TLS comes by STARTTLS and must come.
    pub port: u16,
    /// Who we are there.
    pub login: Option<Login>,
}

/// How a session is made.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where to connect.
    pub port: u16,
    /// When TLS begins.
    pub start: TlsStart,
    /// Whether STARTTLS is used.
    pub tls: TlsUse,
    /// What the server must prove.
    pub proof: Proof,
    /// Who we are there.
    pub login: Option<Login>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: most mail servers can prove nothing.
    Nothing,
    /// Its name, by a certificate that an authority of this machine vouches for.
    Name,
}

const SMTP: u16 = 25;
const SUBMISSIONS: u16 = 465;

impl Way {
    /// To a server of the recipient's domain.
    pub const fn straight(tls: TlsUse) -> Self {
        Self { port: SMTP, start: TlsStart::Later, tls, proof: Proof::Nothing, login: None }
    }

    /// By a smarthost.
    pub fn by(smarthost: &Smarthost) -> Self {
        let at_once = smarthost.port == SUBMISSIONS;
        Self {
            port: smarthost.port,
            start: if at_once { TlsStart::AtOnce } else { TlsStart::Later },
            tls: if at_once { TlsUse::Never } else { TlsUse::Must },
            proof: Proof::Name,
            login: smarthost.login.clone(),
        }
    }
}

impl Proof {
    /// Why TLS that stands is not good enough.
    pub fn lacks(self, facts: &TlsFacts) -> Option<Doubt> {
        match (self, &facts.peer) {
            (Self::Nothing, _) => None,
            (Self::Name, Some(peer)) => peer.vouched.clone().err(),
            (Self::Name, None) => Some(Doubt::NoCertificate),
        }
    }
}
