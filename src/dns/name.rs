//! A name in DNS (RFC 1034 §3.1) as hosts and mail use it. Whoever controls a zone controls what comes in here.

use std::fmt;
use std::net::IpAddr;

/// RFC 1035 §2.3.4, without the dot at the end.
const NAME_LEN_MAX: usize = 253;
const LABEL_LEN_MAX: usize = 63;

/// In lower case, without the dot at its end; the root is empty. Labels are of letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Reads `example.org` or `_25._tcp.mail.example.org.`; `None` if it is no name, or one that no host, zone or
    /// mail record has.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let valid =
            text.len() <= NAME_LEN_MAX && (text.is_empty() || text.split('.').all(is_label));
        valid.then(|| Self(text.to_ascii_lowercase()))
    }

    /// `.`
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Where an address's own names stand (RFC 1035 §3.5, RFC 3596 §2.5).
    pub fn of_address(address: IpAddr) -> Option<Self> {
        let text = match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(address) => {
                let digits = format!("{:032x}", u128::from(address));
                let mut text = String::with_capacity(72);
                for digit in digits.chars().rev() {
                    text.push(digit);
                    text.push('.');
                }
                text + "ip6.arpa"
            }
        };
        Self::parse(&text)
    }

    /// As it is compared; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `.`: what a null MX names (RFC 7505).
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// With labels in front, like `_25._tcp`. `None` if that is too long, or no labels.
    pub fn under(&self, labels: &str) -> Option<Self> {
        if self.is_root() { Self::parse(labels) } else { Self::parse(&format!("{labels}.{self}")) }
    }
}

fn is_label(label: &str) -> bool {
    let valid = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    valid && (1..=LABEL_LEN_MAX).contains(&label.len())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_as_they_are_written() {
        let name = Name::parse("Mail.Example.ORG.").unwrap();
        assert_eq!(name.as_str(), "mail.example.org");
        assert_eq!(name.under("_25._tcp").unwrap().to_string(), "_25._tcp.mail.example.org");
        assert!(Name::parse(".").unwrap().is_root() && Name::root().is_root());
        let place = Name::of_address([192, 0, 2, 1].into()).unwrap();
        assert_eq!(place.as_str(), "1.2.0.192.in-addr.arpa");
        let long = format!("{}.org", "a".repeat(64));
        let many = "a.".repeat(128);
        for text in ["a..b", ".a", "a b", "ü.example", "a\0.org", "*.example.org", &long, &many] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
