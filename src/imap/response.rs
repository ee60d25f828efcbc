//! Status responses (RFC 3501 §7.1): how a command ended, with the response code that a program reads and the text
//! that a person reads.

use crate::store::StoreError;
use std::borrow::Cow;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood.
    Bad,
}

impl Status {
    /// As it stands on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

/// The end of a command, without its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub status: Status,
    /// A response code without its brackets.
    pub code: Option<Cow<'static, str>>,
    /// For a person; printable ASCII.
    pub text: Cow<'static, str>,
}

impl Completion {
    /// `OK`.
    pub const fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: Cow::Borrowed(text) }
    }

    /// `NO`.
    pub const fn no(text: &'static str) -> Self {
        Self { status: Status::No, code: None, text: Cow::Borrowed(text) }
    }

    /// `BAD`.
    pub const fn bad(text: &'static str) -> Self {
        Self { status: Status::Bad, code: None, text: Cow::Borrowed(text) }
    }

    /// A password may not cross this line.
    pub fn needs_tls() -> Self {
        Self::no("Passwords need TLS here: STARTTLS first").code("PRIVACYREQUIRED")
    }

    /// The same with a response code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// `OK [READ-WRITE] Selected`, without tag and line end.
    pub fn line(&self) -> String {
        match &self.code {
            Some(code) => format!("{} [{code}] {}", self.status.word(), self.text),
            None => format!("{} {}", self.status.word(), self.text),
        }
    }
}

/// What a client is told when the store did not do something (codes of RFC 5530).
impl From<StoreError> for Completion {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoMailbox => "NONEXISTENT",
            StoreError::MailboxExists => "ALREADYEXISTS",
            StoreError::Name(_) | StoreError::Cannot(_) => "CANNOT",
            StoreError::KeywordLimit | StoreError::UidsUsedUp => "LIMIT",
            StoreError::OverQuota | StoreError::NoSpace => "OVERQUOTA",
            StoreError::ReadOnly(_) => "NOPERM",
            StoreError::NoMessage => "EXPUNGEISSUED",
            StoreError::Io(_) | StoreError::IndexDamaged(_) => "SERVERBUG",
            StoreError::Closed => "UNAVAILABLE",
        };
        let text = match &error {
            // What the disk said is for the log, not for the network.
            StoreError::Io(what) | StoreError::IndexDamaged(what) => {
                log::error!("service=imap {what}");
                "the server could not read or write your mail; see its log".to_owned()
            }
            StoreError::ReadOnly(_) => {
                "the account takes no changes since its disk failed; see the server's log"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Self { status: Status::No, code: Some(code.into()), text: capital(&text).into() }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::Completion;
    use crate::store::StoreError;

    #[test]
    fn a_completion_as_a_line() {
        let done = Completion::ok("Selected").code("READ-WRITE");
        assert_eq!(done.line(), "OK [READ-WRITE] Selected");
        let gone = Completion::from(StoreError::NoMailbox);
        assert_eq!(gone.line(), "NO [NONEXISTENT] There is no such mailbox");
    }
}
