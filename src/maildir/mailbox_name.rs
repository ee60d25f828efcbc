//! A mailbox's name as IMAP shows it, and the folder of it on the disk (Maildir++: `Work/2025` is `.Work.2025`).
//! Clients choose names, so a name is checked once, here, and can never lead out of the account.

use super::utf7;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// UTF-8 in normal form C, levels parted by `/`, `INBOX` in upper case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

/// Why a name cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// An empty name or level: `a//b`, a leading `/`.
    EmptyLevel,
    /// NUL, another control character, `%` or `*`, or U+FFFD.
    Character,
    /// A level that is `.` or `..`.
    Dots,
    /// Its folder name would be over 240 bytes.
    TooLong,
    /// Begins with `#`, which RFC 3501 §5.1.2 keeps for namespaces.
    Namespace,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLevel => "a mailbox name has no empty part",
            Self::Character => "a mailbox name has no control characters, * or %",
            Self::Dots => "a part of a mailbox name cannot be . or ..",
            Self::TooLong => "the mailbox name is too long",
            Self::Namespace => "a mailbox name cannot begin with #",
        })
    }
}

const FOLDER_MAX: usize = 240;

impl MailboxName {
    /// The one that is always there.
    pub fn inbox() -> Self {
        Self("INBOX".to_owned())
    }

    /// Checks a name from a client. One trailing `/` is taken off (RFC 3501 §6.3.3).
    pub fn new(name: &str) -> Result<Self, NameError> {
        let name: String = name.strip_suffix('/').unwrap_or(name).nfc().collect();
        let (first, deeper) = match name.split_once('/') {
            Some((first, deeper)) => (first, Some(deeper)),
            None => (name.as_str(), None),
        };
        let name = match (first.eq_ignore_ascii_case("INBOX"), deeper) {
            (true, None) => "INBOX".to_owned(),
            (true, Some(deeper)) => format!("INBOX/{deeper}"),
            (false, _) => name,
        };
        let wrong = |c: char| {
            c.is_control() || matches!(c, '%' | '*' | '\u{fffd}' | '\u{2028}' | '\u{2029}')
        };
        if name.split('/').any(str::is_empty) {
            return Err(NameError::EmptyLevel);
        }
        if name.contains(wrong) {
            return Err(NameError::Character);
        }
        if name.split('/').any(|level| level == "." || level == "..") {
            return Err(NameError::Dots);
        }
        if name.starts_with('#') {
            return Err(NameError::Namespace);
        }
        let name = Self(name);
        if name.folder().len() > FOLDER_MAX { Err(NameError::TooLong) } else { Ok(name) }
    }

    /// The name of a folder found in the Maildir; `None` for what is no mailbox of ours or has another spelling.
    pub fn from_folder(folder: &[u8]) -> Option<Self> {
        let levels = folder.strip_prefix(b".")?.split(|&b| b == b'.');
        let levels: Vec<String> = levels.map(utf7::decode).collect::<Option<_>>()?;
        let name = Self::new(&levels.join("/")).ok()?;
        (name.folder().as_bytes() == folder && !name.is_inbox()).then_some(name)
    }

    /// The folder below `Maildir/`; `.` for INBOX.
    pub fn folder(&self) -> String {
        if self.is_inbox() {
            return ".".to_owned();
        }
        let level = |level| format!(".{}", utf7::encode(level, |c| c == '.'));
        self.0.split('/').map(level).collect()
    }

    /// As UTF-8, levels parted by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As old clients want it: modified UTF-7.
    pub fn utf7(&self) -> String {
        utf7::encode(&self.0, |_| false)
    }

    /// Is it INBOX?
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// Is it below `other`?
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The one above; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// This name with `from` at its front replaced by `to`, for what `from` is or has below it.
    pub fn renamed(&self, from: &Self, to: &Self) -> Option<Result<Self, NameError>> {
        let rest = self.0.strip_prefix(&from.0)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Self::new(&format!("{}{rest}", to.0)))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{MailboxName, NameError};

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text).unwrap()
    }

    #[test]
    fn names_and_folders_are_one_to_one() {
        for (text, folder) in [
            ("INBOX", "."),
            ("Sent", ".Sent"),
            ("Work/2025", ".Work.2025"),
            ("v1.2", ".v1&AC4-2"),
            ("Entwürfe & Co", ".Entw&APw-rfe &- Co"),
            ("INBOX/sub", ".INBOX.sub"),
        ] {
            assert_eq!(name(text).folder(), folder);
            if text != "INBOX" {
                assert_eq!(MailboxName::from_folder(folder.as_bytes()), Some(name(text)));
            }
        }
        assert_eq!(name("inbox"), MailboxName::inbox());
        assert_eq!(name("Inbox/x").as_str(), "INBOX/x");
        // One letter with its accent apart is the same name.
        assert_eq!(name("Cafe\u{301}"), name("Café"));
        for strange in [&b"cur"[..], b".", b"..", b".a..b", b".&AGE-", b".\xff", b".INBOX", b".a/b"]
        {
            assert_eq!(MailboxName::from_folder(strange), None, "{strange:?}");
        }
    }

    #[test]
    fn no_name_leads_out() {
        for (bad, error) in [
            ("", NameError::EmptyLevel),
            ("/etc/passwd", NameError::EmptyLevel),
            ("a//b", NameError::EmptyLevel),
            ("../x", NameError::Dots),
            ("a/..", NameError::Dots),
            ("a\0b", NameError::Character),
            ("a*", NameError::Character),
            ("#news", NameError::Namespace),
        ] {
            assert_eq!(MailboxName::new(bad), Err(error), "{bad}");
        }
        assert_eq!(MailboxName::new(&"x".repeat(300)), Err(NameError::TooLong));
        assert!(MailboxName::new(&"x".repeat(239)).is_ok());
    }

    #[test]
    fn a_rename_takes_the_children_along() {
        let (from, to) = (name("a"), name("b/c"));
        assert_eq!(name("a/x").renamed(&from, &to), Some(Ok(name("b/c/x"))));
        assert_eq!(name("ab").renamed(&from, &to), None);
        assert!(name("a/x").is_below(&from) && !name("ab").is_below(&from));
    }
}
