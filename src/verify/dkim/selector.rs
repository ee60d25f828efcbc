//! A selector: which of a domain's keys signed (RFC 6376 §3.1). Whoever names key files controls the input.

use super::key::Algorithm;
use crate::mail::CivilDate;
use std::fmt;

/// One DNS label in lower case; we make no longer ones, though RFC 6376 knows selectors with dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector(String);

const LABEL_LEN_MAX: usize = 63;

impl Selector {
    /// Reads `e20261128`. `None` if it is no label.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edge = text.starts_with('-') || text.ends_with('-');
        let fits = (1..=LABEL_LEN_MAX).contains(&text.len());
        (fits && !edge && text.bytes().all(valid)).then(|| Self(text.to_owned()))
    }

    /// For a key that is made on this day: a letter for its type, the day, and from the second of a day on its number.
    pub fn dated(algorithm: Algorithm, day: CivilDate, number: u32) -> Self {
        let letter = match algorithm {
            Algorithm::RsaSha256 => 'r',
            Algorithm::Ed25519Sha256 => 'e',
        };
        let day = format!("{letter}{:04}{:02}{:02}", day.year(), day.month(), day.day());
        Self(if number > 1 { format!("{day}-{number}") } else { day })
    }

    /// As it stands in DNS.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels that its record has before the domain: `e20261128._domainkey` (RFC 6376 §3.6.2.1).
    pub fn labels(&self) -> String {
        format!("{}._domainkey", self.0)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, CivilDate, Selector};

    #[test]
    fn one_label() {
        let day = CivilDate::new(2026, 3, 1).unwrap();
        let dated = |number| Selector::dated(Algorithm::RsaSha256, day, number);
        assert_eq!(dated(1).as_str(), "r20260301");
        assert_eq!(Selector::parse("r20260301-12"), Some(dated(12)));
        assert_eq!(Selector::parse("e20261128-2").unwrap().labels(), "e20261128-2._domainkey");
        for text in ["", "-a", "a-", "a.b", "A", "a;b", "../a", "ä", &"a".repeat(64)] {
            assert_eq!(Selector::parse(text), None, "{text}");
        }
    }
}
