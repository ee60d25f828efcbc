//! One mail address as SMTP carries it (RFC 5321 §4.1.2 and RFC 6531 §3.3, `Mailbox`). Clients and peers control the input.

use super::domain::Domain;
use super::token::is_atext;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// RFC 5321 §4.5.3.1.3: a path of 256 bytes with its angle brackets.
// Differs: §4.5.3.1.1 lets a server stop at 64 bytes of a local part, and asks it to take more where it can: senders made
// by VERP and SRS have more.
const ADDRESS_LEN_MAX: usize = 254;

/// A local part and a domain. Two addresses are equal if their local parts are, case included, and their domains, in
/// any case. `Display` quotes the local part where it must.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Without quotes and backslashes, in NFC.
    local: String,
    domain: Domain,
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// It does not follow the grammar.
    Malformed,
    /// It is over 254 bytes.
    TooLong,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a mail address",
            Self::TooLong => "mail address too long",
        })
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// From an unquoted local part. The error is that of `parse`.
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if local.chars().any(is_unseen) {
            return Err(AddressError::Malformed);
        }
        // RFC 6532 §3.1: people type one character in more ways than one.
        let address = Self { local: local.nfc().collect(), domain };
        if address.to_string().len() > ADDRESS_LEN_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }

    /// Reads `local@domain`, `"quoted local"@domain` or `local@[192.0.2.1]`, without angle brackets. Letters beyond ASCII
    /// may be in it, in UTF-8: who may write them is for the caller to say.
    pub fn parse(text: &[u8]) -> Result<Self, AddressError> {
        let text = std::str::from_utf8(text).map_err(|_| AddressError::Malformed)?;
        let (local, domain) = if let Some(rest) = text.strip_prefix('"') {
            quoted(rest)?
        } else {
            let (local, domain) = text.split_once('@').ok_or(AddressError::Malformed)?;
            if !is_dot_string(local) {
                return Err(AddressError::Malformed);
            }
            (local.to_owned(), domain)
        };
        Self::new(&local, Domain::parse(domain).ok_or(AddressError::Malformed)?)
    }

    /// The local part without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The local part without `+detail` (RFC 5233 §4).
    pub fn user(&self) -> &str {
        match self.local.split_once('+') {
            Some((user, _)) if !user.is_empty() => user,
            _ => &self.local,
        }
    }

    /// What follows the first `+` of the local part.
    pub fn detail(&self) -> Option<&str> {
        self.local.split_once('+').filter(|(user, _)| !user.is_empty()).map(|(_, detail)| detail)
    }
}

/// Control characters, and what makes a text look like another: line ends, blanks beyond ASCII, and changes of its
/// direction. RFC 6531 lets all of them be.
// Differs: such an address is refused, for it stands in logs, in header fields and on screens.
fn is_unseen(char: char) -> bool {
    char.is_control()
        || (!char.is_ascii() && char.is_whitespace())
        || matches!(char, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Dot-string: atoms with single dots between them.
fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// The content of a quoted string after its first quote, and the domain after its `@`.
fn quoted(rest: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            Some('"') => break,
            Some('\\') => local.push(chars.next().ok_or(AddressError::Malformed)?),
            Some(char) => local.push(char),
            None => return Err(AddressError::Malformed),
        }
    }
    let domain = chars.as_str().strip_prefix('@').ok_or(AddressError::Malformed)?;
    Ok((local, domain))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for char in self.local.chars() {
            if matches!(char, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn addresses_are_read_and_written() {
        for (text, local, written) in [
            ("Smith@Bar.COM", "Smith", "Smith@bar.com"),
            ("user.name+detail@example.org", "user.name+detail", "user.name+detail@example.org"),
            ("\"joe\"@example.org", "joe", "joe@example.org"),
            ("\"a b\\\"c\\\\\"@example.org", "a b\"c\\", "\"a b\\\"c\\\\\"@example.org"),
            ("\"\"@example.org", "", "\"\"@example.org"),
            ("\"a@b\"@[IPv6:2001:db8::1]", "a@b", "\"a@b\"@[ipv6:2001:db8::1]"),
            ("x@[192.0.2.1]", "x", "x@[192.0.2.1]"),
        ] {
            let address = Address::parse(text.as_bytes()).unwrap();
            assert_eq!((address.local(), address.to_string().as_str()), (local, written));
            assert_eq!(Address::parse(written.as_bytes()), Ok(address));
        }
        let plus = Address::parse(b"user+a+b@example.org").unwrap();
        assert_eq!((plus.user(), plus.detail()), ("user", Some("a+b")));
        let plain = Address::parse(b"+x@example.org").unwrap();
        assert_eq!((plain.user(), plain.detail()), ("+x", None));
    }

    #[test]
    fn letters_beyond_ascii() {
        let address = Address::parse("Jürgen+Bücher@bücher.example".as_bytes()).unwrap();
        assert_eq!(address.to_string(), "Jürgen+Bücher@xn--bcher-kva.example");
        assert_eq!((address.user(), address.detail()), ("Jürgen", Some("Bücher")));
        let apart = "Ju\u{308}rgen+Bu\u{308}cher@BU\u{308}CHER.example";
        assert_eq!(Address::parse(apart.as_bytes()), Ok(address));
        let quoted = Address::parse("\"用 户\"@例え.jp".as_bytes()).unwrap();
        assert_eq!(quoted.to_string(), "\"用 户\"@xn--r8jz45g.jp");
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@b@c",
            "\"a@b",
            "\"a\"b@c",
            "<a@b>",
            "a@b\r\n",
            "\"a\r\nb\"@c",
            "a@b c",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), Err(AddressError::Malformed), "{text}");
        }
        for text in ["a\u{85}@b", "\"a\u{a0}b\"@c", "a\u{202e}b@c", "\u{2028}@c", "ü@", "ü"] {
            assert_eq!(Address::parse(text.as_bytes()), Err(AddressError::Malformed), "{text}");
        }
        assert_eq!(Address::parse(b"\xfc@b"), Err(AddressError::Malformed));
        let long = |local: usize| Address::parse(format!("{}@b", "a".repeat(local)).as_bytes());
        assert!(long(252).is_ok());
        assert_eq!(long(253), Err(AddressError::TooLong));
    }
}
