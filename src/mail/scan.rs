//! The MIME scanner: reads a message once, in pieces of any size, and makes its card (RFC 2045, RFC 2046 §5). It never
//! fails and holds little of the message at a time. Whoever sends a message controls every byte.

use super::card::Card;
use super::fields::{is_message_field, is_part_field};
use super::header::split_field;
use super::line::{split_line, without_line_end};
use super::tree::{Limits, Mark, Tree};

/// Bytes of a body line that can matter: two dashes, a boundary, two dashes.
const LINE_HEAD_LEN: usize = 128;

/// Takes a message in pieces and gives its card at the end.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    tree: Tree,
    place: Place,
    line_start: Mark,
    /// The length of the line end before `line_start`.
    line_end_len: u64,
    /// Bytes that came since `line_start`, and what is kept of them.
    pending_len: u64,
    pending: Vec<u8>,
    pending_ends_in_cr: bool,
    /// The field that may go on in the next line; empty if a card has no use for it.
    field: Vec<u8>,
    headers_left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
}

impl Scanner {
    /// At the first byte of a message.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tree: Tree::new(limits),
            place: Place::Header,
            line_start: Mark::default(),
            line_end_len: 0,
            pending_len: 0,
            pending: Vec::new(),
            pending_ends_in_cr: false,
            field: Vec::new(),
            headers_left: limits.headers_len,
        }
    }

    /// Reads a whole message.
    pub fn scan(message: &[u8]) -> Card {
        let mut scanner = Self::new(Limits::default());
        scanner.push(message);
        scanner.finish()
    }

    /// The next bytes of the message.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.place == Place::Body && !self.tree.expects_boundary() {
                self.pass(bytes);
                return;
            }
            let Some((line, rest)) = split_line(bytes) else {
                self.keep(bytes);
                return;
            };
            if self.pending_len == 0 {
                let (text, end_len) = without_line_end(line);
                self.line(text, length(line), end_len);
            } else {
                self.end_pending(line);
            }
            bytes = rest;
        }
    }

    /// The message ends here.
    pub fn finish(mut self) -> Card {
        if self.pending_len > 0 {
            let text = std::mem::take(&mut self.pending);
            self.line(&text, self.pending_len, 0);
        }
        self.end_field();
        self.tree.finish(self.line_start)
    }

    /// Nothing can change any more: counts.
    fn pass(&mut self, bytes: &[u8]) {
        let lines: usize = bytes.iter().map(|&b| usize::from(b == b'\n')).sum();
        self.line_start.offset += self.pending_len + length(bytes);
        self.line_start.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        self.pending_len = 0;
    }

    /// Keeps of an unfinished line what can matter.
    fn keep(&mut self, bytes: &[u8]) {
        let max = match self.place {
            Place::Header => self.limits.field_len,
            Place::Body => LINE_HEAD_LEN,
        };
        let room = max.saturating_sub(self.pending.len());
        self.pending.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.pending_len += length(bytes);
        self.pending_ends_in_cr = bytes.last() == Some(&b'\r');
    }

    /// The last piece of a line that came in pieces.
    fn end_pending(&mut self, piece: &[u8]) {
        let ends_in_cr = self.pending_ends_in_cr;
        let (text, mut end_len) = without_line_end(piece);
        self.keep(text);
        if text.is_empty() && end_len == 1 && ends_in_cr {
            end_len = 2;
            if length(&self.pending) == self.pending_len {
                self.pending.pop();
            }
        }
        let len = self.pending_len + length(piece) - length(text);
        let mut pending = std::mem::take(&mut self.pending);
        self.line(&pending, len, end_len);
        pending.clear();
        self.pending = pending;
    }

    /// A line: its text, perhaps cut, and its length in the message, line end included.
    fn line(&mut self, text: &[u8], len: u64, end_len: u64) {
        let start = self.line_start;
        let next = Mark { offset: start.offset + len, lines: start.lines + u64::from(end_len > 0) };
        if let Some(found) = self.tree.find_boundary(text) {
            self.end_field();
            // The line end before a boundary belongs to it (RFC 2046 §5.1.1).
            let line_end = u64::from(self.line_end_len > 0);
            let end =
                Mark { offset: start.offset - self.line_end_len, lines: start.lines - line_end };
            self.place = Place::Body;
            if self.tree.pass_boundary(found, end) && end_len > 0 {
                self.tree.open_part(next);
                self.place = Place::Header;
            }
        } else if self.place == Place::Header {
            self.header_line(text, next);
        }
        self.line_start = next;
        self.line_end_len = end_len;
        self.pending_len = 0;
    }

    fn header_line(&mut self, text: &[u8], next: Mark) {
        match text.first() {
            None => {
                self.end_field();
                if !self.tree.end_header(next) {
                    self.place = Place::Body;
                }
            }
            Some(b' ' | b'\t') if self.field.is_empty() => {}
            Some(b' ' | b'\t') => {
                // Unfolded at once; how far the line was indented says nothing.
                self.field.truncate(self.field.trim_ascii_end().len());
                self.add_to_field(b" ");
                self.add_to_field(text.trim_ascii_start());
            }
            Some(_) => {
                self.end_field();
                let (name, _) = split_field(text);
                if is_part_field(name) || (self.tree.in_message_header() && is_message_field(name))
                {
                    self.add_to_field(text);
                }
            }
        }
    }

    fn add_to_field(&mut self, text: &[u8]) {
        let room = self.limits.field_len.saturating_sub(self.field.len()).min(self.headers_left);
        let text = text.get(..room).unwrap_or(text);
        self.field.extend_from_slice(text);
        self.headers_left -= text.len();
    }

    fn end_field(&mut self) {
        if !self.field.is_empty() {
            let (name, value) = split_field(&self.field);
            self.tree.field(name, value);
            self.field.clear();
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::part::{Part, PartKind};
    use super::{Card, Limits, Scanner};

    /// The outline of a part: `type/subtype[body]`, what is inside in parentheses.
    fn outline(part: &Part, message: &str) -> String {
        let bytes = |at: u64| usize::try_from(at).unwrap();
        let name = format!(
            "{}/{}",
            String::from_utf8_lossy(&part.media_type),
            String::from_utf8_lossy(&part.subtype)
        );
        match &part.kind {
            PartKind::Leaf => format!(
                "{name}[{}]",
                &message[bytes(part.body.start)..bytes(part.body.end)].escape_debug()
            ),
            PartKind::Multipart(children) => {
                let inside: Vec<String> =
                    children.iter().map(|child| outline(child, message)).collect();
                format!("{name}({})", inside.join(" "))
            }
            PartKind::Message(envelope, child) => {
                let subject = envelope
                    .subject
                    .as_ref()
                    .map_or_else(String::new, |s| String::from_utf8_lossy(s).into_owned());
                format!("{name}:{subject}({})", outline(child, message))
            }
        }
    }

    /// The card is the same however the message is cut into pieces.
    fn scan(message: &[u8]) -> Card {
        let card = Scanner::scan(message);
        for step in 1..=message.len().min(300) {
            let mut scanner = Scanner::new(Limits::default());
            message.chunks(step).for_each(|piece| scanner.push(piece));
            assert_eq!(scanner.finish(), card, "in pieces of {step}");
        }
        for cut in 0..message.len() {
            let mut scanner = Scanner::new(Limits::default());
            scanner.push(&message[..cut]);
            scanner.push(&message[cut..]);
            assert_eq!(scanner.finish(), card, "cut at {cut}");
        }
        assert_eq!(Card::decode(&card.encode()), Some(card.clone()));
        card
    }

    #[test]
    fn outlines() {
        let mixed = "Content-Type: multipart/mixed; boundary=foo\n\n";
        for (body, expected) in [
            ("", "multipart/mixed(text/plain[])"),
            (
                "pre\n--foo\n\na\n--foo\n\nb\n--foo--\nepilogue\n--foo\n",
                "multipart/mixed(text/plain[a] text/plain[b])",
            ),
            // The close delimiter is missing.
            ("--foo\n\na\nb", "multipart/mixed(text/plain[a\\nb])"),
            ("--foo\r\n\r\na\r\n--foo--", "multipart/mixed(text/plain[a])"),
            // A boundary that begins like another: the longest counts.
            (
                "--foo\nContent-Type: multipart/x; boundary=foobar\n\n--foobar\n\na\n--foobar--\n--foo\n\nb\n--foo--\n",
                "multipart/mixed(multipart/x(text/plain[a]) text/plain[b])",
            ),
            // A part ended by an outer boundary, in the body and in the header.
            (
                "--foo\nContent-Type: multipart/x; boundary=in\n\n--in\n\na\n--foo\n\nb\n--foo--\n",
                "multipart/mixed(multipart/x(text/plain[a]) text/plain[b])",
            ),
            (
                "--foo\nContent-Type: text/html\n--foo\n--foo\n\nb\n--foo--\n",
                "multipart/mixed(text/html[] text/plain[] text/plain[b])",
            ),
            // The boundary of an inner part is the same as that of the outer.
            (
                "--foo\nContent-Type: multipart/x; boundary=foo\n\n--foo\n\na\n--foo--\n--foo\n\nb\n--foo--\n",
                "multipart/mixed(multipart/x(text/plain[a]) text/plain[b])",
            ),
            (
                "--foo\nContent-Type: multipart/x; boundary=in\n\n--in\n--foo\n--foo--\n",
                "multipart/mixed(multipart/x(text/plain[]) text/plain[])",
            ),
            (
                "--foo\nContent-Type: message/rfc822\n\nSubject: in\n\ntext\n--foo--\n",
                "multipart/mixed(message/rfc822:in(text/plain[text]))",
            ),
            (
                "--foo\nContent-Type: message/global\n\nSubject: in\n--foo\n\nb",
                "multipart/mixed(message/global:in(text/plain[]) text/plain[b])",
            ),
            (
                "--foo\nContent-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\nx\n--d\nContent-Type: text/plain\n\ny\n--d--\n--foo--",
                "multipart/mixed(multipart/digest(message/rfc822:one(text/plain[x]) text/plain[y]))",
            ),
            (
                "--foo\nContent-Type: multipart/mixed\n\nno boundary\n--foo--",
                "multipart/mixed(multipart/mixed(text/plain[]))",
            ),
            ("--foo\nContent-Type: bad\n\na\n--foo--", "multipart/mixed(text/plain[a])"),
            ("--fo\n-\n--\n\n--foo \t\n\na\n--foo--", "multipart/mixed(text/plain[a])"),
        ] {
            let message = format!("{mixed}{body}");
            assert_eq!(outline(&scan(message.as_bytes()).structure, &message), expected, "{body}");
        }
        for (message, expected) in [
            ("", "text/plain[]"),
            ("\r\nbody", "text/plain[body]"),
            ("\ra: b\n\nbody", "text/plain[body]"),
            (" lost\nno colon\nSubject: x", "text/plain[]"),
            ("Content-Transfer-Encoding: base64\n\nx", "text/plain[x]"),
            ("Content-Type:\n text/html;\n charset=x\n\nx", "text/html[x]"),
        ] {
            assert_eq!(outline(&scan(message.as_bytes()).structure, message), expected);
        }
    }

    #[test]
    fn what_a_card_tells() {
        let card = scan(
            b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: A <a@b>\r\nFrom: c@d\r\nSubject: caf\xc3\xa9\r\n \r\n  time\r\nReferences: <r1@x>\r\n <r2@x>\r\nIn-Reply-To: <i@x>\r\nMessage-ID: <m@x>\r\nMIME-Version: 1.0\r\nContent-Type: TEXT/Plain; name=\"a b\"\r\nContent-Disposition: attachment; filename=x\r\nContent-Language: en, de\r\n\r\n1\r\n2\r\n",
        );
        assert_eq!(card.sent.unwrap().at.seconds(), 880_127_706);
        assert_eq!(card.envelope.subject.as_deref(), Some(&b"=?utf-8?b?Y2Fmw6k=?= time"[..]));
        assert_eq!(card.envelope.from.len(), 2);
        assert_eq!(card.envelope.reply_to_or_from(), card.envelope.from);
        assert_eq!(card.message_id.as_deref(), Some(&b"m@x"[..]));
        assert_eq!(card.thread_root.as_deref(), Some(&b"r1@x"[..]));
        assert!(card.structure.is("text", "plain"));
        assert!(card.structure.parameter("charset").unwrap().is("us-ascii"));
        assert_eq!(card.structure.language.len(), 2);
        assert_eq!(
            (card.structure.lines, card.structure.body.end - card.structure.body.start),
            (2, 6)
        );
    }

    fn depth(part: &Part) -> usize {
        match &part.kind {
            PartKind::Leaf => 1,
            PartKind::Multipart(children) => 1 + children.iter().map(depth).max().unwrap_or(0),
            PartKind::Message(_, child) => 1 + depth(child),
        }
    }

    #[test]
    fn every_limit_is_reached() {
        let limits = Limits::default();
        let mut many = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
        many.extend(b"--b\n\nx\n".repeat(5000));
        let card = Scanner::scan(&many);
        let PartKind::Multipart(parts) = &card.structure.kind else { panic!("no multipart") };
        assert_eq!(parts.len(), limits.parts - 1);
        assert_eq!(parts.last().unwrap().body.end, card.size);

        for (level, last) in [
            ("Content-Type: message/rfc822\n\n", ""),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b\n", "\n--b--"),
        ] {
            let deep = format!("{}{last}", level.repeat(500));
            let card = Scanner::scan(deep.as_bytes());
            assert!(
                (limits.depth - 1..=limits.depth + 1).contains(&depth(&card.structure)),
                "{}",
                depth(&card.structure)
            );
            assert_eq!(Card::decode(&card.encode()), Some(card));
        }

        let folded = format!("Subject: x\n{}\nTo: a@b\n\nbody", " y\n".repeat(500_000));
        assert!(Scanner::scan(folded.as_bytes()).envelope.subject.unwrap().len() <= 4096);
        let headers =
            format!("{}Date: 1 Jan 2000 1:1\n\nbody", "References: <a@b>\n".repeat(50_000));
        assert_eq!(Scanner::scan(headers.as_bytes()).envelope.date, None);
    }

    #[test]
    fn the_largest_card_is_one_that_is_read_back() {
        let long = "l".repeat(120);
        let eight = "é".repeat(600);
        let envelope = format!(
            "Subject: {eight}\nMessage-ID: <{0}@m>\nReferences: <{0}@r>\nDate: {eight}\nIn-Reply-To: {0}\nTo: {1}\nCc: {1}\n",
            "i".repeat(900),
            format!("Some Name <{long}@{long}>, ").repeat(900),
        );
        let part = format!(
            "--b\nContent-Type: {long}/{long}; {long}={long}\nContent-Disposition: {long}\nContent-ID: <{long}>\n\n\n"
        );
        let message =
            format!("{envelope}Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(2000));
        let card = Scanner::scan(message.as_bytes());
        let stored = card.encode();
        assert!(stored.len() < 64 * 1024, "{}", stored.len());
        assert!(stored.len() > 48 * 1024, "{}", stored.len());
        assert_eq!(Card::decode(&stored), Some(card));
    }
}
