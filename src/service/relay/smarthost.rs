//! A server that brings our mail on.

use crate::mail::Domain;
use crate::smtp::client::Login;

/// A provider's server, for lines whose port 25 is shut or whose address nobody trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// Its name, which its certificate must have.
    pub name: Domain,
    /// 465 is TLS from the first byte; on others TLS comes by STARTTLS and must come.
    pub port: u16,
    /// Who we are there.
    pub login: Option<Login>,
    /// The recipients' domains whose mail goes by it.
    pub domains: Vec<Domain>,
    /// Does it take what cannot go straight? With neither domains nor this it takes everything.
    pub fallback: bool,
}

impl Smarthost {
    /// Does everything go by it?
    pub const fn takes_all(&self) -> bool {
        self.domains.is_empty() && !self.fallback
    }
}
