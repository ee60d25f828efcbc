//! What an IMAP session cannot decide itself, the answers, and how a session is set up.

use super::job::{Task, Turn};
use super::limits::Limits;
use super::response::Completion;
use super::session::Session;
use crate::base::{ClearText, StartTls};
use crate::mail::Domain;
use crate::sasl::{Credentials, ScramSecrets};
use crate::store::Account;

/// Given once, when the connection is taken.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our name, as the greeting says it.
    pub host: Domain,
    /// Tells sessions apart.
    pub number: u64,
    /// Whether STARTTLS is there.
    pub start_tls: StartTls,
    /// Whether a password may cross without TLS.
    pub clear_text: ClearText,
    /// What the session may cost.
    pub limits: Limits,
}

/// A question; exactly one answer follows each.
#[derive(Debug)]
pub enum Ask {
    /// Is this who it claims to be? `LoggedIn` or `Refused`.
    Authenticate(Credentials),
    /// What SCRAM must know of a name. `Secrets` or `Refused`.
    Secrets(String),
    /// Run this on a thread of the store. `Worked` or `Lost`.
    Work(Task),
}

/// The answer to an `Ask`.
#[derive(Debug)]
pub enum Answer {
    /// Yes, and this is whose mail it is.
    LoggedIn(Account),
    /// To `Secrets`.
    Secrets(ScramSecrets),
    /// No, and the client is told this.
    Refused(Completion),
    /// The work was done so far.
    Worked(Box<Session>, Turn),
    /// The thread that did the work died of a fault of ours; the session cannot go on.
    Lost,
}

/// What happens elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Something in the account changed.
    Changed,
    /// The server stops.
    Shutdown,
}
