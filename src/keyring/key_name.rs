//! The name of a key's file, which says all that is known of the key: `r20261128.rsa.current.1795824000.pem`. Whoever may
//! write into the data folder controls it.

use crate::base::Timestamp;
use crate::mail::CivilDate;
use crate::verify::dkim::{Algorithm, Selector, Standing};
use std::fmt;

/// What the name of a key's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// The key's name in DNS.
    pub selector: Selector,
    /// How it signs.
    pub algorithm: Algorithm,
    /// How far it is in its life.
    pub standing: Standing,
    /// Since when, to the second.
    pub since: Timestamp,
}

impl KeyName {
    /// Reads a file's name; `None` for one that is no key's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_suffix(".pem")?.split('.');
        let selector = Selector::parse(parts.next()?)?;
        let key_type = parts.next()?;
        let algorithm = Algorithm::ALL.into_iter().find(|one| one.key_type() == key_type)?;
        let standing = parts.next()?;
        let all = [Standing::Next, Standing::Current, Standing::Retired];
        let standing = all.into_iter().find(|one| one.to_string() == standing)?;
        let since = Timestamp::from_seconds(parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { selector, algorithm, standing, since })
    }

    /// For a new key; none of `others` has its selector.
    pub fn fresh(
        algorithm: Algorithm,
        standing: Standing,
        now: Timestamp,
        others: &[Self],
    ) -> Self {
        let day = CivilDate::from_days(now.seconds().div_euclid(86_400));
        let mut number = 1;
        let mut selector = Selector::dated(algorithm, day, number);
        while others.iter().any(|other| other.selector == selector) {
            number += 1;
            selector = Selector::dated(algorithm, day, number);
        }
        Self { selector, algorithm, standing, since: Timestamp::from_seconds(now.seconds()) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selector, algorithm, standing, since } = self;
        write!(f, "{selector}.{}.{standing}.{}.pem", algorithm.key_type(), since.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, KeyName, Standing, Timestamp};

    #[test]
    fn names_are_read_as_they_are_written() {
        let now = Timestamp::from_micros(1_795_824_000_123_456);
        let first = KeyName::fresh(Algorithm::RsaSha256, Standing::Next, now, &[]);
        assert_eq!(first.to_string(), "r20261128.rsa.next.1795824000.pem");
        assert_eq!(KeyName::parse(&first.to_string()), Some(first.clone()));
        for text in [
            "r20261128.rsa.next.1795824000",
            "r20261128.rsa.next.pem",
            "r20261128.dsa.next.1795824000.pem",
            "r20261128.rsa.lost.1795824000.pem",
            "r20261128.rsa.next.soon.pem",
            "r20261128.rsa.next.1795824000.x.pem",
            "R.rsa.next.1.pem",
            "r20261128.new",
        ] {
            assert_eq!(KeyName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn any_number_of_keys_a_day() {
        let now = Timestamp::from_seconds(1_795_824_000);
        let mut names = Vec::new();
        for text in ["e20261128", "e20261128-2", "e20261128-3"] {
            let fresh = KeyName::fresh(Algorithm::Ed25519Sha256, Standing::Current, now, &names);
            assert_eq!(fresh.selector.as_str(), text);
            names.push(fresh);
        }
    }
}
