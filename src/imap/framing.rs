//! Cuts what comes from the client into commands: lines, and literals that end a line with `{3}` and go on after it
//! (RFC 3501 §4.3, RFC 7888). Whether a literal is taken is decided by the session, which sees what came before it.

use super::args::{Sending, literal_size};
use crate::base::{Cursor, Input, Line};

/// The command that is coming in.
#[derive(Debug, Default)]
pub struct Framing {
    command: Vec<u8>,
    literal_left: usize,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// A whole command, without its line end.
    Command(Vec<u8>),
    /// A line that ends by announcing a literal: call `accept` or `take`.
    Literal(u64, Sending),
    /// More must come.
    Part,
    /// It is too long; nothing of the line was taken.
    TooLong,
}

impl Framing {
    /// Reads on; a command has at most `max` bytes, literals included.
    pub fn read(&mut self, input: &mut Input, max: usize) -> Framed {
        if self.literal_left > 0 {
            let piece = input.take(self.literal_left);
            self.literal_left -= piece.len();
            self.command.extend(piece);
            if self.literal_left > 0 {
                return Framed::Part;
            }
        }
        let Some(room) = max.checked_sub(self.command.len()) else { return Framed::TooLong };
        let mut line = match input.line(room) {
            Line::Whole(line) => line,
            Line::Partial => return Framed::Part,
            Line::TooLong => return Framed::TooLong,
        };
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        match announced(&line) {
            Some((size, sending)) => {
                self.command.extend(line);
                self.command.extend(b"\r\n");
                Framed::Literal(size, sending)
            }
            None if self.command.is_empty() => Framed::Command(line),
            None => {
                self.command.extend(line);
                Framed::Command(std::mem::take(&mut self.command))
            }
        }
    }

    /// What has come of the command so far, up to the announced literal.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// The announced literal becomes part of the command.
    pub fn accept(&mut self, size: usize) {
        self.literal_left = size;
    }

    /// The command ends here; what has come of it.
    pub fn take(&mut self) -> Vec<u8> {
        self.literal_left = 0;
        std::mem::take(&mut self.command)
    }
}

/// The literal that a line ends by announcing.
pub fn announced(line: &[u8]) -> Option<(u64, Sending)> {
    let brace =
        line.last().filter(|&&b| b == b'}').and_then(|_| line.iter().rposition(|&b| b == b'{'))?;
    literal_size(&mut Cursor::new(line.get(brace..)?))
}

#[cfg(test)]
mod tests {
    use super::{Framed, Framing, Sending};
    use crate::base::Input;

    #[test]
    fn a_command_of_lines_and_literals() {
        let mut input = Input::default();
        let mut framing = Framing::default();
        input.push(b"a NOOP\r\na LOGIN {3}\r\njoe {4+}\r\npass\r\nb ");
        assert_eq!(framing.read(&mut input, 100), Framed::Command(b"a NOOP".to_vec()));
        assert_eq!(framing.read(&mut input, 100), Framed::Literal(3, Sending::Waits));
        framing.accept(3);
        assert_eq!(framing.read(&mut input, 100), Framed::Literal(4, Sending::AtOnce));
        assert_eq!(framing.command(), b"a LOGIN {3}\r\njoe {4+}\r\n");
        framing.accept(4);
        let whole = b"a LOGIN {3}\r\njoe {4+}\r\npass".to_vec();
        assert_eq!(framing.read(&mut input, 100), Framed::Command(whole));
        assert_eq!(framing.read(&mut input, 100), Framed::Part);
        assert_eq!(framing.read(&mut input, 1), Framed::TooLong);
    }

    #[test]
    fn what_is_no_literal_is_text() {
        for text in ["a {}", "a {x}", "a {3", "a 3}", "a {99999999999999999999}", "a {3-}"] {
            let mut input = Input::default();
            input.push(format!("{text}\r\n").as_bytes());
            let framed = Framing::default().read(&mut input, 100);
            assert_eq!(framed, Framed::Command(text.into()), "{text}");
        }
    }
}
