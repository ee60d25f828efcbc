//! Writes a header field in short lines (RFC 5322 §2.2.3). Its words are ours.

use crate::mail::header::Field;

/// RFC 5322 §2.1.1 wants at most 78 bytes in a line, without its end.
const LINE_LEN_MAX: usize = 77;

/// A field that is being written.
#[derive(Debug)]
pub struct Folding {
    text: String,
    /// Bytes in the last line.
    column: usize,
}

impl Folding {
    /// Begins with the name and its colon.
    pub fn new(name: &str) -> Self {
        let text = format!("{name}:");
        Self { column: text.len(), text }
    }

    /// Adds a word and a blank before it.
    pub fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > LINE_LEN_MAX {
            self.fold();
        } else {
            self.add(" ");
        }
        self.add(word);
    }

    /// Adds what belongs to the word before it, where a line may end between them.
    pub fn join(&mut self, word: &str) {
        if self.column + word.len() > LINE_LEN_MAX {
            self.fold();
        }
        self.add(word);
    }

    /// Adds ASCII between whose characters any line may end.
    pub fn fill(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.column >= LINE_LEN_MAX {
                self.fold();
            }
            let room = LINE_LEN_MAX - self.column;
            let (line, after) = rest.split_at_checked(room).unwrap_or((rest, ""));
            self.add(line);
            rest = after;
        }
    }

    /// What is written so far.
    pub fn as_field(&self) -> Field<'_> {
        let (name, value) = self.text.split_once(':').unwrap_or((&self.text, ""));
        Field { name: name.as_bytes(), value: value.as_bytes(), raw: self.text.as_bytes() }
    }

    /// The field with its line end.
    pub fn finish(self) -> String {
        self.text + "\r\n"
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n ");
        self.column = 1;
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::Folding;

    #[test]
    fn lines_are_short_and_lose_nothing() {
        let mut field = Folding::new("Name");
        field.word("one;");
        field.word(&"two".repeat(23));
        field.join(&"3".repeat(7));
        field.join("four");
        field.fill(&"x".repeat(150));
        let text = field.finish();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines[0], "Name: one;");
        assert_eq!(lines[1], format!(" {}{}", "two".repeat(23), "3".repeat(7)));
        assert!(lines[2].starts_with(" fourxxx") && lines[2].len() == 77);
        assert!(lines.iter().all(|line| line.len() <= 77));
        assert_eq!(text.matches('x').count(), 150);
        // A word that no line holds stands alone.
        let mut field = Folding::new("Name");
        field.word(&"y".repeat(100));
        field.word("z");
        assert_eq!(field.finish(), format!("Name:\r\n {}\r\n z\r\n", "y".repeat(100)));
    }
}
