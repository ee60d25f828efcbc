//! A server's reply as the client hears it (RFC 5321 §4.2, RFC 2034): codes, and text that is only ever shown. Bounded,
//! whatever the server sends.

use crate::base::{Input, Line};
use crate::smtp::reply::Enhanced;
use std::fmt;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Three digits, from 200 to 599.
    pub code: u16,
    /// The enhanced code, if its class fits the code.
    pub enhanced: Option<Enhanced>,
    /// The lines without their codes; what is not printable is `?`.
    pub lines: Vec<String>,
}

/// RFC 5321 §4.5.3.1.5 has 512; real servers say more.
const LINE_LEN_MAX: usize = 2048;
const LINES_MAX: usize = 200;

/// A reply that is coming in.
#[derive(Debug, Default)]
pub struct Listener {
    code: Option<u16>,
    lines: Vec<String>,
}

/// What the input has of a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Hearing {
    /// All of it.
    Reply(Heard),
    /// More must come.
    Part,
    /// It is none, or never ends: nothing that follows means anything.
    Nonsense(&'static str),
}

impl Listener {
    /// Takes lines until the reply is whole.
    pub fn hear(&mut self, input: &mut Input) -> Hearing {
        loop {
            let line = match input.line(LINE_LEN_MAX) {
                Line::Whole(line) => line,
                Line::Partial => return Hearing::Part,
                Line::TooLong => return Hearing::Nonsense("a reply line of more than 2,048 bytes"),
            };
            let Some((code, last, text)) = split(&line) else {
                return Hearing::Nonsense("something that is no reply");
            };
            if self.code.is_some_and(|begun| begun != code) {
                return Hearing::Nonsense("a reply whose lines have several codes");
            }
            self.code = Some(code);
            self.lines.push(text);
            if last {
                let lines = std::mem::take(&mut self.lines);
                self.code = None;
                return Hearing::Reply(Heard::new(code, lines));
            }
            if self.lines.len() >= LINES_MAX {
                return Hearing::Nonsense("a reply of more than 200 lines");
            }
        }
    }
}

/// `250-text`, `250 text` or `250`: the code, whether it is the last line, and the text.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok().filter(|_| digits.is_ascii())?.parse().ok()?;
    if !(200..600).contains(&code) {
        return None;
    }
    let (last, text) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return None,
    };
    Some((code, last, text.iter().map(|&b| printable(b)).collect()))
}

fn printable(byte: u8) -> char {
    if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }
}

impl Heard {
    /// Too many recipients for one transaction (RFC 5321 §4.5.3.1.10): 452, or the 552 of old servers.
    pub fn is_too_many(&self) -> bool {
        let says_so = |enhanced: Enhanced| (enhanced.1, enhanced.2) == (5, 3);
        matches!(self.code, 452 | 552) && self.enhanced.is_none_or(says_so)
    }

    fn new(code: u16, mut lines: Vec<String>) -> Self {
        let enhanced = lines.first().and_then(|line| read_enhanced(line)).map(|(found, _)| found);
        let enhanced = enhanced.filter(|found| found.0 == code / 100);
        if enhanced.is_some() {
            for line in &mut lines {
                if let Some((_, len)) = read_enhanced(line) {
                    line.drain(..len);
                }
            }
        }
        Self { code, enhanced, lines }
    }

    /// 2yz.
    pub const fn is_yes(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz, or what is none of the codes that could come here: for later.
    pub const fn is_for_later(&self) -> bool {
        !self.is_yes() && !self.is_refusal()
    }

    /// 5yz.
    pub const fn is_refusal(&self) -> bool {
        self.code / 100 == 5
    }

    /// The enhanced code for a report (RFC 3464 §2.3.4): its own, or one made of the code.
    pub fn status(&self) -> Enhanced {
        let class = self.code / 100;
        self.enhanced.unwrap_or(match class {
            2 | 5 => Enhanced(class, 0, 0),
            _ => Enhanced(4, 0, 0),
        })
    }
}

/// `5.1.1 ` at the start of a text, and its length with the blank.
fn read_enhanced(text: &str) -> Option<(Enhanced, usize)> {
    let word = text.split(' ').next()?;
    let mut numbers = word.split('.').map(|part| {
        let short = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| short)
    });
    let code = Enhanced(numbers.next()??, numbers.next()??, numbers.next()??);
    let valid = numbers.next().is_none() && matches!(code.0, 2 | 4 | 5);
    valid.then(|| (code, (word.len() + 1).min(text.len())))
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(Enhanced(class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        self.lines.iter().try_for_each(|line| write!(f, " {}", line.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Enhanced, Hearing, Input, Listener};

    fn hear(text: &[u8]) -> Hearing {
        let (mut listener, mut input) = (Listener::default(), Input::default());
        let mut last = Hearing::Part;
        for byte in text {
            assert_eq!(last, Hearing::Part);
            input.push(&[*byte]);
            last = listener.hear(&mut input);
        }
        last
    }

    #[test]
    fn replies_of_one_line_and_of_many() {
        let Hearing::Reply(heard) =
            hear(b"550-5.1.1 no such\r\n550-5.1.1 user \x1b[1m\r\n550 5.1.1\r\n")
        else {
            panic!("not whole")
        };
        assert_eq!((heard.code, heard.enhanced), (550, Some(Enhanced(5, 1, 1))));
        assert_eq!(heard.lines, ["no such", "user ?[1m", ""]);
        assert_eq!(heard.to_string(), "550 5.1.1 no such user ?[1m ");
        // A class that contradicts the code is text; a line feed alone ends a line.
        let Hearing::Reply(heard) = hear(b"450 5.2.0 odd\n") else { panic!("not whole") };
        assert_eq!((heard.enhanced, heard.status()), (None, Enhanced(4, 0, 0)));
        assert_eq!(heard.lines, ["5.2.0 odd"]);
        let Hearing::Reply(heard) = hear(b"354\r\n") else { panic!("not whole") };
        assert!(heard.is_for_later() && !heard.is_yes());
    }

    #[test]
    fn what_is_no_reply() {
        let long = [b"250 ".to_vec(), vec![b'x'; 3000]].concat();
        let endless = b"250-x\r\n".repeat(300);
        for text in [
            &b"SSH-2.0\r\n"[..],
            b"250x\r\n",
            b"25\r\n",
            b"100 a\r\n",
            b"+50 a\r\n",
            b"250-a\r\n251 b\r\n",
        ] {
            assert!(matches!(hear(text), Hearing::Nonsense(_)), "{text:?}");
        }
        for text in [long, endless] {
            let (mut listener, mut input) = (Listener::default(), Input::default());
            input.push(&text);
            assert!(matches!(listener.hear(&mut input), Hearing::Nonsense(_)));
        }
    }
}
