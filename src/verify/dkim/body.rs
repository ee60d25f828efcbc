//! The hash of a body (RFC 6376 §3.4.3, §3.4.4 and §3.7), read in pieces that may be cut anywhere, without keeping it.
//! The writer of a message controls the input; memory is bounded.

use super::canonical::Canonicalization;
use openssl::sha::Sha256;
use std::io::BufRead;

/// Bytes that are hashed at a time.
const BUFFER_LEN: usize = 8 * 1024;

/// Hashes the canonical form of a body.
pub struct BodyHash {
    form: Canonicalization,
    hash: Sha256,
    buffer: Vec<u8>,
    /// Line ends that are not hashed yet: the last of a body do not count.
    line_ends: u64,
    /// Is anything but line ends hashed?
    text: bool,
    /// What was read last and is not passed on, for what follows decides about it.
    waiting: Waiting,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// Blanks, which count as one, and not at all before a line end. Relaxed only.
    Blanks,
    /// A carriage return.
    Return,
    /// Blanks and then a carriage return.
    BlanksAndReturn,
}

impl BodyHash {
    /// Of a body of which nothing is read yet. `sign` wants the relaxed form.
    pub fn new(form: Canonicalization) -> Self {
        Self {
            form,
            hash: Sha256::new(),
            buffer: Vec::with_capacity(BUFFER_LEN),
            line_ends: 0,
            text: false,
            waiting: Waiting::Nothing,
        }
    }

    /// Reads on. What follows the empty line after the header is the body.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut after = rest;
            // Reading from a slice cannot fail, and this search looks at many bytes at a time.
            let len = after.skip_until(b'\n').unwrap_or(rest.len());
            let Some((line, after)) = rest.split_at_checked(len) else { return };
            rest = after;
            match line.strip_suffix(b"\r\n") {
                Some(text) if self.waiting == Waiting::Nothing && self.is_canonical(text) => {
                    self.pass(text);
                    self.line_ends += 1;
                }
                _ => self.walk(line),
            }
        }
    }

    /// SHA-256 of the whole.
    pub fn finish(mut self) -> [u8; 32] {
        match self.waiting {
            Waiting::Nothing | Waiting::Blanks => {}
            Waiting::Return => self.pass(b"\r"),
            Waiting::BlanksAndReturn => self.pass(b" \r"),
        }
        if self.text || self.form == Canonicalization::Simple {
            self.line_ends = 1;
            self.pass_line_ends();
        }
        self.hash.update(&self.buffer);
        self.hash.finish()
    }

    /// Is it as it will be hashed? Most lines are. Looks at every byte, which is faster than stopping early.
    fn is_canonical(&self, line: &[u8]) -> bool {
        let any = |odd: bool, found: bool| odd | found;
        match self.form {
            Canonicalization::Simple => !line.iter().map(|&b| b == b'\r').fold(false, any),
            Canonicalization::Relaxed => {
                let next = line.get(1..).unwrap_or_default();
                let twice = line.iter().zip(next).map(|(&a, &b)| (a == b' ') && (b == b' '));
                let odd = line.iter().map(|&b| (b == b'\t') || (b == b'\r')).fold(false, any);
                !twice.fold(odd, any) && !line.ends_with(b" ")
            }
        }
    }

    /// Reads what is no whole line, or not as it will be hashed.
    fn walk(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            let plain = match self.waiting {
                Waiting::Nothing => rest.iter().position(|b| matches!(b, b' ' | b'\t' | b'\r')),
                Waiting::Blanks | Waiting::Return | Waiting::BlanksAndReturn => Some(0),
            };
            match rest.split_at_checked(plain.unwrap_or(rest.len())) {
                Some((text, after)) if !text.is_empty() => {
                    self.pass(text);
                    rest = after;
                }
                _ => {
                    self.step(first);
                    rest = after;
                }
            }
        }
    }

    fn step(&mut self, byte: u8) {
        match (byte, self.waiting) {
            (b'\n', Waiting::Return | Waiting::BlanksAndReturn) => {
                self.waiting = Waiting::Nothing;
                self.line_ends += 1;
            }
            (b'\r', Waiting::Nothing) => self.waiting = Waiting::Return,
            (b'\r', Waiting::Blanks) => self.waiting = Waiting::BlanksAndReturn,
            (b' ' | b'\t', Waiting::Nothing | Waiting::Blanks)
                if self.form == Canonicalization::Relaxed =>
            {
                self.waiting = Waiting::Blanks;
            }
            (_, Waiting::Nothing) => self.pass(&[byte]),
            (_, Waiting::Blanks) => {
                self.waiting = Waiting::Nothing;
                self.pass(&[b' ', byte]);
            }
            // A carriage return without a line feed is text.
            (_, Waiting::Return) => {
                self.waiting = Waiting::Nothing;
                self.pass(b"\r");
                self.step(byte);
            }
            (_, Waiting::BlanksAndReturn) => {
                self.waiting = Waiting::Nothing;
                self.pass(b" \r");
                self.step(byte);
            }
        }
    }

    /// Text in its canonical form, after the line ends before it.
    fn pass(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.pass_line_ends();
        self.text = true;
        self.append(text);
    }

    fn pass_line_ends(&mut self) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.append(b"\r\n");
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_LEN {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > BUFFER_LEN {
            self.hash.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyHash, Canonicalization};
    use Canonicalization::{Relaxed, Simple};
    use data_encoding::BASE64;
    use openssl::sha::sha256;

    fn hash(form: Canonicalization, body: &[u8], step: usize) -> [u8; 32] {
        let mut hash = BodyHash::new(form);
        body.chunks(step).for_each(|piece| hash.push(piece));
        hash.finish()
    }

    fn check(form: Canonicalization, body: &[u8], canonical: &[u8]) {
        for step in 1..=body.len() + 1 {
            assert!(
                hash(form, body, step) == sha256(canonical),
                "{form:?} {:?} in pieces of {step}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn the_examples_of_rfc_6376_section_3_4() {
        let body = b" C \r\nD \t E\r\n\r\n\r\n";
        check(Relaxed, body, b" C\r\nD E\r\n");
        check(Simple, body, b" C \r\nD \t E\r\n");
        let empty = |form| BASE64.encode(&BodyHash::new(form).finish());
        assert_eq!(empty(Simple), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
        assert_eq!(empty(Relaxed), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn any_body_has_one_form() {
        for (body, relaxed, simple) in [
            (&b"\r\n\r\n"[..], &b""[..], &b"\r\n"[..]),
            (b" \t\r\n \r\n", b"", b" \t\r\n \r\n"),
            (b" \r\n\r\n", b"", b" \r\n"),
            (b"a", b"a\r\n", b"a\r\n"),
            (b"a \t", b"a\r\n", b"a \t\r\n"),
            (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
            (b"a\r\n\r\n b  c\t\r\n", b"a\r\n\r\n b c\r\n", b"a\r\n\r\n b  c\t\r\n"),
            (b"a b\r\n \r\nc\r\n", b"a b\r\n\r\nc\r\n", b"a b\r\n \r\nc\r\n"),
            (b"\x80\0\r\n", b"\x80\0\r\n", b"\x80\0\r\n"),
            // Bare line ends are text.
            (b"a \rb\nc\r", b"a \rb\nc\r\r\n", b"a \rb\nc\r\r\n"),
            (b"a \r\r\n\n\r\n", b"a \r\r\n\n\r\n", b"a \r\r\n\n\r\n"),
            (b" \r \r\n", b" \r\r\n", b" \r \r\n"),
        ] {
            check(Relaxed, body, relaxed);
            check(Simple, body, simple);
        }
    }

    #[test]
    fn long_lines_and_many_pieces() {
        let mut body = vec![b'x'; 20_000];
        body.extend_from_slice(b"\r\n");
        body.extend("some words, \t and more \r\n".repeat(2000).into_bytes());
        let mut form = vec![b'x'; 20_000];
        form.extend_from_slice(b"\r\n");
        form.extend("some words, and more\r\n".repeat(2000).into_bytes());
        for step in [1, 7, 1000, 8192, 100_000] {
            assert!(hash(Relaxed, &body, step) == sha256(&form), "{step}");
        }
    }
}
