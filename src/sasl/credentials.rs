//! What a peer claims to be and its proof, in clear text (RFC 4616 §2). The peer wrote all of it; nothing is checked.

use crate::base::Secret;

/// A user name and password as they came, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whom the peer wants to act as; `None` means as `authcid`.
    pub authzid: Option<String>,
    /// Whose password it is. Never empty.
    pub authcid: String,
    /// The password as typed. May hold any text but NUL.
    pub password: Secret<String>,
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
