//! How a client session is set up, and what it costs in time.

use super::login::Login;
use crate::mail::Domain;
use std::time::Duration;

/// Given once, before the connection's first byte.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our name.
    pub host: Domain,
    /// What is spoken.
    pub protocol: ClientProtocol,
    /// Whether STARTTLS is used.
    pub tls: TlsUse,
    /// Who we are there; `None`: nobody logs in.
    pub login: Option<Login>,
    /// Random, for that.
    pub nonce: [u8; 18],
    /// How long the server may take.
    pub waits: Waits,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientProtocol {
    /// To another server.
    Smtp,
    /// To a server behind us, which answers for each recipient.
    Lmtp,
}

/// Whether STARTTLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// No: it has failed with this server, or the connection is TLS already, or never leaves this machine.
    Never,
    /// If the server offers it.
    IfOffered,
    /// Nothing is sent without it.
    Must,
}

/// How long the server may take (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// For its greeting, and to EHLO, STARTTLS, MAIL, RCPT and the like.
    pub command: Duration,
    /// To DATA.
    pub data: Duration,
    /// After the last byte of a message: it may have much to do.
    pub body: Duration,
    /// To QUIT: nothing depends on it.
    pub quit: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            command: Duration::from_mins(5),
            data: Duration::from_mins(2),
            body: Duration::from_mins(10),
            quit: Duration::from_secs(2),
        }
    }
}
