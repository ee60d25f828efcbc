//! The table of mechanisms, best first: what a protocol announces and what it may start is read off these rows.

use super::login::Login;
use super::plain::Plain;
use super::turn::Conversation;

/// What the line must give before a mechanism may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// The password itself crosses the line: TLS only.
    Tls,
}

/// A row.
#[derive(Debug)]
pub struct Mechanism {
    /// As registered, upper case.
    pub name: &'static str,
    /// What it needs from the line.
    pub protection: Protection,
    /// Makes a new exchange.
    pub(super) make: fn() -> Box<dyn Conversation>,
}

/// All that we can.
pub const MECHANISMS: &[Mechanism] = &[
    Mechanism { name: "PLAIN", protection: Protection::Tls, make: || Box::new(Plain) },
    Mechanism { name: "LOGIN", protection: Protection::Tls, make: || Box::new(Login::UserName) },
];

/// The row of that name, letters in any case.
pub fn find(name: &[u8]) -> Option<&'static Mechanism> {
    MECHANISMS.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}
