//! The table of mechanisms, best first: what a protocol announces and what it may start is read off these rows.

use super::login::Login;
use super::plain::Plain;
use super::scram::{Binding, Scram};
use super::turn::Conversation;
use crate::base::TlsFacts;

/// Makes an exchange from what TLS exports, or none if it needs what is not there.
type Make = fn(Option<&[u8]>) -> Option<Box<dyn Conversation>>;

/// A row.
pub struct Mechanism {
    /// As registered, upper case.
    pub name: &'static str,
    make: Make,
}

impl std::fmt::Debug for Mechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All that we can.
const MECHANISMS: &[Mechanism] = &[
    Mechanism {
        name: "SCRAM-SHA-256-PLUS",
        make: |exporter| Some(Box::new(Scram::new(Binding::Required(exporter?.to_vec())))),
    },
    Mechanism {
        name: "SCRAM-SHA-256",
        make: |exporter| {
            let binding = if exporter.is_some() { Binding::Possible } else { Binding::Absent };
            Some(Box::new(Scram::new(binding)))
        },
    },
    Mechanism { name: "PLAIN", make: |_| Some(Box::new(Plain)) },
    Mechanism { name: "LOGIN", make: |_| Some(Box::new(Login::UserName)) },
];

impl Mechanism {
    /// A new exchange on this channel.
    pub(super) fn conversation(&self, tls: Option<&TlsFacts>) -> Option<Box<dyn Conversation>> {
        (self.make)(tls.and_then(|tls| tls.exporter.as_deref()))
    }
}

/// The names of what can be done on this channel, best first.
pub fn offered(tls: Option<&TlsFacts>) -> impl Iterator<Item = &'static str> {
    MECHANISMS.iter().filter(move |row| row.conversation(tls).is_some()).map(|row| row.name)
}

/// The row of that name, letters in any case.
pub fn find(name: &[u8]) -> Option<&'static Mechanism> {
    MECHANISMS.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}
