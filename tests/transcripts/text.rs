//! Reads a transcript.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A line of a text that does something, and where it stands.
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Which connection: 0 is the first.
    pub side: usize,
    pub what: What,
}

pub enum What {
    /// Bytes from the client.
    Client(Vec<u8>),
    /// In this order.
    Server(Vec<u8>),
    /// In any order before the next plain line.
    AnyOrder(Vec<u8>),
    /// Not before the next plain line.
    Never(Vec<u8>),
    /// Whatever else comes before the next plain line.
    Others,
    Wait(Duration),
    Tls,
    Close,
    Closed,
    Delivered(Vec<u8>),
    /// A word of the protocol's own.
    Own(String),
}

/// Where a text comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Ours,
    Rfc,
}

pub struct Text {
    pub path: PathBuf,
    pub source: Source,
    pub given: Vec<String>,
    pub lines: Vec<Line>,
    /// Lines of the file.
    pub len: usize,
}

pub fn read(path: &Path) -> Text {
    let raw = std::fs::read_to_string(path).unwrap();
    assert!(raw.starts_with("# "), "{}: the first line says what is shown", path.display());
    let source = if raw.starts_with("# rfc ") { Source::Rfc } else { Source::Ours };
    let (mut given, mut lines) = (Vec::new(), Vec::new());
    let mut delivered: Option<(usize, Vec<u8>)> = None;
    for (number, line) in (1..).zip(raw.lines()) {
        if let Some((at, text)) = &mut delivered {
            if line == "-- end" {
                let what = What::Delivered(std::mem::take(text));
                lines.push(Line { number: *at, side: 0, what });
                delivered = None;
            } else {
                text.extend_from_slice(line.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(word) = line.strip_prefix("given ") {
            given.push(word.to_owned());
        } else if line == "-- delivered" {
            delivered = Some((number, Vec::new()));
        } else {
            let (side, what) = one(&turned(line, path))
                .unwrap_or_else(|| panic!("{}:{number}: not understood: {line}", path.display()));
            lines.push(Line { number, side, what });
        }
    }
    assert!(delivered.is_none(), "{}: -- end is missing", path.display());
    Text { path: path.to_owned(), source, given, lines, len: raw.lines().count() }
}

/// Where the machine is the client, what the server says is given.
fn turned(line: &str, path: &Path) -> String {
    let client = path.parent().is_some_and(|folder| folder.ends_with("smtp_client"));
    match (line.split_at_checked(1), client) {
        (Some(("C", rest)), true) => format!("S{rest}"),
        (Some(("S", rest)), true) => format!("C{rest}"),
        _ => line.to_owned(),
    }
}

fn one(line: &str) -> Option<(usize, What)> {
    if let Some(word) = line.strip_prefix("-- ") {
        return directive(word);
    }
    let (who, rest) = line.split_at_checked(1)?;
    let (side, rest) = match rest.strip_prefix(|c: char| c.is_ascii_digit()) {
        Some(after) => (rest[..1].parse::<usize>().ok()?.checked_sub(1)?, after),
        None => (0, rest),
    };
    let marks = ["\\:", ":", "*", "!", "~"];
    let (mark, text) = marks.iter().find_map(|mark| Some((*mark, rest.strip_prefix(mark)?)))?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    let what = match (who, mark) {
        ("C", "\\:") => What::Client(unescape(text)?),
        ("C", ":") => What::Client(format!("{text}\r\n").into_bytes()),
        ("S", "\\:") => What::Server(unescape(text)?),
        ("S", ":") => What::Server(text.into()),
        ("S", "*") => What::AnyOrder(text.into()),
        ("S", "!") => What::Never(text.into()),
        ("S", "~") => What::Others,
        _ => return None,
    };
    Some((side, what))
}

fn directive(word: &str) -> Option<(usize, What)> {
    if let Some(time) = word.strip_prefix("wait ") {
        return Some((0, What::Wait(duration(time)?)));
    }
    let (name, side) = match word.split_once(' ') {
        Some((name, number)) => (name, number.parse::<usize>().ok().and_then(|n| n.checked_sub(1))),
        None => (word, Some(0)),
    };
    Some(match (name, side) {
        ("tls", Some(side)) => (side, What::Tls),
        ("close", Some(side)) => (side, What::Close),
        ("closed", Some(side)) => (side, What::Closed),
        _ => (0, What::Own(word.to_owned())),
    })
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        "h" => Some(Duration::from_secs(number * 3600)),
        _ => None,
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest, mut times) = (Vec::new(), text.bytes(), 1);
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next()? {
                b'r' => b'\r',
                b'n' => b'\n',
                b'\\' => b'\\',
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                b'{' => {
                    let digits: Vec<u8> = rest.by_ref().take_while(|b| *b != b'}').collect();
                    times = std::str::from_utf8(&digits).ok()?.parse().ok()?;
                    continue;
                }
                _ => return None,
            },
            plain => plain,
        };
        out.extend(std::iter::repeat_n(byte, times));
        times = 1;
    }
    Some(out)
}
