//! Flags as a client reads and writes them (RFC 3501 §2.3.2): system flags with a backslash, keywords as atoms by the
//! account's table.

use super::args::{Args, Parsed};
use super::response::Completion;
use super::writer::Writer;
use crate::maildir::{AccountText, FORWARDED, Flags};

/// System flags as they are written; in the order in which they are shown.
const SYSTEM: [(&str, Flags); 5] = [
    ("\\Answered", Flags::ANSWERED),
    ("\\Flagged", Flags::FLAGGED),
    ("\\Deleted", Flags::DELETED),
    ("\\Seen", Flags::SEEN),
    ("\\Draft", Flags::DRAFT),
];

/// A longer keyword is refused.
const KEYWORD_LEN_MAX: usize = 100;
/// So many flags one command may name.
const FLAGS_MAX: usize = 64;

/// Flags that a client names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagNames {
    /// System flags.
    pub flags: Flags,
    /// Keywords, spelled as they came.
    pub keywords: Vec<String>,
}

impl FlagNames {
    /// `flag-list`.
    pub fn read_list(args: &mut Args<'_>) -> Parsed<Self> {
        let mut names = Self::default();
        args.list(|args| names.read_one(args))?;
        Ok(names)
    }

    /// `flag-list`, or flags with blanks between (RFC 3501 §9: `store-att-flags`).
    pub fn read_loose(args: &mut Args<'_>) -> Parsed<Self> {
        if args.peek() == Some(b'(') {
            return Self::read_list(args);
        }
        let mut names = Self::default();
        names.read_one(args)?;
        while args.eat(b' ') {
            names.read_one(args)?;
        }
        Ok(names)
    }

    fn read_one(&mut self, args: &mut Args<'_>) -> Parsed<()> {
        if args.eat(b'\\') {
            let name = args.atom()?;
            let known = SYSTEM
                .iter()
                .find(|(text, _)| text.get(1..).is_some_and(|t| t.eq_ignore_ascii_case(name)));
            let (_, flag) = known.ok_or(Completion::bad(
                "There is no such system flag, or it cannot be set: \\Answered \\Flagged \\Deleted \\Seen \\Draft",
            ))?;
            self.flags = self.flags.union(*flag);
            return Ok(());
        }
        let keyword = args.atom()?;
        if keyword.len() > KEYWORD_LEN_MAX {
            return Err(Completion::no("A keyword is too long").code("LIMIT"));
        }
        if self.keywords.len() >= FLAGS_MAX {
            return Err(Completion::no("There are too many keywords").code("LIMIT"));
        }
        if !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
            self.keywords.push(keyword.to_owned());
        }
        Ok(())
    }
}

/// Whether `\Recent` is among the flags of a message in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recent {
    /// It is.
    Yes,
    /// It is not.
    No,
}

fn names(flags: Flags, table: &AccountText) -> impl Iterator<Item = &str> {
    let system =
        SYSTEM.iter().filter(move |(_, flag)| flags.contains(*flag)).map(|(text, _)| *text);
    let forwarded = flags.contains(Flags::FORWARDED).then_some(FORWARDED);
    let keywords = (table.keywords.iter())
        .filter(move |(index, _)| flags.contains(Flags::keyword(**index)))
        .map(|(_, name)| name.as_str());
    system.chain(forwarded).chain(keywords)
}

/// `(\Seen $Forwarded \Recent)`
pub fn write(out: &mut Writer, flags: Flags, recent: Recent, table: &AccountText) {
    let recent = (recent == Recent::Yes).then_some("\\Recent");
    out.list(names(flags, table).chain(recent), |out, name| out.text(name));
}

/// The untagged FLAGS and the PERMANENTFLAGS that go with it.
pub fn write_all(out: &mut Writer, table: &AccountText, permanent: Permanent) {
    let all = table.known();
    out.text("* FLAGS ");
    out.list(names(all, table), |out, name| out.text(name));
    out.text("\r\n* OK [PERMANENTFLAGS ");
    match permanent {
        Permanent::All => {
            let any = Some("\\*");
            out.list(names(all, table).chain(any), |out, name| out.text(name));
            out.text("] Flags and keywords are kept\r\n");
        }
        Permanent::None => {
            out.text("()] Nothing can be changed here\r\n");
        }
    }
}

/// Which flags a client can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permanent {
    /// All, and new keywords.
    All,
    /// None: the mailbox was opened with EXAMINE.
    None,
}

#[cfg(test)]
mod tests {
    use super::FlagNames;
    use crate::imap::args::Args;
    use crate::maildir::Flags;

    #[test]
    fn flags_are_read_in_any_case() {
        let names =
            FlagNames::read_list(&mut Args::new(b"(\\SEEN $Junk \\deleted $junk)")).unwrap();
        assert_eq!(names.flags, Flags::SEEN.union(Flags::DELETED));
        assert_eq!(names.keywords, ["$Junk"]);
        let loose = FlagNames::read_loose(&mut Args::new(b"\\Draft x")).unwrap();
        assert_eq!((loose.flags, loose.keywords.len()), (Flags::DRAFT, 1));
        for bad in [&b"(\\Recent)"[..], b"(\\Nonsense)", b"(\\*)", b"(\\Seen", b"(a%)"] {
            assert!(FlagNames::read_list(&mut Args::new(bad)).is_err(), "{bad:?}");
        }
    }
}
