//! Writes responses (RFC 3501 §9): strings quoted or as literals, numbers, lists, and pieces of message files that go
//! out unchanged.

use super::dialect::Texts;
use crate::base::Output;
use crate::maildir::MailboxName;
use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// Responses that wait to be sent.
#[derive(Debug, Default)]
pub struct Writer {
    /// In which form texts beyond ASCII are written.
    pub texts: Texts,
    ready: VecDeque<Output>,
    bytes: Vec<u8>,
    len: usize,
}

/// Where the writing was.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    outputs: usize,
    bytes: usize,
    len: usize,
}

/// One output has at most this many bytes.
const OUTPUT_LEN_MAX: usize = 64 * 1024;
/// A longer text is sent as a literal.
const QUOTED_LEN_MAX: usize = 1000;

impl Writer {
    /// Text as it is.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Bytes as they are.
    pub fn raw(&mut self, mut bytes: &[u8]) -> &mut Self {
        self.len += bytes.len();
        while self.bytes.len() + bytes.len() > OUTPUT_LEN_MAX {
            let (now, later) = bytes.split_at(OUTPUT_LEN_MAX - self.bytes.len());
            self.bytes.extend_from_slice(now);
            self.cut();
            bytes = later;
        }
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A number.
    pub fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        let mut digits = [0; 20];
        let (mut at, mut left) = (digits.len(), number.into());
        loop {
            at -= 1;
            if let Some(place) = digits.get_mut(at) {
                *place = b'0' + u8::try_from(left % 10).unwrap_or(0);
            }
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.raw(digits.get(at..).unwrap_or_default())
    }

    /// `string`: quoted where that is possible, else a literal; never an empty literal.
    // Quirk(iOS 18.2): `{0}` makes it hang for 90 s, so nothing is `""`.
    pub fn string(&mut self, text: &[u8]) -> &mut Self {
        if text.len() > QUOTED_LEN_MAX || !self.texts.is_quotable(text) {
            return self.literal(text);
        }
        self.text("\"");
        for piece in text.split_inclusive(|&b| matches!(b, b'"' | b'\\')) {
            match piece.split_last() {
                Some((&last @ (b'"' | b'\\'), before)) => self.raw(before).raw(&[b'\\', last]),
                _ => self.raw(piece),
            };
        }
        self.text("\"")
    }

    /// A literal, but for an empty text.
    // Quirk(imaplib): what a section holds is looked for behind `{`.
    pub fn literal(&mut self, text: &[u8]) -> &mut Self {
        if text.is_empty() {
            return self.text("\"\"");
        }
        self.text("{").number(text.len() as u64).text("}\r\n").raw(text)
    }

    /// The name of a mailbox.
    pub fn mailbox(&mut self, name: &MailboxName) -> &mut Self {
        let texts = self.texts;
        self.string(texts.name(name).as_bytes())
    }

    /// `nstring`.
    pub fn nstring(&mut self, text: Option<&[u8]>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.text("NIL"),
        }
    }

    /// A piece of a file as a literal.
    pub fn file(&mut self, file: &Arc<File>, range: Range<u64>) -> &mut Self {
        let size = range.end.saturating_sub(range.start);
        if size == 0 {
            return self.text("\"\"");
        }
        self.text("{").number(size).text("}\r\n");
        self.cut();
        self.ready.push_back(Output::File { file: file.clone(), range });
        self
    }

    /// `(a b c)`, each written by `item`.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        self.text("(");
        for (at, one) in items.into_iter().enumerate() {
            if at > 0 {
                self.text(" ");
            }
            item(self, one);
        }
        self.text(")")
    }

    /// Bytes that wait here; files do not count.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Does nothing wait, no file either?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ready.is_empty()
    }

    /// Should what waits go out before more is written?
    pub const fn is_full(&self) -> bool {
        self.len >= OUTPUT_LEN_MAX
    }

    /// Does a piece of a file wait?
    pub fn has_file(&self) -> bool {
        self.ready.iter().any(|output| matches!(output, Output::File { .. }))
    }

    /// Where the writing is.
    pub fn place(&self) -> Place {
        Place { outputs: self.ready.len(), bytes: self.bytes.len(), len: self.len }
    }

    /// Takes back all that was written since; nothing of it may have been sent.
    pub fn take_back(&mut self, place: Place) {
        if self.ready.len() > place.outputs {
            // What waited then begins the first output since.
            self.ready.truncate(place.outputs + 1);
            self.bytes = match self.ready.pop_back() {
                Some(Output::Bytes(bytes)) => bytes,
                Some(Output::File { .. }) | None => Vec::new(),
            };
        }
        self.bytes.truncate(place.bytes);
        self.len = place.len;
    }

    /// Appends what another has.
    pub fn append(&mut self, other: &mut Self) {
        if other.ready.is_empty() {
            let bytes = std::mem::take(&mut other.bytes);
            self.raw(&bytes);
        } else {
            self.cut();
            other.cut();
            self.ready.append(&mut other.ready);
            self.len += other.len;
        }
        other.len = 0;
    }

    /// The next output, until nothing waits.
    pub fn next(&mut self) -> Option<Output> {
        let next = self.ready.pop_front().or_else(|| {
            let bytes = std::mem::take(&mut self.bytes);
            (!bytes.is_empty()).then_some(Output::Bytes(bytes))
        })?;
        if let Output::Bytes(bytes) = &next {
            self.len = self.len.saturating_sub(bytes.len());
        }
        Some(next)
    }

    fn cut(&mut self) {
        if !self.bytes.is_empty() {
            self.ready.push_back(Output::Bytes(std::mem::take(&mut self.bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::base::Output;
    use std::fs::File;
    use std::sync::Arc;

    fn written(write: impl FnOnce(&mut Writer) -> &mut Writer) -> String {
        let (mut writer, mut all) = (Writer::default(), Vec::new());
        write(&mut writer);
        while let Some(Output::Bytes(bytes)) = writer.next() {
            assert!(bytes.len() <= 65_536);
            all.extend(bytes);
        }
        assert_eq!(writer.len(), 0);
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn what_is_taken_back_was_never_written() {
        let file = Arc::new(File::open("/dev/null").unwrap());
        let kept = "k".repeat(40_000);
        for front in ["", "kept", &kept] {
            for more in [1, 30_000, 200_000] {
                for with_file in [false, true] {
                    let mut writer = Writer::default();
                    let place = writer.text(front).place();
                    writer.raw(&vec![b'x'; more]);
                    if with_file {
                        writer.file(&file, 0..9).raw(&vec![b'y'; more]);
                    }
                    writer.take_back(place);
                    assert_eq!(writer.len(), front.len());
                    assert_eq!(
                        written(|w| {
                            w.append(&mut writer);
                            w
                        }),
                        front
                    );
                }
            }
        }
    }

    #[test]
    fn strings_are_quoted_where_that_is_possible() {
        for (text, expected) in [
            ("", "\"\""),
            ("plain text", "\"plain text\""),
            ("say \"\\\"", "\"say \\\"\\\\\\\"\""),
            ("a\r\nb", "{4}\r\na\r\nb"),
            ("ü", "{2}\r\nü"),
        ] {
            assert_eq!(written(|w| w.string(text.as_bytes())), expected);
        }
        let long = "x".repeat(200_000);
        assert_eq!(written(|w| w.string(long.as_bytes())), format!("{{200000}}\r\n{long}"));
        assert_eq!(
            written(|w| w.number(0_u32).text(" ").number(u64::MAX)),
            "0 18446744073709551615"
        );
        assert_eq!(written(|w| w.list([1_u32, 2], |w, n| w.number(n))), "(1 2)");
    }
}
