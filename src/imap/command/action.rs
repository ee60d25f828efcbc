//! What a command wants done.

use crate::imap::job::Job;
use crate::imap::response::Completion;
use crate::sasl::{Credentials, Mechanism};

/// What a command wants done.
pub enum Action {
    /// Untagged lines, each with its line end, and the end.
    Say(String, Completion),
    /// The list of what we can.
    Capability,
    /// Close after saying so.
    Logout,
    /// TLS from here on.
    StartTls,
    /// Both directions are deflated from here on.
    Compress,
    /// A SASL exchange, with its initial response.
    Authenticate(&'static Mechanism, Option<Vec<u8>>),
    /// LOGIN.
    Login(Credentials),
    /// Tell what happens until DONE.
    Idle,
    /// Work on the account; after a login only.
    Work(Job),
    /// The same, when the command names messages by number: no expunge is told with its end.
    WorkByNumber(Job),
}
