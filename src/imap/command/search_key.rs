//! What SEARCH looks for (RFC 3501 §6.4.4, MODSEQ of RFC 7162 §3.1.5, WITHIN of RFC 5032, EMAILID and THREADID of
//! RFC 8474 §6, SAVEDATE of RFC 8514 §4.3), read into a tree that is cheap to try: what
//! memory answers comes before what the index answers, and that before what must be read.

use crate::imap::args::{Args, Parsed};
use crate::imap::dialect::Utf8Accept;
use crate::imap::object_id;
use crate::imap::response::Completion;
use crate::imap::sequence_set::{Numbers, SequenceSet};
use crate::mail::{CivilDate, fold, to_utf8};
use crate::maildir::{Flags, ModSeq, Unique};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A search key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// All of these; none is ALL.
    And(Vec<Key>),
    /// Any of these.
    Or(Vec<Key>),
    /// Not this.
    Not(Box<Key>),
    /// A set of messages.
    Set(SequenceSet, Numbers),
    /// A system flag.
    Flag(Flags),
    /// A keyword by its name.
    Keyword(String),
    /// `\Recent`
    Recent,
    /// A change after this one, or with it.
    ModSeq(ModSeq),
    /// INTERNALDATE compared with a day, without regard to time and zone.
    Date(Ordering, CivilDate),
    /// INTERNALDATE compared with so many seconds ago; the same second fits both ways.
    Age(Ordering, u32),
    /// The day on which it came into the mailbox, by UTC.
    Saved(Ordering, CivilDate),
    /// EMAILID
    EmailId(Unique),
    /// THREADID
    ThreadId(u64),
    /// RFC822.SIZE compared with a number.
    Size(Ordering, u64),
    /// `Date:` compared with a day, without regard to time and zone.
    Sent(Ordering, CivilDate),
    /// A field of the envelope contains a text.
    Envelope(EnvelopeField, String),
    /// A header field contains a text.
    Header(String, String),
    /// The body contains a text.
    Body(String),
    /// The header or the body contains a text.
    Text(String),
}

/// Fields that the card knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeField {
    /// `Subject:`
    Subject,
    /// `From:`
    From,
    /// `To:`
    To,
    /// `Cc:`
    Cc,
    /// `Bcc:`
    Bcc,
}

/// How deep keys may stand in one another.
const DEPTH_MAX: usize = 100;

/// The arguments of SEARCH behind its name.
pub fn read(args: &mut Args<'_>) -> Parsed<Key> {
    let mut charset = Charset::Utf8;
    if args.word("CHARSET") {
        if args.dialect().utf8_accept == Utf8Accept::On {
            // RFC 6855 §3: texts are UTF-8 then.
            return Err(Completion::bad("SEARCH takes no CHARSET after ENABLE UTF8=ACCEPT"));
        }
        args.space()?;
        charset = Charset::find(&args.astring()?)?;
        args.space()?;
    }
    let mut reader = Reader { charset, depth: 0 };
    let mut keys = vec![reader.key(args)?];
    while args.eat(b' ') {
        keys.push(reader.key(args)?);
    }
    args.end()?;
    Ok(and(keys))
}

/// In which the texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    /// Also US-ASCII.
    Utf8,
    /// ISO-8859-1.
    Latin1,
}

impl Charset {
    fn find(name: &[u8]) -> Parsed<Self> {
        let known = [("UTF-8", Self::Utf8), ("US-ASCII", Self::Utf8), ("ISO-8859-1", Self::Latin1)];
        let found = known.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        let unknown = Completion::no("Texts to search for come in US-ASCII or UTF-8");
        found
            .map(|(_, charset)| *charset)
            .ok_or(unknown.code("BADCHARSET (US-ASCII UTF-8 ISO-8859-1)"))
    }
}

struct Reader {
    charset: Charset,
    depth: usize,
}

impl Reader {
    fn key(&mut self, args: &mut Args<'_>) -> Parsed<Key> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Completion::bad("The search keys stand too deep in one another"));
        }
        let key = match args.peek() {
            Some(b'(') => self.parentheses(args)?,
            Some(b'*' | b'$' | b'0'..=b'9') => Key::Set(args.sequence_set()?, Numbers::Sequence),
            _ => {
                let word = args.atom()?.to_ascii_uppercase();
                self.word(&word, args)?
            }
        };
        self.depth -= 1;
        Ok(key)
    }

    fn parentheses(&mut self, args: &mut Args<'_>) -> Parsed<Key> {
        args.expect(b'(')?;
        let mut keys = vec![self.key(args)?];
        while args.eat(b' ') {
            keys.push(self.key(args)?);
        }
        args.expect(b')')?;
        Ok(and(keys))
    }

    fn word(&mut self, word: &str, args: &mut Args<'_>) -> Parsed<Key> {
        if let Some(flag) = flag(word) {
            return Ok(Key::Flag(flag));
        }
        if let Some(flag) = word.strip_prefix("UN").and_then(flag) {
            return Ok(not(Key::Flag(flag)));
        }
        match word {
            "ALL" | "SAVEDATESUPPORTED" => return Ok(Key::And(Vec::new())),
            "RECENT" => return Ok(Key::Recent),
            "OLD" => return Ok(not(Key::Recent)),
            "NEW" => return Ok(and(vec![Key::Recent, not(Key::Flag(Flags::SEEN))])),
            _ => {}
        }
        if !args.eat(b' ') {
            let text = "SEARCH does not know this key, or it lacks its argument";
            return Err(Completion::bad(text));
        }
        match word {
            "NOT" => Ok(not(self.key(args)?)),
            "OR" => self.or(args),
            "UID" => Ok(Key::Set(args.sequence_set()?, Numbers::Uid)),
            "KEYWORD" => Ok(Key::Keyword(args.atom()?.to_owned())),
            "UNKEYWORD" => Ok(not(Key::Keyword(args.atom()?.to_owned()))),
            "BEFORE" => Ok(Key::Date(Ordering::Less, args.date()?)),
            "ON" => Ok(Key::Date(Ordering::Equal, args.date()?)),
            "SINCE" => Ok(not(Key::Date(Ordering::Less, args.date()?))),
            "OLDER" => Ok(Key::Age(Ordering::Less, seconds(args)?)),
            "YOUNGER" => Ok(Key::Age(Ordering::Greater, seconds(args)?)),
            "SAVEDBEFORE" => Ok(Key::Saved(Ordering::Less, args.date()?)),
            "SAVEDON" => Ok(Key::Saved(Ordering::Equal, args.date()?)),
            "SAVEDSINCE" => Ok(not(Key::Saved(Ordering::Less, args.date()?))),
            "EMAILID" => {
                Ok(object_id::read(args, 'e')?.map_or_else(nothing, |id| Key::EmailId(Unique(id))))
            }
            "THREADID" => Ok(object_id::read(args, 't')?.map_or_else(nothing, Key::ThreadId)),
            "SENTBEFORE" => Ok(Key::Sent(Ordering::Less, args.date()?)),
            "SENTON" => Ok(Key::Sent(Ordering::Equal, args.date()?)),
            "SENTSINCE" => {
                let day = args.date()?;
                Ok(Key::Or(vec![
                    Key::Sent(Ordering::Equal, day),
                    Key::Sent(Ordering::Greater, day),
                ]))
            }
            "LARGER" => Ok(Key::Size(Ordering::Greater, args.number64()?)),
            "SMALLER" => Ok(Key::Size(Ordering::Less, args.number64()?)),
            "SUBJECT" => self.envelope(EnvelopeField::Subject, args),
            "FROM" => self.envelope(EnvelopeField::From, args),
            "TO" => self.envelope(EnvelopeField::To, args),
            "CC" => self.envelope(EnvelopeField::Cc, args),
            "BCC" => self.envelope(EnvelopeField::Bcc, args),
            "BODY" => Ok(Key::Body(self.text(args)?)),
            "TEXT" => Ok(Key::Text(self.text(args)?)),
            "HEADER" => {
                let name = String::from_utf8_lossy(&args.astring()?).into_owned();
                args.space()?;
                Ok(Key::Header(name, self.text(args)?))
            }
            "MODSEQ" => mod_seq(args),
            _ => Err(Completion::bad("SEARCH does not know this key")),
        }
    }

    /// Behind `OR` and its blank. A chain of OR is read without going deeper: clients make long ones.
    fn or(&mut self, args: &mut Args<'_>) -> Parsed<Key> {
        let mut keys = vec![self.key(args)?];
        args.space()?;
        while args.word("OR") {
            args.space()?;
            keys.push(self.key(args)?);
            args.space()?;
        }
        keys.push(self.key(args)?);
        keys.sort_by_key(Key::cost);
        Ok(Key::Or(keys))
    }

    fn envelope(&self, field: EnvelopeField, args: &mut Args<'_>) -> Parsed<Key> {
        Ok(Key::Envelope(field, self.text(args)?))
    }

    fn text(&self, args: &mut Args<'_>) -> Parsed<String> {
        let text = args.astring()?;
        let text: Cow<'_, str> = match self.charset {
            Charset::Utf8 => String::from_utf8_lossy(&text),
            Charset::Latin1 => to_utf8(Some(b"iso-8859-1"), &text),
        };
        Ok(fold(&text))
    }
}

/// The key that no message fits.
const fn nothing() -> Key {
    Key::Or(Vec::new())
}

/// `nz-number` of RFC 5032 §3.
fn seconds(args: &mut Args<'_>) -> Parsed<u32> {
    match args.number()? {
        0 => Err(Completion::bad("An age has at least one second")),
        seconds => Ok(seconds),
    }
}

fn flag(word: &str) -> Option<Flags> {
    match word {
        "ANSWERED" => Some(Flags::ANSWERED),
        "DELETED" => Some(Flags::DELETED),
        "DRAFT" => Some(Flags::DRAFT),
        "FLAGGED" => Some(Flags::FLAGGED),
        "SEEN" => Some(Flags::SEEN),
        _ => None,
    }
}

/// `MODSEQ "/flags/\\draft" all 620162338`: there is one MODSEQ for all metadata of a message, so the name is read over.
fn mod_seq(args: &mut Args<'_>) -> Parsed<Key> {
    if args.peek() == Some(b'"') {
        args.string()?;
        args.space()?;
        if !["PRIV", "SHARED", "ALL"].into_iter().any(|word| args.word(word)) {
            return Err(Completion::bad("MODSEQ of an entry is priv, shared or all"));
        }
        args.space()?;
    }
    Ok(Key::ModSeq(ModSeq(args.number64()?)))
}

fn and(mut keys: Vec<Key>) -> Key {
    keys.sort_by_key(Key::cost);
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        Some(last) => {
            keys.push(last);
            Key::And(keys)
        }
        None => Key::And(keys),
    }
}

fn not(key: Key) -> Key {
    match key {
        Key::Not(inner) => *inner,
        key => Key::Not(Box::new(key)),
    }
}

/// What must be at hand to try a key; a later one takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// It is in memory.
    Memory,
    /// A row of the index.
    Row,
    /// The message's card.
    Card,
    /// The header must be read.
    Header,
    /// All of it must be read.
    Message,
}

impl Key {
    /// Must more be looked at than memory and the index?
    pub fn is_slow(&self) -> bool {
        self.cost() > Cost::Row
    }

    /// What must be at hand to try it.
    fn cost(&self) -> Cost {
        match self {
            Self::And(keys) | Self::Or(keys) => {
                keys.iter().map(Self::cost).max().unwrap_or(Cost::Memory)
            }
            Self::Not(key) => key.cost(),
            Self::Set(..) | Self::Flag(_) | Self::Keyword(_) | Self::Recent | Self::ModSeq(_) => {
                Cost::Memory
            }
            Self::Date(..) | Self::Age(..) | Self::Saved(..) | Self::Size(..) => Cost::Row,
            Self::EmailId(_) | Self::ThreadId(_) => Cost::Row,
            Self::Sent(..) | Self::Envelope(..) => Cost::Card,
            Self::Header(..) => Cost::Header,
            Self::Body(_) | Self::Text(_) => Cost::Message,
        }
    }

    /// Does it ask for MODSEQ anywhere?
    pub fn asks_mod_seq(&self) -> bool {
        self.has(|key| matches!(key, Self::ModSeq(_)))
    }

    /// Does it name messages by number anywhere?
    pub fn names_numbers(&self) -> bool {
        self.has(|key| matches!(key, Self::Set(_, Numbers::Sequence)))
    }

    fn has(&self, wanted: fn(&Self) -> bool) -> bool {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().any(|key| key.has(wanted)),
            Self::Not(key) => key.has(wanted),
            key => wanted(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Key, read};
    use crate::imap::args::Args;
    use crate::maildir::Flags;

    fn key(text: &str) -> Option<Key> {
        read(&mut Args::new(text.as_bytes())).ok()
    }

    #[test]
    fn keys_are_sorted_by_what_they_cost() {
        let Some(Key::And(keys)) = key("TEXT x SMALLER 5 UNSEEN FROM a HEADER b c") else {
            panic!()
        };
        let costs: Vec<Cost> = keys.iter().map(Key::cost).collect();
        assert_eq!(costs, [Cost::Memory, Cost::Row, Cost::Card, Cost::Header, Cost::Message]);
        assert_eq!(key("NOT NOT UNDRAFT"), Some(Key::Not(Box::new(Key::Flag(Flags::DRAFT)))));
        assert_eq!(key("(ALL)"), Some(Key::And(vec![])));
    }

    #[test]
    fn a_chain_of_or_is_flat_and_deep_keys_are_refused() {
        let chain = format!("{}ALL", "OR SEEN ".repeat(1000));
        assert!(matches!(key(&chain), Some(Key::Or(keys)) if keys.len() == 1001));
        assert_eq!(key(&format!("{}SEEN{}", "OR ".repeat(1000), " ALL".repeat(1000))), None);
        assert_eq!(key(&format!("{}ALL{}", "(".repeat(1000), ")".repeat(1000))), None);
    }

    #[test]
    fn malformed_keys_are_refused() {
        for bad in [
            "",
            "SEEN ",
            "NONSENSE",
            "OR SEEN",
            "(SEEN",
            "BEFORE 31-Feb-2020",
            "LARGER x",
            "OLDER 0",
            "YOUNGER -1",
            "SAVEDON",
            "EMAILID a.b",
            "KEYWORD",
            "HEADER a",
            "1,",
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert!(key("CHARSET UTF-8 SUBJECT {2}\r\n\u{fc}").is_some());
        assert_eq!(
            read(&mut Args::new(b"CHARSET KLINGON ALL")).unwrap_err().code.unwrap(),
            "BADCHARSET (US-ASCII UTF-8 ISO-8859-1)"
        );
    }
}
