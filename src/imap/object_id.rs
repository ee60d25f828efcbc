//! Object identifiers (RFC 8474): a letter that says of what, then sixteen hex digits. What a client searches for it
//! wrote itself.

use super::args::{Args, Parsed};
use super::response::Completion;
use crate::maildir::Unique;

/// The longest that there may be.
const OBJECT_ID_LEN_MAX: usize = 255;

/// An EMAILID as it is written.
pub fn email_id(id: Unique) -> String {
    format!("e{}", id.hex())
}

/// A THREADID as it is written.
pub fn thread_id(thread: u64) -> String {
    format!("t{}", Unique(thread).hex())
}

/// Reads `objectid` and what it is behind this letter; `None` if it is none of ours.
pub fn read(args: &mut Args<'_>, letter: char) -> Parsed<Option<u64>> {
    let id = args.atom()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if id.len() > OBJECT_ID_LEN_MAX || !id.bytes().all(plain) {
        return Err(Completion::bad("An object identifier is malformed"));
    }
    Ok(id.strip_prefix(letter).and_then(Unique::from_hex).map(|id| id.0))
}

#[cfg(test)]
mod tests {
    use super::{email_id, read, thread_id};
    use crate::imap::args::Args;
    use crate::maildir::Unique;

    #[test]
    fn what_is_written_is_read() {
        let read = |text: &str, letter| read(&mut Args::new(text.as_bytes()), letter);
        assert_eq!(email_id(Unique(0xa1)), "e00000000000000a1");
        assert_eq!(read(&email_id(Unique(7)), 'e'), Ok(Some(7)));
        assert_eq!(read(&thread_id(u64::MAX), 't'), Ok(Some(u64::MAX)));
        // The case of letters matters (RFC 8474 §7).
        for others in
            ["e00000000000000A1", "E00000000000000a1", "t00000000000000a1", "M6d99ac3275bb4e"]
        {
            assert_eq!(read(others, 'e'), Ok(None), "{others}");
        }
        for bad in ["", "a.b", "(e1)", &"x".repeat(256)] {
            assert!(read(bad, 'e').is_err(), "{bad}");
        }
    }
}
