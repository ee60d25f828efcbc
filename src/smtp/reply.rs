//! What a server says (RFC 5321 §4.2): a code, mostly an enhanced code (RFC 2034, RFC 3463), and text for people.

use std::borrow::Cow;

/// An enhanced status code: class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced(pub u16, pub u16, pub u16);

/// A reply of one line or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    lines: Vec<Cow<'static, str>>,
}

/// Bytes of text in a line; with the codes it stays under the 512 of RFC 5321 §4.5.3.1.5.
const TEXT_LEN_MAX: usize = 480;

impl Reply {
    /// With an enhanced code. Whatever is not printable ASCII in the text goes out as `?`.
    pub fn new(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// Without one: the greeting, HELO, EHLO, 334 and 354 have none (RFC 2034 §4).
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, lines: vec![text.into()] }
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// The same, but the session goes on: 451 for 421 (RFC 5321 §4.2.2).
    #[must_use]
    pub const fn without_farewell(mut self) -> Self {
        if self.code == 421 {
            self.code = 451;
        }
        self
    }

    /// The three digits.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code.
    pub const fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// What it says to people.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Appends it as it goes over the line.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (place, text) in self.lines.iter().enumerate() {
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(if place + 1 < self.lines.len() { b'-' } else { b' ' });
            if let Some(Enhanced(class, subject, detail)) = self.enhanced {
                out.extend_from_slice(format!("{class}.{subject}.{detail} ").as_bytes());
            }
            let printable = |b: u8| if matches!(b, b' '..=b'~') { b } else { b'?' };
            out.extend(text.bytes().take(TEXT_LEN_MAX).map(printable));
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Enhanced, Reply};

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_many_lines_and_hostile_text() {
        let reply = Reply::new(550, Enhanced(5, 1, 1), "no\r\n250 such").line("user");
        assert_eq!(written(&reply), "550-5.1.1 no??250 such\r\n550 5.1.1 user\r\n");
        assert_eq!(written(&Reply::plain(334, "")), "334 \r\n");
        assert_eq!(written(&Reply::plain(220, "x".repeat(600))).len(), 486);
    }
}
