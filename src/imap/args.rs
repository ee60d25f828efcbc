//! Reads the arguments of a command (RFC 3501 §9) from its bytes, in which literals stand as they came:
//! `{3}` CR LF `abc`. The client wrote every byte.

use super::dialect::{Dialect, Texts};
use super::response::Completion;
use super::sequence_set::SequenceSet;
use crate::base::Cursor;
use crate::mail::{CivilDate, Date};
use crate::maildir::MailboxName;
use crate::store::StoreError;
use std::borrow::Cow;

/// What is left to read of a command.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    cursor: Cursor<'a>,
    dialect: Dialect,
}

/// An argument, or how the command ends without it.
pub type Parsed<T> = Result<T, Completion>;

/// What an atom may be made of (RFC 3501 §9: ATOM-CHAR).
pub const fn is_atom_char(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~')
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

const fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

impl<'a> Args<'a> {
    /// Of a whole command, or of what comes before a literal.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::of(bytes, Dialect::default())
    }

    /// The same, of a client that writes like this.
    pub const fn of(bytes: &'a [u8], dialect: Dialect) -> Self {
        Self { cursor: Cursor::new(bytes), dialect }
    }

    /// How the client writes.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Nothing left?
    pub const fn is_empty(&self) -> bool {
        self.cursor.is_empty()
    }

    /// What is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    /// The tag of a command; none if it has no right one.
    pub fn tag(&mut self) -> Option<&'a str> {
        let tag = self.cursor.take_while(|b| is_astring_char(b) && b != b'+');
        std::str::from_utf8(tag).ok().filter(|tag| !tag.is_empty() && tag.len() <= 64)
    }

    /// One blank.
    pub fn space(&mut self) -> Parsed<()> {
        if self.cursor.eat(b' ') { Ok(()) } else { Err(Completion::bad("An argument is missing")) }
    }

    /// The end of the command; blanks before it are forgiven.
    pub fn end(&mut self) -> Parsed<()> {
        self.cursor.take_while(|b| b == b' ');
        if self.is_empty() { Ok(()) } else { Err(Completion::bad("There are too many arguments")) }
    }

    /// Takes this byte if it comes next.
    pub fn eat(&mut self, byte: u8) -> bool {
        self.cursor.eat(byte)
    }

    /// The next byte, not taken.
    pub fn peek(&self) -> Option<u8> {
        self.cursor.peek()
    }

    /// This byte.
    pub fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { Err(Completion::bad("The arguments are malformed")) }
    }

    /// Takes this word if it comes next, in any case, and does not go on as a longer one.
    pub fn word(&mut self, word: &str) -> bool {
        let mut ahead = self.cursor;
        let hit = ahead.eat_ignore_case(word.as_bytes()) && !ahead.peek().is_some_and(is_atom_char);
        if hit {
            self.cursor = ahead;
        }
        hit
    }

    /// An atom.
    pub fn atom(&mut self) -> Parsed<&'a str> {
        let atom = self.cursor.take_while(is_atom_char);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => Err(Completion::bad("A word is missing or malformed")),
        }
    }

    /// A number of 32 bits.
    pub fn number(&mut self) -> Parsed<u32> {
        let number = self.number64()?;
        u32::try_from(number).map_err(|_| Completion::bad("A number is too large"))
    }

    /// A number; RFC 7162 wants 63 bits of it.
    pub fn number64(&mut self) -> Parsed<u64> {
        self.cursor.number().ok_or(Completion::bad("A number is missing or malformed"))
    }

    /// `string`: quoted or a literal.
    pub fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Completion::bad("A string is missing or malformed")),
        }
    }

    /// `astring`: an atom with `]` allowed, or a string.
    pub fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.word_or_string(is_astring_char)
    }

    /// `list-mailbox`: an astring with the wildcards allowed.
    pub fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.word_or_string(is_list_char)
    }

    fn word_or_string(&mut self, is_char: fn(u8) -> bool) -> Parsed<Cow<'a, [u8]>> {
        let word = self.cursor.take_while(is_char);
        if word.is_empty() { self.string() } else { Ok(Cow::Borrowed(word)) }
    }

    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let bad = Completion::bad("A quoted string is malformed");
        let mut ahead = self.cursor;
        ahead.eat(b'"');
        let plain = ahead.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
        let mut text = Cow::Borrowed(plain);
        loop {
            match ahead.bump() {
                Some(b'"') => {
                    self.cursor = ahead;
                    let utf8 = self.dialect.texts == Texts::Utf8;
                    // RFC 6855 §3: what is no UTF-8 there must be refused.
                    return match std::str::from_utf8(&text) {
                        Err(_) if utf8 => Err(Completion::bad("A quoted string is not in UTF-8")),
                        _ => Ok(text),
                    };
                }
                Some(b'\\') => match ahead.bump() {
                    Some(byte @ (b'"' | b'\\')) => text.to_mut().push(byte),
                    _ => return Err(bad),
                },
                Some(byte) if !matches!(byte, b'\r' | b'\n' | 0) => text.to_mut().push(byte),
                _ => return Err(bad),
            }
        }
    }

    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let mut ahead = self.cursor;
        let text = literal_size(&mut ahead)
            .filter(|_| ahead.eat(b'\r') && ahead.eat(b'\n'))
            .and_then(|(size, _)| ahead.take(usize::try_from(size).ok()?))
            .filter(|text| !text.contains(&0));
        self.cursor = ahead;
        text.ok_or(Completion::bad("A literal is malformed"))
    }

    /// `(a b c)`, each read by `item`.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }

    /// ` (a b c)` if it comes next: modifiers of a command, at least one (RFC 4466 §3).
    pub fn modifiers(&mut self, item: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        if !self.rest().starts_with(b" (") {
            return Ok(());
        }
        self.space()?;
        match self.list(item)?.is_empty() {
            true => Err(Completion::bad("There is nothing between the parentheses")),
            false => Ok(()),
        }
    }

    /// The name of a mailbox, in the form that the client writes. One that cannot be is `NO`.
    pub fn mailbox(&mut self) -> Parsed<MailboxName> {
        let bytes = self.astring()?;
        let name = self.dialect.texts.read_name(&bytes).ok_or_else(|| {
            let refused = match self.dialect.texts {
                Texts::SevenBit => Completion::no("The mailbox name is not in modified UTF-7"),
                Texts::Utf8 => Completion::no("The mailbox name is not in UTF-8"),
            };
            refused.code("CANNOT")
        })?;
        MailboxName::new(&name).map_err(|error| StoreError::Name(error).into())
    }

    /// `sequence-set`.
    pub fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        let set = SequenceSet::read(&mut self.cursor);
        set.ok_or(Completion::bad("A set of message numbers is missing or malformed"))
    }

    /// `date`, with or without quotes.
    pub fn date(&mut self) -> Parsed<CivilDate> {
        let text = self.astring()?;
        CivilDate::parse_imap(&text)
            .ok_or(Completion::bad("A date is malformed: 1-Feb-1994 is one"))
    }

    /// `date-time`, in quotes.
    pub fn date_time(&mut self) -> Parsed<Date> {
        let text = self.quoted()?;
        Date::parse_imap_date_time(&text)
            .ok_or(Completion::bad("A date is malformed: \"17-Jul-1996 02:44:25 -0700\" is one"))
    }

    /// Takes bytes while they satisfy `wanted`.
    pub fn take_while(&mut self, wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        self.cursor.take_while(wanted)
    }
}

/// Whether the client waits for our leave before it sends a literal (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// `{3}`: it waits for a continuation request.
    Waits,
    /// `{3+}`: it does not.
    AtOnce,
}

/// Reads `{3}` or `{3+}`.
pub fn literal_size(cursor: &mut Cursor<'_>) -> Option<(u64, Sending)> {
    if !cursor.eat(b'{') {
        return None;
    }
    let size = cursor.number()?;
    let sending = if cursor.eat(b'+') { Sending::AtOnce } else { Sending::Waits };
    cursor.eat(b'}').then_some((size, sending))
}

#[cfg(test)]
mod tests {
    use super::Args;
    use crate::maildir::MailboxName;

    #[test]
    fn strings_in_every_form() {
        let mut args = Args::new(b"atom] \"qu\\\"ot\\\\ed\" {3}\r\na\"b {2+}\r\nxy \"\"");
        for expected in [&b"atom]"[..], b"qu\"ot\\ed", b"a\"b", b"xy", b""] {
            assert_eq!(&*args.astring().unwrap(), expected);
            let _ = args.space();
        }
        assert!(args.end().is_ok());
        for bad in
            [&b"\"open"[..], b"\"a\\b\"", b"{5}\r\nabc", b"{1}\r\n\0", b"(", b"", b"\"a\nb\""]
        {
            assert!(Args::new(bad).astring().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_modified_utf_7() {
        let name = |text: &[u8]| Args::new(text).mailbox();
        assert_eq!(name(b"&U,BTFw-"), Ok(MailboxName::new("台北").unwrap()));
        assert_eq!(name(b"inBOX"), Ok(MailboxName::inbox()));
        for refused in [&b"\"../x\""[..], b"a&b", b"\"\xc3\xbc\"", b"{3}\r\n/x/"] {
            assert_eq!(name(refused).unwrap_err().code.unwrap(), "CANNOT", "{refused:?}");
        }
    }

    #[test]
    fn lists_and_words() {
        let mut args = Args::new(b"(a b) () MODSEQ MODSEQX");
        assert_eq!(args.list(Args::atom), Ok(vec!["a", "b"]));
        args.space().unwrap();
        assert_eq!(args.list(Args::atom), Ok(vec![]));
        args.space().unwrap();
        assert!(args.word("modseq") && args.space().is_ok() && !args.word("modseq"));
        assert!(Args::new(b"(a").list(Args::atom).is_err());
        assert!(Args::new(b"(a  b)").list(Args::atom).is_err());
    }
}
