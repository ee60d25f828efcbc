//! What a server session cannot decide itself, and the answers.

use super::path::ForwardPath;
use super::reply::Reply;
use super::session::Login;
use super::transaction::Envelope;
use crate::mail::Address;
use crate::sasl::{Credentials, ScramSecrets};

/// A question; exactly one answer follows each.
#[derive(Debug)]
pub enum Ask {
    /// Is this who it claims to be? `LoggedIn` or `Refuse`.
    Authenticate(Credentials),
    /// What SCRAM must know of a name. `Secrets` or `Refuse`.
    Secrets(String),
    /// May this sender send?
    Sender {
        /// `None` is `<>`.
        reverse_path: Option<Address>,
        /// As announced, in bytes; not over the limit.
        size: Option<u64>,
        /// Who has logged in.
        login: Option<Login>,
    },
    /// Do we take mail for this one?
    Recipient {
        /// Of this transaction.
        reverse_path: Option<Address>,
        /// The one in question.
        forward_path: ForwardPath,
        /// As announced, in bytes: is there room?
        size: Option<u64>,
        /// Who has logged in.
        login: Option<Login>,
    },
    /// A message begins.
    Begin(Box<Envelope>),
    /// The next piece of it, at most 64 KB, lines end with CRLF, dots unstuffed.
    Write(Vec<u8>),
    /// That was all. `Accept` says that the message is safe on the disk; by LMTP `Each` may say it of some.
    Commit,
    /// Forget what was written; any answer will do. A session that is dropped without it means the same.
    Abandon,
}

/// The answer to an `Ask`.
#[derive(Debug)]
pub enum Answer {
    /// Yes; done.
    Accept,
    /// Only to `Secrets`.
    Secrets(ScramSecrets),
    /// Only to `Authenticate`: yes, and this is who.
    LoggedIn(Login),
    /// Only to `Commit`, by LMTP: for each recipient of the envelope, in order, `None` if the message is safe, or why
    /// it was refused.
    Each(Vec<Option<Reply>>),
    /// No, and the peer is told this: a reply of 4yz or 5yz. A 421 ends the session. After a refused `Begin`, `Write`
    /// or `Commit` nothing is kept and no `Abandon` comes.
    Refuse(Reply),
}

/// What happens elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The server stops: a message that is being sent is taken to its end, then the session closes.
    Shutdown,
}
