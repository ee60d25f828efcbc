//! Reads a transcript.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A line of a text that does something, and where it stands.
pub struct Line {
    pub number: usize,
    pub what: What,
}

pub enum What {
    /// Bytes from the client.
    Client(Vec<u8>),
    /// In this order.
    Server(String),
    /// In any order before the next plain line.
    AnyOrder(String),
    /// Not before the next plain line.
    Never(String),
    Wait(Duration),
    Tls,
    Close,
    Closed,
    Delivered(String),
}

pub struct Text {
    pub path: PathBuf,
    pub given: Vec<String>,
    pub lines: Vec<Line>,
}

pub fn read(path: &Path) -> Text {
    let raw = std::fs::read_to_string(path).unwrap();
    assert!(raw.starts_with("# "), "{}: the first line says what is shown", path.display());
    let (mut given, mut lines) = (Vec::new(), Vec::new());
    let mut delivered: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(raw.lines()) {
        if let Some((at, text)) = &mut delivered {
            if line == "-- end" {
                lines.push(Line { number: *at, what: What::Delivered(std::mem::take(text)) });
                delivered = None;
            } else {
                text.push_str(line);
                text.push_str("\r\n");
            }
            continue;
        }
        let what = if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(word) = line.strip_prefix("given ") {
            given.push(word.to_owned());
            continue;
        } else if line == "-- delivered" {
            delivered = Some((number, String::new()));
            continue;
        } else {
            one(line)
                .unwrap_or_else(|| panic!("{}:{number}: not understood: {line}", path.display()))
        };
        lines.push(Line { number, what });
    }
    assert!(delivered.is_none(), "{}: -- end is missing", path.display());
    Text { path: path.to_owned(), given, lines }
}

fn one(line: &str) -> Option<What> {
    let after =
        |front: &str| line.strip_prefix(front).map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
    if let Some(text) = after("C\\:") {
        return unescape(text).map(What::Client);
    }
    if let Some(text) = after("C:") {
        return Some(What::Client(format!("{text}\r\n").into_bytes()));
    }
    if let Some(text) = after("S:") {
        return Some(What::Server(text.to_owned()));
    }
    if let Some(text) = after("S*") {
        return Some(What::AnyOrder(text.to_owned()));
    }
    if let Some(text) = after("S!") {
        return Some(What::Never(text.to_owned()));
    }
    match line.strip_prefix("-- ")? {
        "tls" => Some(What::Tls),
        "close" => Some(What::Close),
        "closed" => Some(What::Closed),
        other => wait(other.strip_prefix("wait ")?).map(What::Wait),
    }
}

fn wait(text: &str) -> Option<Duration> {
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
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}
