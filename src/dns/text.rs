//! Records as zone files write them (RFC 1035 §5.1). What is written goes to people and their zones, where the text of a
//! TXT record may have come from anyone; what is read comes from tests.

use super::name::Name;
use super::record::{Kind, Mx, Record, Srv, Tlsa};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::fmt::{self, Write};
use std::str::FromStr;

/// RFC 1035 §3.3: a string has a byte for its length.
const STRING_LEN_MAX: usize = 255;

const KINDS: [(&str, Kind); 10] = [
    ("A", Kind::A),
    ("AAAA", Kind::Aaaa),
    ("MX", Kind::Mx),
    ("TXT", Kind::Txt),
    ("PTR", Kind::Ptr),
    ("TLSA", Kind::Tlsa),
    ("SRV", Kind::Srv),
    ("CAA", Kind::Caa),
    ("NS", Kind::Ns),
    ("SOA", Kind::Soa),
];

impl Kind {
    /// Reads `MX`; `None` if it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = KINDS.iter().find(|(_, kind)| kind == self);
        f.pad(row.map_or("", |(word, _)| word))
    }
}

/// The data alone, after name and kind: `10 mail.example.org.`, `"v=spf1 -all"`. Names have their last dot, so that no
/// origin is put behind them. Of a SOA only what we keep, the primary server and the serial.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Mx(Mx { preference, exchange }) => {
                write!(f, "{preference} {}", Absolute(exchange))
            }
            Self::Txt(text) if text.is_empty() => f.write_str("\"\""),
            Self::Txt(text) => {
                for (number, piece) in text.chunks(STRING_LEN_MAX).enumerate() {
                    f.write_str(if number == 0 { "" } else { " " })?;
                    quote(f, piece)?;
                }
                Ok(())
            }
            Self::Ptr(name) | Self::Ns(name) => Absolute(name).fmt(f),
            Self::Tlsa(Tlsa { usage, selector, matching, data }) => {
                let data = HEXLOWER_PERMISSIVE.encode(data);
                write!(f, "{usage} {selector} {matching} {data}")
            }
            Self::Srv(Srv { priority, weight, port, target }) => {
                write!(f, "{priority} {weight} {port} {}", Absolute(target))
            }
            Self::Caa(flags, tag, value) => {
                write!(f, "{flags} {tag} ")?;
                quote(f, value)
            }
            Self::Soa(primary, serial) => write!(f, "{} {serial}", Absolute(primary)),
        }
    }
}

/// With the dot at its end.
struct Absolute<'a>(&'a Name);

impl fmt::Display for Absolute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.0.as_str())
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &byte in text {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            b' '..=b'~' => f.write_char(char::from(byte))?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    f.write_char('"')
}

/// A word of a line, or what stands in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Without quotes.
    Plain(String),
    /// In quotes, which are taken away, as are the backslashes in it.
    Quoted(Vec<u8>),
}

impl Word {
    /// As a word without quotes.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Quoted(_) => None,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Quoted(bytes) => bytes,
        }
    }
}

/// The words of a line, and the comment after them without its semicolon; `None` if a quote is not closed.
pub fn words(line: &str) -> Option<(Vec<Word>, Option<&str>)> {
    let (mut rest, mut words) = (line.trim_start(), Vec::new());
    loop {
        match rest.chars().next() {
            None => return Some((words, None)),
            Some(';') => return Some((words, rest.strip_prefix(';').map(str::trim))),
            Some('"') => {
                let (quoted, after) = unquote(rest.get(1..)?)?;
                words.push(Word::Quoted(quoted));
                rest = after;
            }
            Some(_) => {
                let end = rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                words.push(Word::Plain(word.to_owned()));
                rest = after;
            }
        }
        rest = rest.trim_start();
    }
}

/// What stands before the next quote, and what stands after it.
fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\\'])?;
        let (before, after) = rest.split_at(at);
        bytes.extend(before.bytes());
        if let Some(after) = after.strip_prefix('"') {
            return Some((bytes, after));
        }
        let escaped = after.get(1..)?;
        // `\DDD` is a byte, `\X` is that letter.
        let number = escaped.get(..3).filter(|ddd| ddd.bytes().all(|b| b.is_ascii_digit()));
        let len = match number {
            Some(ddd) => {
                bytes.push(ddd.parse().ok()?);
                ddd.len()
            }
            None => {
                let letter = escaped.chars().next()?;
                bytes.extend(letter.to_string().bytes());
                letter.len_utf8()
            }
        };
        rest = escaped.get(len..)?;
    }
}

impl Record {
    /// Reads the data of a record, as `Display` writes it.
    pub fn parse(kind: Kind, words: &[Word]) -> Option<Self> {
        match (kind, words) {
            (Kind::A, [address]) => number(address).map(Self::A),
            (Kind::Aaaa, [address]) => number(address).map(Self::Aaaa),
            (Kind::Mx, [preference, exchange]) => {
                let preference = number(preference)?;
                Some(Self::Mx(Mx { preference, exchange: name(exchange)? }))
            }
            (Kind::Txt, [_, ..]) => {
                Some(Self::Txt(words.iter().flat_map(Word::bytes).copied().collect()))
            }
            (Kind::Ptr, [host]) => name(host).map(Self::Ptr),
            (Kind::Tlsa, [usage, selector, matching, data @ ..]) => {
                let hex: Vec<u8> = data.iter().flat_map(Word::bytes).copied().collect();
                Some(Self::Tlsa(Tlsa {
                    usage: number(usage)?,
                    selector: number(selector)?,
                    matching: number(matching)?,
                    data: HEXLOWER_PERMISSIVE.decode(&hex).ok()?,
                }))
            }
            (Kind::Srv, [priority, weight, port, target]) => Some(Self::Srv(Srv {
                priority: number(priority)?,
                weight: number(weight)?,
                port: number(port)?,
                target: name(target)?,
            })),
            (Kind::Caa, [flags, tag, value]) => {
                let tag = tag.plain()?.to_owned();
                Some(Self::Caa(number(flags)?, tag, value.bytes().to_vec()))
            }
            (Kind::Ns, [host]) => name(host).map(Self::Ns),
            (Kind::Soa, [primary, serial]) => Some(Self::Soa(name(primary)?, number(serial)?)),
            (
                Kind::A
                | Kind::Aaaa
                | Kind::Mx
                | Kind::Txt
                | Kind::Ptr
                | Kind::Tlsa
                | Kind::Srv
                | Kind::Caa
                | Kind::Ns
                | Kind::Soa,
                _,
            ) => None,
        }
    }
}

fn number<T: FromStr>(word: &Word) -> Option<T> {
    word.plain()?.parse().ok()
}

fn name(word: &Word) -> Option<Name> {
    Name::parse(word.plain()?)
}

#[cfg(test)]
mod tests {
    use super::{Word, words};
    use crate::dns::{Kind, Record};

    #[test]
    fn a_record_is_written_as_it_is_read() {
        let long = format!("\"{}\" \"{}\"", "x".repeat(255), "y".repeat(45));
        for (kind, text) in [
            ("A", "192.0.2.1"),
            ("AAAA", "2001:db8::1"),
            ("MX", "10 mail.example.org."),
            ("MX", "0 ."),
            ("TXT", r#""v=spf1 -all""#),
            ("TXT", r#""a\"b\\c;d \000\255""#),
            ("TXT", "\"\""),
            ("TXT", &long),
            ("PTR", "mail.example.org."),
            ("TLSA", "3 1 1 00ffab"),
            ("SRV", "0 1 993 mail.example.org."),
            ("CAA", "128 issue \"ca.example; account=1\""),
            ("NS", "ns.example.org."),
            ("SOA", "ns.example.org. 2026112801"),
        ] {
            let (read, comment) = words(text).unwrap();
            let kind_read = Kind::parse(kind).unwrap();
            assert_eq!((kind_read.to_string().as_str(), comment), (kind, None));
            let record = Record::parse(kind_read, &read).unwrap();
            assert_eq!(record.to_string(), text);
        }
    }

    #[test]
    fn other_ways_to_write_the_same() {
        let txt = |text| Record::parse(Kind::Txt, &words(text).unwrap().0);
        assert_eq!(txt(r#""a\098" c "" "d"; "e""#), txt("abcd"));
        assert_eq!(txt(r#""ü""#), Some(Record::Txt("ü".into())));
        assert_eq!(words(" a ;  b ").unwrap(), (vec![Word::Plain("a".into())], Some("b")));
        for open in ["\"", "\"a", "\"a\\", "\"a\\\"", "\"\\999\"", "a \"b"] {
            assert_eq!(words(open), None, "{open}");
        }
        for (kind, text) in [
            (Kind::A, "192.0.2"),
            (Kind::A, "192.0.2.1 2"),
            (Kind::Mx, "mail.example.org"),
            (Kind::Mx, "70000 a"),
            (Kind::Tlsa, "3 1 1 0"),
            (Kind::Txt, ""),
        ] {
            assert_eq!(Record::parse(kind, &words(text).unwrap().0), None, "{text}");
        }
    }
}
