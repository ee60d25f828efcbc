//! What a peer claims to be and its proof. The peer wrote the names; a password is not checked yet.

use crate::base::Secret;

/// A user name and what is to prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whom the peer wants to act as; `None` means as `authcid`.
    pub authzid: Option<String>,
    /// Whose password it is. Never empty.
    pub authcid: String,
    /// What it has brought.
    pub proof: Proof,
}

/// What a peer has brought to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A password as typed, not yet checked. May hold any text but NUL.
    Password(Secret<String>),
    /// It has the keys of this device (SCRAM), which stood in the registry when the exchange began.
    Device(i64),
    /// It has tried and failed (SCRAM).
    Wrong,
}

/// Bytes of one field at most. RFC 4616 §2 asks for 255; pasted app passwords and addresses stay far below this.
const FIELD_LEN_MAX: usize = 1024;

/// One field: UTF-8, no NUL, not too long. May be empty.
pub(super) fn field(bytes: &[u8]) -> Option<String> {
    if bytes.len() > FIELD_LEN_MAX || bytes.contains(&0) {
        return None;
    }
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}
