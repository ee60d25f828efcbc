//! What a client has enabled or shown that it knows; how it is read and answered follows from it (RFC 5161, RFC 6855,
//! RFC 7162 §3.1, RFC 9051 appendix A).

use crate::maildir::{MailboxName, utf7};
use std::borrow::Cow;

/// How a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// MODSEQ and VANISHED.
    pub condstore: Condstore,
    /// The form of answers that differ.
    pub revision: Revision,
    /// In which form texts beyond ASCII cross the connection.
    pub texts: Texts,
    /// Has it said `ENABLE UTF8=ACCEPT` (RFC 6855)?
    pub utf8_accept: Utf8Accept,
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

/// Forms of texts beyond ASCII.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Texts {
    /// IMAP4rev1's (RFC 3501 §4.3, §5.1.3): quoted strings are ASCII, mailbox names in modified UTF-7.
    #[default]
    SevenBit,
    /// Quoted strings and mailbox names are UTF-8 (RFC 6855 §3, RFC 9051 §4.3, §5.1).
    Utf8,
}

/// Does the client use UTF8=ACCEPT?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Utf8Accept {
    /// It has not said so.
    #[default]
    Off,
    /// APPEND takes UTF8, and SEARCH no charset.
    On,
}

impl Texts {
    /// A mailbox name, or a pattern for such, from the connection; `None` if it is not in this form.
    pub fn read_name(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::SevenBit => utf7::decode(bytes),
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        }
    }

    /// A mailbox name for the connection.
    pub fn name(self, name: &MailboxName) -> Cow<'_, str> {
        match self {
            Self::SevenBit => name.utf7().into(),
            Self::Utf8 => name.as_str().into(),
        }
    }

    /// May this stand between quotes?
    pub fn is_quotable(self, text: &[u8]) -> bool {
        match self {
            Self::SevenBit => text.iter().all(|b| matches!(b, b' '..=b'~')),
            Self::Utf8 => {
                !text.iter().any(u8::is_ascii_control) && std::str::from_utf8(text).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Texts;
    use crate::maildir::MailboxName;

    #[test]
    fn names_in_both_forms() {
        let name = MailboxName::new("Entwürfe & Co").unwrap();
        for (texts, written) in
            [(Texts::SevenBit, "Entw&APw-rfe &- Co"), (Texts::Utf8, "Entwürfe & Co")]
        {
            assert_eq!(texts.name(&name), written);
            assert_eq!(texts.read_name(written.as_bytes()).unwrap(), name.as_str());
        }
        assert_eq!(Texts::SevenBit.read_name("ü".as_bytes()), None);
        assert_eq!(Texts::Utf8.read_name(b"\xfc"), None);
        assert!(
            Texts::Utf8.is_quotable("ü".as_bytes()) && !Texts::SevenBit.is_quotable("ü".as_bytes())
        );
        for bad in [&b"a\rb"[..], b"\0", b"\xfc", b"\x7f"] {
            assert!(!Texts::Utf8.is_quotable(bad), "{bad:?}");
        }
    }
}
