//! A From field for a message that has none (RFC 5322 §3.6.2). Users of the machine control the name.

use super::address::Address;
use super::address_list::{Entry, parse_address_list};
use super::encoded_word::encode_run;
use super::header::Fields;

/// Bytes of a name; a longer one is left out.
const NAME_LEN_MAX: usize = 200;

/// `From: Ann Example <ann@example.org>` with its line end; without a name, the address alone.
pub fn from_field(name: &str, address: &Address) -> String {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
        return format!("From: {address}\r\n");
    }
    let mut shown = Vec::new();
    if !name.is_ascii() {
        encode_run(name.as_bytes(), &mut shown);
    } else if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ') {
        shown.extend_from_slice(name.as_bytes());
    } else {
        shown.extend_from_slice(b"\"");
        for byte in name.bytes() {
            if matches!(byte, b'"' | b'\\') {
                shown.push(b'\\');
            }
            shown.push(byte);
        }
        shown.extend_from_slice(b"\"");
    }
    format!("From: {} <{address}>\r\n", String::from_utf8_lossy(&shown))
}

/// Do all From fields of a header name this address and no other?
pub fn is_only_author(header: &[u8], address: &Address) -> bool {
    let mut fields = Fields::new(header).filter(|field| field.is("from")).peekable();
    let is_it = |entry: Entry| match entry {
        Entry::Mailbox { mailbox, host, .. } => {
            let named = [mailbox.as_bytes(), b"@", host.as_bytes()].concat();
            Address::parse(&named).is_ok_and(|named| {
                named.domain() == address.domain()
                    && named.local().eq_ignore_ascii_case(address.local())
            })
        }
        Entry::GroupStart(_) | Entry::GroupEnd => false,
    };
    fields.peek().is_some()
        && fields.all(|field| {
            let entries = parse_address_list(field.value);
            !entries.is_empty() && entries.into_iter().all(is_it)
        })
}

#[cfg(test)]
mod tests {
    use super::{from_field, is_only_author};
    use crate::mail::{Address, Entry, decode_text, parse_address_list};

    #[test]
    fn whose_words_they_are() {
        let ann = Address::parse(b"ann@home.test").unwrap();
        let says = |header: &str| is_only_author(header.as_bytes(), &ann);
        assert!(says("To: x@y\r\nFrom: \"Ann\" <Ann@HOME.test>\r\n"));
        for other in [
            "From: bob@home.test\r\n",
            "From: ann@home.test, bob@home.test\r\n",
            "To: ann@home.test\r\n",
            "From: ann@home.test\r\nFrom: bob@home.test\r\n",
            "From: ann@home.test <bob@home.test>\r\n",
            "From:\r\n",
        ] {
            assert!(!says(other), "{other}");
        }
    }

    #[test]
    fn the_name_is_read_back() {
        let address = Address::parse(b"ann@home.test").unwrap();
        for name in ["Ann Example", "Ann B. (home) <x@y>, \"\\", "Jürgen Ö", &"ü".repeat(80)] {
            let field = from_field(name, &address);
            assert!(field.is_ascii() && field.ends_with(" <ann@home.test>\r\n"), "{field}");
            let list = parse_address_list(field.strip_prefix("From:").unwrap().as_bytes());
            let [Entry::Mailbox { name: Some(found), .. }] = list.as_slice() else {
                panic!("{list:?}")
            };
            assert_eq!(decode_text(found), name);
        }
        for name in ["", "  ", "a\r\nBcc: b", &"x".repeat(201)] {
            assert_eq!(from_field(name, &address), "From: ann@home.test\r\n");
        }
    }
}
