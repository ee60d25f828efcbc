//! One mail address as SMTP carries it (RFC 5321 §4.1.2, `Mailbox`). Clients and peers control the input.

use super::domain::Domain;
use super::token::is_atext;
use std::fmt;

/// RFC 5321 §4.5.3.1.3: a path of 256 bytes with its angle brackets.
// Differs: §4.5.3.1.1 lets a server stop at 64 bytes of a local part, and asks it to take more where it can: senders made
// by VERP and SRS have more.
const ADDRESS_LEN_MAX: usize = 254;

/// A local part and a domain. Two addresses are equal if their local parts are, case included, and their domains, in
/// any case. `Display` quotes the local part where it must.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Without quotes and backslashes.
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
    /// It has bytes beyond ASCII, which need SMTPUTF8 (RFC 6531).
    NotAscii,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a mail address",
            Self::TooLong => "mail address too long",
            Self::NotAscii => "mail address with characters beyond ASCII",
        })
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// From an unquoted local part. The error is that of `parse`.
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if !local.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        if local.bytes().any(|b| b.is_ascii_control()) {
            return Err(AddressError::Malformed);
        }
        let address = Self { local: local.to_owned(), domain };
        if address.to_string().len() > ADDRESS_LEN_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }

    /// Reads `local@domain`, `"quoted local"@domain` or `local@[192.0.2.1]`, without angle brackets.
    pub fn parse(text: &[u8]) -> Result<Self, AddressError> {
        if !text.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        let text = std::str::from_utf8(text).map_err(|_| AddressError::NotAscii)?;
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
        assert_eq!(Address::parse("ü@b".as_bytes()), Err(AddressError::NotAscii));
        let long = |local: usize| Address::parse(format!("{}@b", "a".repeat(local)).as_bytes());
        assert!(long(252).is_ok());
        assert_eq!(long(253), Err(AddressError::TooLong));
    }
}
