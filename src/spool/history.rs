//! What has been tried, a line each at the end of a queue file. It is not synced: what a power cut takes of it costs a try
//! that comes early, and a line in a report.

use crate::base::Timestamp;
use std::fmt::Write;

/// One try, for recipients that fared alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// When it ended.
    pub at: Timestamp,
    /// Places in the envelope's list.
    pub recipients: Vec<usize>,
    /// The server that answered, if one did.
    pub host: Option<String>,
    /// What it said, or what was wrong.
    pub result: String,
    /// Was anything given away, or was it kept from a server that did not prove what it must?
    pub handed: Handed,
}

/// Was a message given to the server?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handed {
    /// As far as it let us.
    #[default]
    Over,
    /// Nothing of it: another way may prove less, so such tries do not count towards one.
    Withheld,
}

/// After the recipients of a try by which nothing was handed over.
const WITHHELD: char = '!';

/// Bytes of a result that are kept.
const RESULT_LEN_MAX: usize = 1000;

impl Try {
    /// The line.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} ", self.at.micros());
        for (place, recipient) in self.recipients.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{recipient}", if place > 0 { "," } else { "" });
        }
        if self.handed == Handed::Withheld {
            text.push(WITHHELD);
        }
        let host = self.host.as_deref().unwrap_or("-");
        let _ = write!(text, " {} ", host.replace(|c: char| c.is_whitespace(), "?"));
        let shown = self.result.chars().take(RESULT_LEN_MAX);
        text.extend(shown.map(|c| if c.is_control() { ' ' } else { c }));
        text.push('\n');
        text
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let at = Timestamp::from_micros(words.next()?.parse().ok()?);
        let places = words.next()?;
        let (places, handed) = match places.strip_suffix(WITHHELD) {
            Some(places) => (places, Handed::Withheld),
            None => (places, Handed::Over),
        };
        let recipients = places.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let host = Some(words.next()?).filter(|host| *host != "-").map(str::to_owned);
        Some(Self { at, recipients, host, result: words.next()?.to_owned(), handed })
    }

    /// All that can be read of a file's end.
    pub(super) fn parse_all(bytes: &[u8]) -> Vec<Self> {
        // Only what has a line end was written whole.
        let lines = bytes.split_inclusive(|&b| b == b'\n').filter_map(|l| l.strip_suffix(b"\n"));
        lines.filter_map(|line| Self::parse(std::str::from_utf8(line).ok()?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Handed, Timestamp, Try};

    #[test]
    fn lines_read_back_and_a_torn_one_is_left_out() {
        let known = Try {
            at: Timestamp::from_seconds(1_700_000_000),
            recipients: vec![0, 12],
            host: Some("mx.else.example[192.0.2.1]".into()),
            result: "451 4.2.0 come\r\nback later".into(),
            handed: Handed::Withheld,
        };
        let unknown =
            Try { host: None, recipients: vec![3], result: "no route".into(), ..known.clone() };
        let text = known.text() + "\0\0\0\0\n" + &unknown.text() + "1700000000";
        let read = Try::parse_all(text.as_bytes());
        let shown = Try { result: "451 4.2.0 come  back later".into(), ..known };
        assert_eq!(read, [shown, unknown]);
    }
}
