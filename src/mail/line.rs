//! Finding the end of a line fast: a message is mostly lines that nobody looks into.

use std::io::BufRead;

/// Splits after the first line feed; `None` if there is none.
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    // Reading from a slice cannot fail, and this is the one search of the standard library that works on many bytes
    // at a time.
    let len = rest.skip_until(b'\n').ok()?;
    let (line, rest) = bytes.split_at_checked(len)?;
    (line.last() == Some(&b'\n')).then_some((line, rest))
}

/// A line without its line feed and the carriage return before it, and the length of these.
pub(super) fn without_line_end(line: &[u8]) -> (&[u8], u64) {
    match line {
        [text @ .., b'\r', b'\n'] => (text, 2),
        [text @ .., b'\n'] => (text, 1),
        _ => (line, 0),
    }
}
