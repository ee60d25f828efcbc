//! A short letter from the server to one of its people.

use super::address::Address;
use super::date::Date;
use std::fmt::Write;

/// What goes into it.
#[derive(Debug)]
pub struct Letter<'a> {
    /// The server's name.
    pub host: &'a str,
    /// To whom.
    pub to: &'a Address,
    /// When it is written.
    pub at: Date,
    /// `left@right`.
    pub message_id: &'a str,
    /// ASCII.
    pub subject: &'a str,
    /// Paragraphs, each a line.
    pub text: &'a str,
}

const WIDTH: usize = 76;

impl Letter<'_> {
    /// The whole message, lines ended by CRLF.
    pub fn message(&self) -> Vec<u8> {
        let Self { host, to, at, message_id, subject, text } = self;
        let mut out = format!(
            "From: Pillarbox <postmaster@{host}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {at}\r\nMessage-ID: <{message_id}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n"
        );
        for paragraph in text.lines() {
            out += "\r\n";
            let mut width = 0;
            for word in paragraph.split(' ') {
                if width > 0 && width + 1 + word.chars().count() > WIDTH {
                    out += "\r\n";
                    width = 0;
                }
                if width > 0 {
                    out.push(' ');
                    width += 1;
                }
                // Writing to a string cannot fail.
                let _ = write!(out, "{word}");
                width += word.chars().count();
            }
            out += "\r\n";
        }
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Date, Letter};
    use crate::base::Timestamp;

    #[test]
    fn paragraphs_are_filled() {
        let to = Address::parse(b"ann@example.org").unwrap();
        let letter = Letter {
            host: "mail.example.org",
            to: &to,
            at: Date { at: Timestamp::from_seconds(0), zone_minutes: 0 },
            message_id: "1@mail.example.org",
            subject: "Hello",
            text: &format!("{}\nTwo.", "word ".repeat(30).trim_end()),
        };
        let text = String::from_utf8(letter.message()).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            body.lines().all(|line| line.len() <= 76) && body.ends_with("word\r\n\r\nTwo.\r\n"),
            "{text}"
        );
    }
}
