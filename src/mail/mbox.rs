//! What stands in an mbox file beside the messages (RFC 4155): the `From ` line that begins each, the `>` that keeps a
//! line of a message from looking like one, and the fields in which mail programs note flags. Whoever wrote the file
//! controls the input; a line that is not understood is part of the message.

use super::date::{Date, parse_date};
use super::header::{Fields, unfold};
use crate::base::Timestamp;
use std::collections::BTreeSet;

/// Flags and keywords by the fields of a message's header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Flags, as the letters of a Maildir name: DFPRST.
    pub letters: BTreeSet<char>,
    /// Is it a message at all?
    pub is: Is,
    /// X-Keywords and X-Mozilla-Keys.
    pub keywords: Vec<String>,
}

/// What stands between two `From ` lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Is {
    /// A message.
    #[default]
    Message,
    /// What an IMAP server notes for itself as the first message of a file (X-IMAP), or a message that was deleted in
    /// Thunderbird and is only not yet cut out of the file (bit 3 of X-Mozilla-Status).
    NoMessage,
}

/// A line that begins a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The message came then.
    Dated(Date),
    /// The line does not say when.
    Undated,
}

/// Letters of Status and X-Status, and those of a Maildir that say the same.
const STATUS: [(&str, char, char); 5] = [
    ("Status", 'R', 'S'),
    ("X-Status", 'A', 'R'),
    ("X-Status", 'F', 'F'),
    ("X-Status", 'T', 'D'),
    ("X-Status", 'D', 'T'),
];
/// Bits of X-Mozilla-Status, likewise.
const MOZILLA: [(u32, char); 4] = [(1, 'S'), (1 << 1, 'R'), (1 << 2, 'F'), (1 << 12, 'P')];
const MOZILLA_EXPUNGED: u32 = 1 << 3;

/// Fields that the program which wrote the file added for itself: they are read, and are no part of the message. That
/// they may change must not make it another message.
const OWN_FIELDS: [&str; 10] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "Content-Length",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
];

/// Reads a line that begins a message; `None` for one that does not. `after_blank`: it is the first of the file, or the
/// line before it is empty. Text that was not quoted may begin with `From ` too, so the line must have a date, or nothing
/// behind a dash, as some versions of Thunderbird wrote it.
pub fn from_line(line: &[u8], after_blank: bool) -> Option<Begin> {
    let rest = line.strip_prefix(b"From ").filter(|_| after_blank)?.trim_ascii();
    if matches!(rest, b"" | b"-") {
        return Some(Begin::Undated);
    }
    let words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    // Some programs write a zone, before the year or behind it.
    let (zones, words): (Vec<&[u8]>, Vec<_>) = words.partition(|word| zone(word).is_some());
    // The sender may have blanks in it: the date is the last five words.
    let from = words.len().checked_sub(5).filter(|from| *from > 0)?;
    let mut date = parse_date(&words.get(from..)?.join(&b' '))?;
    if let Some(minutes) = zones.last().and_then(|word| zone(word)) {
        date.zone_minutes = minutes;
        date.at = Timestamp::from_seconds(date.at.seconds() - i64::from(minutes) * 60);
    }
    Some(Begin::Dated(date))
}

/// Minutes east of `+0200`.
fn zone(word: &[u8]) -> Option<i16> {
    let (sign, digits) = word.split_first()?;
    let number: i16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let minutes = number / 100 * 60 + number % 100;
    match sign {
        b'+' if digits.len() == 4 && minutes < 24 * 60 => Some(minutes),
        b'-' if digits.len() == 4 && minutes < 24 * 60 => Some(-minutes),
        _ => None,
    }
}

/// A line of a message as it was before it was quoted (mboxrd): `>From ` was `From `, `>>From ` was `>From `.
pub fn unquoted(line: &[u8]) -> &[u8] {
    let bare = line.iter().position(|&b| b != b'>').unwrap_or(line.len());
    match line.get(bare..) {
        Some(rest) if bare > 0 && rest.starts_with(b"From ") => line.get(1..).unwrap_or_default(),
        Some(_) | None => line,
    }
}

/// Takes the fields of the writing program out of a header, which ends with its empty line or without it: the rest, and
/// what they said.
pub fn read_header(header: &[u8]) -> (Vec<u8>, Marks) {
    let mut marks = Marks::default();
    let (mut rest, mut read) = (Vec::with_capacity(header.len()), 0);
    for field in Fields::new(header) {
        read += field.raw.len();
        if !OWN_FIELDS.iter().any(|name| field.is(name)) {
            rest.extend_from_slice(field.raw);
            continue;
        }
        let value = unfold(field.value);
        let value = String::from_utf8_lossy(&value);
        let value = value.trim();
        let letters =
            STATUS.iter().filter(|(name, letter, _)| field.is(name) && value.contains(*letter));
        marks.letters.extend(letters.map(|(.., ours)| *ours));
        if field.is("X-Mozilla-Status") {
            let bits = u32::from_str_radix(value, 16).unwrap_or(0);
            let set = MOZILLA.iter().filter(|(bit, _)| bits & bit != 0);
            marks.letters.extend(set.map(|(_, letter)| *letter));
            if bits & MOZILLA_EXPUNGED != 0 {
                marks.is = Is::NoMessage;
            }
        } else if field.is("X-Keywords") || field.is("X-Mozilla-Keys") {
            marks.keywords.extend(value.split_whitespace().map(str::to_owned));
        } else if field.is("X-IMAP") {
            marks.is = Is::NoMessage;
        }
    }
    rest.extend_from_slice(header.get(read..).unwrap_or_default());
    (rest, marks)
}

/// When a message came, where the `From ` line does not say: the time of the newest Received field, else its Date.
pub fn date_of(header: &[u8]) -> Option<Date> {
    let received = Fields::new(header).find(|field| field.is("Received")).and_then(|field| {
        let at = field.value.iter().rposition(|&b| b == b';')?;
        parse_date(field.value.get(at + 1..)?)
    });
    let written = || Fields::new(header).find(|field| field.is("Date"));
    received.or_else(|| written().and_then(|field| parse_date(field.value)))
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, Begin, Is, date_of, from_line, read_header, unquoted};

    #[test]
    fn lines_that_begin_a_message() {
        let at = |line: &[u8]| match from_line(line, true) {
            Some(Begin::Dated(date)) => Some(date.at.seconds()),
            Some(Begin::Undated) => Some(0),
            None => None,
        };
        assert_eq!(at(b"From a@b Sat Jul 17 02:44:25 2010"), Some(1_279_334_665));
        assert_eq!(at(b"From - Sat Jul 17 02:44:25 2010\r\n"), Some(1_279_334_665));
        assert_eq!(at(b"From \"a b\"@c Sat Jul 17 02:44:25 2010"), Some(1_279_334_665));
        assert_eq!(at(b"From a@b Sat Jul 17 02:44:25 2010 +0200"), Some(1_279_327_465));
        assert_eq!(at(b"From a@b Sat Jul 17 02:44:25 +0200 2010"), Some(1_279_327_465));
        assert_eq!(at(b"From -\n"), Some(0));
        for text in [&b"From here on it is easy"[..], b"From:x", b"from a Sat Jul 17 02:44:25 2010"]
        {
            assert_eq!(at(text), None, "{text:?}");
        }
        assert_eq!(from_line(b"From a@b Sat Jul 17 02:44:25 2010", false), None);
    }

    #[test]
    fn quoting_is_taken_off_once() {
        for (line, plain) in [
            (&b">From x"[..], &b"From x"[..]),
            (b">>From x", b">From x"),
            (b"> From x", b"> From x"),
            (b">>", b">>"),
            (b"", b""),
        ] {
            assert_eq!(unquoted(line), plain);
        }
    }

    #[test]
    fn fields_of_the_writing_program_are_read_and_go() {
        let header = b"Subject: x\r\nStatus: RO\r\nX-Status: AF\r\nX-Keywords: Blau  $Junk \r\n\
            X-Mozilla-Status: 1000\r\nTo: y\r\n\r\n";
        let (rest, marks) = read_header(header);
        assert_eq!(rest, b"Subject: x\r\nTo: y\r\n\r\n");
        assert_eq!(marks.letters, BTreeSet::from(['F', 'P', 'R', 'S']));
        assert_eq!(marks.is, Is::Message);
        assert_eq!(marks.keywords, ["Blau", "$Junk"]);
        for none in [&b"X-IMAP: 1 2\n\n"[..], b"X-Mozilla-Status: 0009\n\n"] {
            assert_eq!(read_header(none).1.is, Is::NoMessage);
        }
    }

    #[test]
    fn dates_of_a_header() {
        let header = b"Received: a; Sat, 17 Jul 2010 02:44:25 +0000\r\nReceived: b; 1 Jan 2000 00:00:00 +0000\r\n\r\n";
        assert_eq!(date_of(header).unwrap().at.seconds(), 1_279_334_665);
        assert_eq!(
            date_of(b"Date: 17 Jul 2010 02:44:25 +0000\n\n").unwrap().at.seconds(),
            1_279_334_665
        );
        assert_eq!(date_of(b"Subject: x\n\n"), None);
    }
}
