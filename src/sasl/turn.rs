//! What a mechanism does after each message of the peer, and the form that every mechanism has.

use super::credentials::Credentials;

/// A mechanism's move. Bytes here are plain; the base64 around them is the exchange's.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Say this and wait for the next message. Empty: "go on".
    Challenge(Vec<u8>),
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
}
