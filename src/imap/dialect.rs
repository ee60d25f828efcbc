//! What a client has enabled or shown that it knows; our answers follow it (RFC 5161, RFC 7162 §3.1, RFC 9051 appendix A).

/// How a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// MODSEQ and VANISHED.
    pub condstore: Condstore,
    /// The form of answers that differ.
    pub revision: Revision,
}

impl Dialect {
    /// Does a FETCH response that nobody asked for name the UID (RFC 7162 §3.2.4, RFC 9051 §7.5.2)?
    pub fn tells_uid(self) -> bool {
        self.condstore >= Condstore::Aware || self.revision == Revision::Rev2
    }
}

/// What of RFC 7162 a client knows; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Condstore {
    /// Nothing that it has shown.
    #[default]
    Unaware,
    /// FETCH responses that nobody asked for carry MODSEQ (§3.1).
    Aware,
    /// And what is gone is told as VANISHED (§3.2.3).
    Qresync,
}

/// Which IMAP it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Revision {
    /// RFC 3501, until the client says otherwise.
    #[default]
    Rev1,
    /// RFC 9051: nothing is `\Recent`, SEARCH is answered by ESEARCH, SELECT with a LIST.
    Rev2,
}
