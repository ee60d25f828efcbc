//! Line ends as mail has them (RFC 5322 §2.1, RFC 5321 §2.3.8): a CR or LF that stands alone becomes CRLF. Two servers
//! that read such a one differently see two different messages, so none leaves us. Senders control the input.

/// Repairs a text that comes in pieces.
#[derive(Debug, Default)]
pub struct LineEnds {
    /// The last piece ended with it: what follows decides.
    cr: bool,
}

impl LineEnds {
    /// Appends the next piece. A CR at its end waits for the next.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len() + 1);
        for run in piece.split_inclusive(|&b| matches!(b, b'\r' | b'\n')) {
            if std::mem::take(&mut self.cr) {
                out.extend_from_slice(b"\r\n");
                if run == b"\n" {
                    continue;
                }
            }
            match run.split_last() {
                Some((b'\r', text)) => {
                    out.extend_from_slice(text);
                    self.cr = true;
                }
                Some((b'\n', text)) => {
                    out.extend_from_slice(text);
                    out.extend_from_slice(b"\r\n");
                }
                _ => out.extend_from_slice(run),
            }
        }
    }

    /// What still waits.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.cr {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LineEnds;

    #[test]
    fn no_cr_or_lf_stands_alone_wherever_the_pieces_are_cut() {
        for (text, expected) in [
            ("a\r\nb\nc\rd", "a\r\nb\r\nc\r\nd"),
            ("\n\n\r\r\n\n\r", "\r\n\r\n\r\n\r\n\r\n\r\n"),
            ("", ""),
            ("a", "a"),
        ] {
            for size in [1, 2, 3, 1000] {
                let (mut ends, mut out) = (LineEnds::default(), Vec::new());
                text.as_bytes().chunks(size).for_each(|piece| ends.push(piece, &mut out));
                ends.finish(&mut out);
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?} by {size}");
            }
        }
    }
}
