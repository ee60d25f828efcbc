//! What a client session cannot decide itself, and the answers.

use super::heard::Heard;
use super::job::{Job, Report};
use crate::base::TlsFacts;
use crate::mail::Address;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// A question; exactly one answer follows each.
#[derive(Debug)]
pub enum Ask {
    /// TLS stands: is that the server that was meant? `Go` or `Stop`.
    Judge(TlsFacts),
    /// How the last job ended, if there was one; what is next? `Send` or `Leave`.
    Next(Option<Report>, Terms),
    /// The bytes of a file, at most 32 KB. `Piece`, or `Stop` if they cannot be read.
    Read(Arc<File>, Range<u64>),
    /// The session has come to nothing, and ends: with the report of the job that was under way, if one was. Any answer.
    Failed(Failure, Option<Report>),
}

/// What the server says of itself that decides what it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The name by which it answered EHLO; empty after HELO.
    pub name: String,
    /// It offered STARTTLS and refused it: without TLS it may refuse what it would take.
    pub tls_was_refused: bool,
    /// How many recipients of a message it takes at most, if it says (RFC 9422).
    pub recipients_max: Option<usize>,
    /// Who we are there, if it is our own server and the connection is local.
    pub known_as: Option<Address>,
}

/// The answer to an `Ask`.
#[derive(Debug)]
pub enum Answer {
    /// Yes.
    Go,
    /// No: end the session.
    Stop,
    /// Send this.
    Send(Box<Job>),
    /// There is nothing more to send.
    Leave,
    /// What was read: all that was asked for.
    Piece(Vec<u8>),
}

/// Why a session came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server greeted with a refusal.
    Greeting(Heard),
    /// It refused EHLO and HELO, or LHLO.
    Hello(Heard),
    /// It has no TLS, and there must be.
    NoTls,
    /// It does not promise TLS on the rest of the way, which every message demands (RFC 8689).
    NoRequireTls,
    /// It calls itself by our name: we have reached ourselves.
    Ourselves,
    /// It offers STARTTLS and refused it, and there must be TLS.
    StartTls(Heard),
    /// It lacks what a login needs, or refused it.
    Login(Heard),
    /// It offers no way to log in that we have.
    NoLogin,
    /// TLS stood, and it was not the server that was meant.
    NotTrusted,
    /// It closed the connection.
    Closed,
    /// It was silent for too long.
    Silent,
    /// What it sent is no SMTP.
    Nonsense(&'static str),
    /// It said that it closes (421).
    Leaving(Heard),
    /// A file of ours cannot be read.
    Ours,
    /// We stop.
    Stopping,
}

/// What happens elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The server stops: what has not been sent to its end is left for the next start.
    Shutdown,
}
