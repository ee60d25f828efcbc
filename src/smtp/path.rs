//! The paths of MAIL and RCPT (RFC 5321 §4.1.2): `<>`, a mailbox, a source route before it, which is read and dropped
//! (Appendix C), and `postmaster` without a domain (§4.1.1.3). The peer wrote them.

use crate::base::Cursor;
use crate::mail::Letters;
use crate::mail::{Address, AddressError, Domain};
use std::fmt;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// One of our addresses or somebody else's.
    Mailbox(Address),
    /// `<postmaster>`, without a domain: ours.
    Postmaster,
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(address) => address.fmt(f),
            Self::Postmaster => f.write_str("postmaster"),
        }
    }
}

/// Reads a reverse path; `None` is `<>`.
pub fn reverse_path(cursor: &mut Cursor<'_>) -> Result<(Option<Address>, Letters), AddressError> {
    match inner(cursor)? {
        b"" => Ok((None, Letters::Ascii)),
        path => Ok((Some(Address::parse(path)?), letters(path))),
    }
}

/// Reads a forward path.
pub fn forward_path(cursor: &mut Cursor<'_>) -> Result<(ForwardPath, Letters), AddressError> {
    match inner(cursor)? {
        path if path.eq_ignore_ascii_case(b"postmaster") => {
            Ok((ForwardPath::Postmaster, Letters::Ascii))
        }
        path => Ok((ForwardPath::Mailbox(Address::parse(path)?), letters(path))),
    }
}

/// As the peer wrote it: a domain is kept in ASCII whatever it came in.
const fn letters(path: &[u8]) -> Letters {
    if path.is_ascii() { Letters::Ascii } else { Letters::Utf8 }
}

/// What stands in the angle brackets, without the source route.
fn inner<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], AddressError> {
    // Quirk(Outlook): a blank after the colon.
    cursor.take_while(|b| b == b' ');
    if cursor.eat(b'<') {
        source_route(cursor)?;
        let path = until(cursor, b'>');
        return if cursor.eat(b'>') { Ok(path) } else { Err(AddressError::Malformed) };
    }
    // Quirk(cameras, copiers): no angle brackets at all.
    match until(cursor, b' ') {
        b"" => Err(AddressError::Malformed),
        path => Ok(path),
    }
}

/// Takes what comes before `end`, which counts only outside quotes.
fn until<'a>(cursor: &mut Cursor<'a>, end: u8) -> &'a [u8] {
    let (mut quoted, mut escaped) = (false, false);
    cursor.take_while(|b| {
        if escaped {
            escaped = false;
            return true;
        }
        match b {
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => {}
        }
        quoted || b != end
    })
}

/// `@a.example,@b.example:`
fn source_route(cursor: &mut Cursor<'_>) -> Result<(), AddressError> {
    if cursor.peek() != Some(b'@') {
        return Ok(());
    }
    loop {
        if !cursor.eat(b'@') {
            return Err(AddressError::Malformed);
        }
        let domain = cursor.take_while(|b| !matches!(b, b',' | b':' | b'>'));
        let domain = std::str::from_utf8(domain).map_err(|_| AddressError::Malformed)?;
        Domain::parse(domain).ok_or(AddressError::Malformed)?;
        if cursor.eat(b':') {
            return Ok(());
        }
        if !cursor.eat(b',') {
            return Err(AddressError::Malformed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, Cursor, ForwardPath, Letters, forward_path, reverse_path};

    fn forward(text: &str) -> Result<String, AddressError> {
        forward_path(&mut Cursor::new(text.as_bytes())).map(|(path, _)| path.to_string())
    }

    #[test]
    fn paths_as_they_come() {
        for text in [
            "<jones@foo.com>",
            " <jones@foo.com>",
            "jones@foo.com",
            "<@hosta.int,@jkl.org:jones@foo.com>",
            "jones@foo.com SIZE=3",
        ] {
            assert_eq!(forward(text), Ok("jones@foo.com".into()), "{text}");
        }
        assert_eq!(forward("<\"a> b\"@foo.com>"), Ok("\"a> b\"@foo.com".into()));
        let postmaster = forward_path(&mut Cursor::new(b"<PostMaster>"));
        assert_eq!(postmaster, Ok((ForwardPath::Postmaster, Letters::Ascii)));
        assert_eq!(reverse_path(&mut Cursor::new(b"<>")), Ok((None, Letters::Ascii)));
        for (path, written) in
            [("<ä@b>", Letters::Utf8), ("<a@ä>", Letters::Utf8), ("<a@b>", Letters::Ascii)]
        {
            let read = forward_path(&mut Cursor::new(path.as_bytes())).unwrap();
            assert_eq!(read.1, written, "{path}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for text in
            ["", "<", "<>", "<a@b", "<a>", "<@a>", "<@a:>", "<@a,b:c@d>", "<@:c@d>", "\"a@b"]
        {
            assert_eq!(forward(text), Err(AddressError::Malformed), "{text}");
        }
        assert_eq!(forward_path(&mut Cursor::new(b"<\xe4@b>")), Err(AddressError::Malformed));
        assert_eq!(reverse_path(&mut Cursor::new(b"")), Err(AddressError::Malformed));
    }
}
