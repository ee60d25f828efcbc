//! What a POP3 session cannot decide itself, the answers, and how a session is set up.

use super::limits::Limits;
use super::maildrop::{Closing, Maildrop, Opened, Opening, Reader};
use crate::base::{ClearText, StartTls};
use crate::mail::Domain;
use crate::sasl::{Credentials, ScramSecrets};

/// Given once, when the connection is taken.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our name, as the greeting says it.
    pub host: Domain,
    /// Tells sessions apart.
    pub number: u64,
    /// Whether STLS is there.
    pub start_tls: StartTls,
    /// Whether a password may cross without TLS.
    pub clear_text: ClearText,
    /// What the session may cost.
    pub limits: Limits,
}

/// A question; exactly one answer follows each.
#[derive(Debug)]
pub enum Ask {
    /// Is this who it claims to be? `Opened` or `Refused`.
    Authenticate(Credentials),
    /// What SCRAM must know of a name. `Secrets` or `Refused`.
    Secrets(String),
    /// Open a message. `Message` or `Refused`.
    Open(Opening),
    /// Read on in a message. `Piece` or `Refused`.
    Read(Reader),
    /// Take away what was deleted. `Closed` or `Refused`.
    Close(Closing),
}

/// The answer to an `Ask`.
#[derive(Debug)]
pub enum Answer {
    /// Yes, and these are the messages.
    Opened(Maildrop),
    /// To `Secrets`.
    Secrets(ScramSecrets),
    /// A message, whose first piece is at most 64 KB.
    Message(Opened),
    /// The next piece of it, the same.
    Piece(Reader, Vec<u8>),
    /// It is done.
    Closed,
    /// No, and the client is told this, with a response code in front (RFC 2449 §8, RFC 3206).
    Refused(&'static str),
}

/// What happens elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The server stops.
    Shutdown,
}
