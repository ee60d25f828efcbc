//! What a mechanism does after each message of the peer, and the form that every mechanism has.

use super::credentials::Credentials;
use super::scram_secrets::ScramSecrets;

/// A mechanism's move. Bytes here are plain; the base64 around them is the exchange's.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Say this and wait for the next message. Empty: "go on".
    Challenge(Vec<u8>),
    /// What is known of this name must be found; it is given to `secrets`.
    Lookup(String),
    /// The peer has said all; somebody must decide.
    Decide(Credentials),
    /// The message breaks the mechanism's syntax.
    Malformed,
}

/// One exchange of one mechanism.
pub trait Conversation: Send {
    /// What the server says when the peer brought no initial response.
    fn begin(&mut self) -> Turn;
    /// Takes the peer's next message, decoded.
    fn message(&mut self, message: &[u8]) -> Turn;
    /// Takes what was found after `Lookup`.
    fn secrets(&mut self, _: ScramSecrets) -> Turn {
        Turn::Malformed
    }
}
