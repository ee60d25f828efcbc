//! A domain as the right side of a mail address (RFC 5321 §4.1.2, RFC 6531 §3.3). Clients and peers control the input.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 5321 §4.5.3.1.2 and RFC 1035 §2.3.4.
const DOMAIN_LEN_MAX: usize = 255;
const LABEL_LEN_MAX: usize = 63;

/// A domain name in lower case, or an address literal in its square brackets. A name beyond ASCII is kept as its
/// A-labels (RFC 5890 §2.3.2.1), so that there is one way to write it, and DNS and every peer can read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Reads `example.org`, `bücher.example`, `[192.0.2.1]` or `[IPv6:2001:db8::1]`. `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > DOMAIN_LEN_MAX {
            return None;
        }
        let text = if text.is_ascii() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(idna::domain_to_ascii_strict(text).ok()?)
        };
        let valid = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(is_address),
            None => text.split('.').all(is_label),
        };
        (valid && text.len() <= DOMAIN_LEN_MAX).then(|| Self(text.to_ascii_lowercase()))
    }

    /// As it is compared: lower case, A-labels.
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
            "bücher..example",
            "bü cher.example",
            "-ü.example",
            "\u{202e}.example",
            "[ü]",
            &"ü".repeat(120),
            &long,
        ] {
            assert_eq!(Domain::parse(text), None, "{text}");
        }
        // RFC 5890: every way to write a name beyond ASCII is one domain.
        for text in
            ["bücher.example", "BÜCHER.example", "bu\u{308}cher.EXAMPLE", "xn--Bcher-kva.example"]
        {
            assert_eq!(Domain::parse(text).unwrap().as_str(), "xn--bcher-kva.example", "{text}");
        }
    }
}
