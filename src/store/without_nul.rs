//! A message with NULs in a form that has none (RFC 9051 §4.3.1, RFC 3516 §6): parts that hold NULs become base64, and
//! say so. What a stranger sent as binary (BINARYMIME) is read by every program that way, and nothing of it is lost; the
//! bytes as they came are there by BINARY. A NUL outside of such parts, where none may be, becomes a question mark.
//!
//! It costs reading the message and writing it into a file without a name, each time; such messages are rare.

use super::error::StoreError;
use super::scratch::Scratch;
use super::text::Text;
use crate::mail::header::{Fields, HEADER_LEN_MAX};
use crate::mail::{Card, Part, PartKind};
use data_encoding::BASE64;
use std::ops::{ControlFlow, Range};

/// Bytes of a line of base64, 76 characters (RFC 2045 §6.8).
const LINE: usize = 57;

/// Writes the message without NULs.
pub(super) fn write(text: &Text, card: &Card, into: &mut Scratch) -> Result<(), StoreError> {
    let mut copy = Copy { text, into, at: 0 };
    copy.part(&card.structure)?;
    copy.up_to(text.size())
}

struct Copy<'a> {
    text: &'a Text,
    into: &'a mut Scratch,
    /// Up to here it is done.
    at: u64,
}

impl Copy<'_> {
    /// As deep as the scanner went, which has a limit.
    fn part(&mut self, part: &Part) -> Result<(), StoreError> {
        let is = |words: &[&str]| words.iter().any(|word| part.encoding.is(word));
        // A header that is too long to be changed says what it said, and NULs below it are replaced.
        let short = part.header.end.saturating_sub(part.header.start) <= HEADER_LEN_MAX as u64;
        match &part.kind {
            PartKind::Leaf => {
                if short && is(&["7bit", "8bit", "binary"]) && has_nul(self.text, &part.body)? {
                    self.header(&part.header, "base64")?;
                    self.base64(&part.body)?;
                }
            }
            PartKind::Multipart(parts) => {
                if short && is(&["binary"]) {
                    self.header(&part.header, "8bit")?;
                }
                for part in parts {
                    self.part(part)?;
                }
            }
            PartKind::Message(_, message) => {
                if short && is(&["binary"]) {
                    self.header(&part.header, "8bit")?;
                }
                self.part(message)?;
            }
        }
        Ok(())
    }

    /// A header with another Content-Transfer-Encoding.
    fn header(&mut self, header: &Range<u64>, encoding: &str) -> Result<(), StoreError> {
        self.up_to(header.start)?;
        let bytes = self
            .text
            .read(header.clone())
            .map_err(|error| StoreError::io("read a message", &error))?;
        let mut changed = Vec::with_capacity(bytes.len() + 64);
        for field in Fields::new(&bytes) {
            if !field.is("Content-Transfer-Encoding") {
                changed.extend(field.raw.iter().map(|&byte| if byte == 0 { b'?' } else { byte }));
            }
        }
        changed
            .extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
        self.at = header.end;
        self.into.write(&changed)
    }

    /// A body in base64, without a line end behind it.
    fn base64(&mut self, body: &Range<u64>) -> Result<(), StoreError> {
        self.up_to(body.start)?;
        self.at = body.end;
        let into = &mut *self.into;
        let (mut end, mut rest): (&[u8], _) = (b"", Vec::new());
        let mut write = |bytes: &[u8]| {
            let mut lines = Vec::with_capacity(bytes.len() / LINE * 78 + 78);
            for line in bytes.chunks(LINE) {
                lines.extend_from_slice(end);
                lines.extend_from_slice(BASE64.encode(line).as_bytes());
                end = b"\r\n";
            }
            into.write(&lines)
        };
        self.text.walk(body, |piece| {
            rest.extend_from_slice(piece);
            // Whole lines only; what is left begins the next one.
            let left = rest.split_off(rest.len() / LINE * LINE);
            write(&rest)?;
            rest = left;
            Ok(ControlFlow::Continue(()))
        })?;
        write(&rest)
    }

    /// What is not changed, but for NULs.
    fn up_to(&mut self, end: u64) -> Result<(), StoreError> {
        let into = &mut *self.into;
        self.text.walk(&(self.at..end), |piece| {
            let mut piece = piece.to_vec();
            piece.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'?');
            into.write(&piece).map(ControlFlow::Continue)
        })?;
        self.at = self.at.max(end);
        Ok(())
    }
}

fn has_nul(text: &Text, range: &Range<u64>) -> Result<bool, StoreError> {
    let mut found = false;
    text.walk(range, |piece| {
        found = piece.contains(&0);
        Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::mail::Scanner;
    use crate::store::scratch::Scratch;
    use crate::store::text::Text;
    use std::io::Write;

    fn without_nul(message: &[u8]) -> Vec<u8> {
        let path = std::env::temp_dir().join(format!("pillarbox-nul-{}", std::process::id()));
        let mut file = std::fs::File::create_new(&path).unwrap();
        file.write_all(message).unwrap();
        let len = message.len() as u64;
        let text = Text::new(std::fs::File::open(&path).unwrap(), len, len).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut into = Scratch::new(std::fs::File::create_new(&path).unwrap());
        write(&text, &Scanner::scan(message), &mut into).unwrap();
        let (_, size) = into.done();
        let written = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(written.len() as u64, size);
        written
    }

    #[test]
    fn what_holds_nuls_becomes_base64_and_the_rest_stays() {
        let long = [0, 1, 2].repeat(19 * 1024 + 20);
        let message = [
            b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\nX-Odd: a\0b\r\n\r\npre\0\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding:\r\n BINARY\r\nContent-ID: <1>\r\n\r\n".as_slice(),
            &long,
            b"\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nAA\0A=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n\0\r\n--b--\r\n",
        ]
        .concat();
        let written = without_nul(&message);
        assert!(!written.contains(&0));
        let shown = String::from_utf8(written.clone()).unwrap();
        let (before, rest) = shown.split_once("AAEC").unwrap();
        assert_eq!(
            before,
            "Content-Type: multipart/mixed; boundary=b\r\nX-Odd: a?b\r\nContent-Transfer-Encoding: 8bit\r\n\r\npre?\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        );
        assert!(rest.ends_with("\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nAA?A=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n--b--\r\n"));
        assert!(shown.lines().all(|line| line.len() <= 76));
        let card = Scanner::scan(&written);
        let part = card.part(&[2]).unwrap();
        let body =
            usize::try_from(part.body.start).unwrap()..usize::try_from(part.body.end).unwrap();
        let mut decoder = crate::mail::TransferDecoder::new(&part.encoding);
        let mut found = Vec::new();
        decoder.push(&written[body], &mut found);
        decoder.finish(&mut found);
        assert!(found == long);
    }
}
