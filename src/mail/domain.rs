//! A domain as the right side of a mail address (RFC 5321 §4.1.2). Clients and peers control the input.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 5321 §4.5.3.1.2 and RFC 1035 §2.3.4.
const DOMAIN_LEN_MAX: usize = 255;
const LABEL_LEN_MAX: usize = 63;

/// A domain name in lower case, or an address literal in its square brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Reads `example.org`, `[192.0.2.1]` or `[IPv6:2001:db8::1]`. `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > DOMAIN_LEN_MAX || !text.is_ascii() {
            return None;
        }
        let valid = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(is_address),
            None => text.split('.').all(is_label),
        };
        valid.then(|| Self(text.to_ascii_lowercase()))
    }

    /// As it is compared: lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `[192.0.2.1]`.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }
}

fn is_address(text: &str) -> bool {
    match text.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
            address.parse::<Ipv6Addr>().is_ok()
        }
        _ => text.parse::<Ipv4Addr>().is_ok(),
    }
}

fn is_label(label: &str) -> bool {
    // Differs: the underscore, which RFC 5321 has not, stands in domains that send mail.
    let valid = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    valid
        && !label.is_empty()
        && label.len() <= LABEL_LEN_MAX
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Domain;

    #[test]
    fn names_and_literals() {
        for text in [
            "Example.ORG",
            "localhost",
            "a-b.c1",
            "xn--bcher-kva.example",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
        ] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), text.to_ascii_lowercase());
        }
        let long = "a".repeat(64);
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a.b",
            "a-.b",
            "a b",
            "a\r\nb",
            "[192.0.2]",
            "[::1]",
            "[",
            "bücher.example",
            &long,
        ] {
            assert_eq!(Domain::parse(text), None, "{text}");
        }
    }
}
