//! Reads one mbox file from its first message to its last, a line at a time: a file of any size, with lines of any
//! length, costs the same memory. Whoever wrote the file controls it.

use crate::base::Timestamp;
use crate::mail::header::HEADER_LEN_MAX;
use crate::mail::{Date, mbox};
use std::io::{self, BufRead, Read};

/// A message's beginning.
#[derive(Debug)]
pub struct Head {
    /// Its header without the fields of the writing program, lines as they were, with the empty line that ends it.
    pub header: Vec<u8>,
    /// What those fields said.
    pub marks: mbox::Marks,
    /// When it came.
    pub date: Date,
}

/// An mbox file that is being read.
pub struct MboxFile<R> {
    reader: R,
    /// Bytes read so far.
    pub at: u64,
    line: Vec<u8>,
    /// The next line is the first, or follows an empty one.
    after_blank: bool,
    /// The line before was cut for its length, and goes on.
    cut: bool,
    /// What the `From ` line that was read last says.
    begun: Option<mbox::Begin>,
    /// An empty line that is the message's only if another line of it follows.
    held: Vec<u8>,
    otherwise: Timestamp,
}

/// Longer lines come in pieces.
const LINE_LEN_MAX: usize = 64 * 1024;

/// What a line is.
enum Line {
    Text,
    Begin,
    End,
}

impl<R: BufRead> MboxFile<R> {
    /// Opens the file; `None` if it does not begin like an mbox. `otherwise` is the date of messages without one.
    pub fn open(reader: R, otherwise: Timestamp) -> io::Result<Option<Self>> {
        let mut file = Self {
            reader,
            at: 0,
            line: Vec::new(),
            after_blank: true,
            cut: false,
            begun: None,
            held: Vec::new(),
            otherwise,
        };
        loop {
            match file.next_line()? {
                Line::Begin => return Ok(Some(file)),
                Line::Text if file.line.trim_ascii().is_empty() => file.after_blank = true,
                Line::Text => return Ok(None),
                // An empty file is a folder without messages.
                Line::End => return Ok(Some(file)),
            }
        }
    }

    /// The header of the next message; what was not read of the one before is passed over.
    pub fn next_head(&mut self) -> io::Result<Option<Head>> {
        while self.begun.is_none() {
            if matches!(self.next_line()?, Line::End) {
                return Ok(None);
            }
        }
        let began = self.begun.take();
        self.held.clear();
        let mut header = Vec::new();
        while header.len() < HEADER_LEN_MAX {
            match self.next_line()? {
                Line::Begin | Line::End => break,
                Line::Text => header.extend_from_slice(&self.line),
            }
            if self.after_blank {
                break;
            }
        }
        let date = match began {
            Some(mbox::Begin::Dated(date)) => Some(date),
            Some(mbox::Begin::Undated) | None => mbox::date_of(&header),
        };
        let date = date.unwrap_or(Date { at: self.otherwise, zone_minutes: 0 });
        let (header, marks) = mbox::read_header(&header);
        Ok(Some(Head { header, marks, date }))
    }

    /// Calls `take` with the message's body, piece by piece. The outer error is the file's, the inner one `take`'s.
    pub fn body<E>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> io::Result<Result<(), E>> {
        while self.begun.is_none() {
            let whole_line = !self.cut;
            if !matches!(self.next_line()?, Line::Text) {
                break;
            }
            let held = std::mem::take(&mut self.held);
            if let Err(error) = take(&held) {
                return Ok(Err(error));
            }
            if self.after_blank {
                self.held.clone_from(&self.line);
                continue;
            }
            let line = if whole_line { mbox::unquoted(&self.line) } else { &self.line };
            if let Err(error) = take(line) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn next_line(&mut self) -> io::Result<Line> {
        self.line.clear();
        let goes_on = self.cut;
        (&mut self.reader).take(LINE_LEN_MAX as u64).read_until(b'\n', &mut self.line)?;
        self.at += self.line.len() as u64;
        if self.line.is_empty() {
            return Ok(Line::End);
        }
        self.cut = self.line.last() != Some(&b'\n');
        if !goes_on && let Some(begun) = mbox::from_line(&self.line, self.after_blank) {
            self.begun = Some(begun);
            self.after_blank = false;
            return Ok(Line::Begin);
        }
        self.after_blank = !goes_on && matches!(self.line.as_slice(), b"\n" | b"\r\n");
        Ok(Line::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::MboxFile;
    use crate::base::Timestamp;

    type Read = Vec<(i64, String, String)>;

    fn read(text: &[u8]) -> Option<Read> {
        let mut file = MboxFile::open(text, Timestamp::from_seconds(7)).unwrap()?;
        let mut all = Vec::new();
        while let Some(head) = file.next_head().unwrap() {
            let mut body = Vec::new();
            let take = |piece: &[u8]| {
                body.extend_from_slice(piece);
                Ok::<_, ()>(())
            };
            file.body(take).unwrap().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            all.push((head.date.at.seconds(), text(&head.header), text(&body)));
        }
        assert_eq!(file.at, text.len() as u64);
        Some(all)
    }

    fn one(date: i64, header: &str, body: &str) -> (i64, String, String) {
        (date, header.to_owned(), body.to_owned())
    }

    #[test]
    fn messages_are_parted_and_come_as_they_were() {
        let text = b"From a@b Sat Jul 17 02:44:25 2010\nA: 1\nStatus: R\n\none\n\n>From x\n>>From y\nFrom z Sat Jul 17 02:44:25 2010\n\n\n\
            From a@b Sat Jul 17 02:44:26 2010\nA: 2\n\n\nFrom - Sat Jul 17 02:44:27 2010\r\nA: 3\r\n\r\nthree\r\n";
        let all = read(text).unwrap();
        assert_eq!(
            all,
            [
                one(
                    1_279_334_665,
                    "A: 1\n\n",
                    "one\n\nFrom x\n>From y\nFrom z Sat Jul 17 02:44:25 2010\n\n"
                ),
                one(1_279_334_666, "A: 2\n\n", ""),
                one(1_279_334_667, "A: 3\r\n\r\n", "three\r\n"),
            ]
        );
    }

    #[test]
    fn dates_come_from_elsewhere_where_the_line_has_none() {
        let text = b"From -\nDate: 17 Jul 2010 02:44:25 +0000\n\nx\n\nFrom -\nA: 1\n\n";
        let dates: Vec<i64> = read(text).unwrap().into_iter().map(|(date, ..)| date).collect();
        assert_eq!(dates, [1_279_334_665, 7]);
    }

    #[test]
    fn a_long_line_and_a_header_without_end_lose_nothing() {
        let long = "x".repeat(200_000);
        let text = format!("From a Sat Jul 17 02:44:25 2010\nA: 1\n\n{long}\n>{long}");
        assert_eq!(read(text.as_bytes()).unwrap()[0].2, format!("{long}\n>{long}"));
        let fields = "A: 1\n".repeat(60_000);
        let text = format!("From a Sat Jul 17 02:44:25 2010\n{fields}\nbody\n");
        let all = read(text.as_bytes()).unwrap();
        assert_eq!(format!("{}{}", all[0].1, all[0].2), format!("{fields}\nbody\n"));
    }

    #[test]
    fn what_is_no_mbox_is_told_so() {
        assert_eq!(read(b"Subject: x\n\nFrom a Sat Jul 17 02:44:25 2010\n"), None);
        assert_eq!(read(b""), Some(Vec::new()));
        assert_eq!(read(b"\n\nFrom -\nA: 1\n\n").unwrap().len(), 1);
    }
}
