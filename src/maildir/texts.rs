//! The account's few lines of text: `pillarbox-account`, `pillarbox-folder` in each mailbox, and `subscriptions`.
//! Each is replaced as a whole. Another program or a person may have edited one: an unknown line is refused, never
//! dropped, because what is lost here is not to be had again.

use super::flags::Flags;
use super::ids::{MailboxId, Uid, UidValidity, Unique};
use super::mailbox_name::MailboxName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// `pillarbox-account`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountText {
    /// The highest UIDVALIDITY that was ever given.
    pub validity_highest: u32,
    /// Above every UNIQUE that was given; raised ahead of need.
    pub unique_at_least: u64,
    /// Keyword number 0 to 25 (letter a to z) and its name.
    pub keywords: BTreeMap<u8, String>,
}

/// `pillarbox-folder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderText {
    /// Outlives a rename.
    pub mailbox: MailboxId,
    /// Never changes by itself.
    pub validity: UidValidity,
    /// UIDs are given only below this.
    pub uidnext_at_least: Uid,
    /// RFC 6154.
    pub role: Option<Role>,
}

/// A mailbox's special use (RFC 6154 §2); one mailbox a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl Role {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Archive, Self::Drafts, Self::Junk, Self::Sent, Self::Trash];

    /// The name of the mailbox that bears the role from the start.
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Archive => "Archive",
            Self::Drafts => "Drafts",
            Self::Junk => "Junk",
            Self::Sent => "Sent",
            Self::Trash => "Trash",
        }
    }

    /// As LIST shows it.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// Reads `\Sent`, letters in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.attribute().eq_ignore_ascii_case(text))
    }
}

/// A line that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// From 1; 0 if something is missing.
    pub line: usize,
    /// What was wrong.
    pub what: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

fn lines(text: &str, head: &str) -> Result<Vec<(usize, String, String)>, TextError> {
    let error = |line, what: String| TextError { line, what };
    let mut numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    match numbered.next() {
        Some((_, first)) if first == head => {}
        first => {
            let found = first.map_or("nothing", |(_, line)| line);
            return Err(error(1, format!("expected {head:?}, found {found:?}")));
        }
    }
    let split = |(at, line): (usize, &str)| match line.split_once(' ') {
        Some((key, value)) => Ok((at, key.to_owned(), value.to_owned())),
        None => Err(error(at, format!("expected a word and its value, found {line:?}"))),
    };
    let all: Result<Vec<_>, _> = numbered.map(split).collect();
    match all {
        Ok(all)
            if all
                .last()
                .is_none_or(|(_, key, value)| (key.as_str(), value.as_str()) != ("end", "-")) =>
        {
            Err(error(0, "the last line is missing: the file is not whole".into()))
        }
        other => other,
    }
}

fn wrong(line: usize, key: &str, value: &str) -> TextError {
    TextError { line, what: format!("{key} {value:?} is not understood") }
}

impl AccountText {
    const HEAD: &'static str = "pillarbox-account 1";

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\nuidvalidity-highest {}\nunique-at-least {}\n",
            Self::HEAD,
            self.validity_highest,
            Unique(self.unique_at_least).hex()
        );
        for (&index, name) in &self.keywords {
            text.push_str(&format!("keyword {} {name}\n", Flags::keyword(index).letters()));
        }
        text.push_str("end -\n");
        text
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let mut account = Self::default();
        for (line, key, value) in lines(text, Self::HEAD)? {
            let bad = || wrong(line, &key, &value);
            match key.as_str() {
                "uidvalidity-highest" => {
                    account.validity_highest = value.parse().map_err(|_| bad())?;
                }
                "unique-at-least" => {
                    account.unique_at_least = Unique::from_hex(&value).ok_or_else(bad)?.0;
                }
                "keyword" => {
                    let (letter, name) = value.split_once(' ').ok_or_else(bad)?;
                    let index = match letter.as_bytes() {
                        [letter @ b'a'..=b'z'] => letter - b'a',
                        _ => return Err(bad()),
                    };
                    if name.is_empty() || account.keywords.insert(index, name.to_owned()).is_some()
                    {
                        return Err(bad());
                    }
                }
                "end" => {}
                _ => return Err(bad()),
            }
        }
        Ok(account)
    }

    /// The flag of a keyword by its name, letters in any case (RFC 3501 §2.3.2).
    pub fn keyword(&self, name: &str) -> Option<Flags> {
        if name.eq_ignore_ascii_case(FORWARDED) {
            return Some(Flags::FORWARDED);
        }
        self.keywords
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(&index, _)| Flags::keyword(index))
    }

    /// Flags that have a name: the system's and the table's keywords.
    pub fn known(&self) -> Flags {
        self.keywords.keys().fold(Flags(0b11_1111), |all, &at| all.union(Flags::keyword(at)))
    }
}

/// The keyword whose letter is the Maildir's own `P`.
pub const FORWARDED: &str = "$Forwarded";

impl FolderText {
    const HEAD: &'static str = "pillarbox-folder 1";

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\nmailboxid {}\nuidvalidity {}\nuidnext-at-least {}\n",
            Self::HEAD,
            self.mailbox,
            self.validity,
            self.uidnext_at_least
        );
        if let Some(role) = self.role {
            text.push_str(&format!("special-use {}\n", role.attribute()));
        }
        text.push_str("end -\n");
        text
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let (mut mailbox, mut validity, mut uidnext, mut role) = (None, None, None, None);
        for (line, key, value) in lines(text, Self::HEAD)? {
            let bad = || wrong(line, &key, &value);
            let number = || value.parse::<u32>().ok().filter(|&n| n > 0).ok_or_else(bad);
            match key.as_str() {
                "mailboxid" => mailbox = Some(MailboxId::parse(&value).ok_or_else(bad)?),
                "uidvalidity" => validity = Some(UidValidity(number()?)),
                "uidnext-at-least" => uidnext = Some(Uid(number()?)),
                "special-use" => role = Some(Role::parse(&value).ok_or_else(bad)?),
                "end" => {}
                _ => return Err(bad()),
            }
        }
        match (mailbox, validity, uidnext) {
            (Some(mailbox), Some(validity), Some(uidnext_at_least)) => {
                Ok(Self { mailbox, validity, uidnext_at_least, role })
            }
            _ => Err(TextError { line: 0, what: "a line is missing".into() }),
        }
    }
}

/// `subscriptions`: a name a line, as UTF-8. A line that is no name is passed over.
pub fn parse_subscriptions(text: &str) -> BTreeSet<MailboxName> {
    text.lines().filter_map(|line| MailboxName::new(line).ok()).collect()
}

/// The text of `subscriptions`.
pub fn subscriptions_text(names: &BTreeSet<MailboxName>) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::{AccountText, Flags, FolderText, MailboxId, Role, Uid, UidValidity, Unique};

    #[test]
    fn what_is_written_reads_back() {
        let mut account =
            AccountText { validity_highest: 7, unique_at_least: 99, ..Default::default() };
        account.keywords.insert(0, "$Junk".into());
        account.keywords.insert(25, "Einkauf".into());
        assert_eq!(AccountText::parse(&account.text()), Ok(account.clone()));
        assert_eq!(account.keyword("$junk"), Some(Flags::keyword(0)));
        assert_eq!(account.keyword("$forwarded"), Some(Flags::FORWARDED));
        let folder = FolderText {
            mailbox: MailboxId(Unique(5)),
            validity: UidValidity(3),
            uidnext_at_least: Uid(257),
            role: Some(Role::Sent),
        };
        assert_eq!(FolderText::parse(&folder.text()), Ok(folder));
    }

    #[test]
    fn a_half_written_or_strange_file_is_refused() {
        let text = AccountText::default().text();
        for cut in 0..text.len() - 1 {
            assert!(AccountText::parse(&text[..cut]).is_err(), "{cut}");
        }
        assert!(AccountText::parse(&text.replace("uidv", "colour")).is_err());
        assert_eq!(AccountText::parse("pillarbox-account 2\n").unwrap_err().line, 1);
    }
}
