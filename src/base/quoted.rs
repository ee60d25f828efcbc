//! How a log line shows bytes that a peer sent: nothing in them can forge a line or move a terminal's cursor.

use std::fmt;

const SHOWN_MAX: usize = 200;

/// `Display` puts the bytes in double quotes; all but printable ASCII as `\xNN`, 200 bytes at most.
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for &byte in self.0.iter().take(SHOWN_MAX) {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str(if self.0.len() > SHOWN_MAX { "…\"" } else { "\"" })
    }
}

#[cfg(test)]
mod tests {
    use super::Quoted;

    #[test]
    fn nothing_can_forge_a_log_line() {
        assert_eq!(Quoted(b"a\"\r\n\x1b[1m\xff").to_string(), "\"a\\\"\\x0d\\x0a\\x1b[1m\\xff\"");
        assert_eq!(Quoted(&[b'a'; 300]).to_string().chars().count(), 203);
    }
}
