//! What a port allows on a line that has no TLS yet; the same for every protocol that people log in to.

/// Whether a password may cross a line without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearText {
    /// Never.
    Refused,
    /// On loopback, where `try` listens.
    Allowed,
}

/// Whether the listener has a certificate for STARTTLS (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// It has.
    Offered,
    /// It has not.
    Absent,
}
