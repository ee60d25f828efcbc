//! The trace fields that delivery writes on top of a message (RFC 5321 §4.4). A field stays under 900 bytes: longer
//! ones made Outlook lose bodies. The peer controls the name that it greeted with, the sender the addresses.

use super::address::Address;
use super::date::Date;
use crate::base::TlsFacts;
use std::fmt::Write;
use std::net::IpAddr;

/// How a message came (RFC 3848, RFC 6531 §4.3): the S is for TLS, the A for AUTH, UTF8 for SMTPUTF8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// After HELO.
    Smtp,
    /// After EHLO.
    Esmtp,
    /// EHLO and TLS.
    Esmtps,
    /// EHLO and AUTH.
    Esmtpa,
    /// EHLO, TLS and AUTH.
    Esmtpsa,
    /// EHLO and SMTPUTF8.
    Utf8Smtp,
    /// EHLO, SMTPUTF8 and TLS.
    Utf8Smtps,
    /// EHLO, SMTPUTF8 and AUTH.
    Utf8Smtpa,
    /// EHLO, SMTPUTF8, TLS and AUTH.
    Utf8Smtpsa,
    /// LHLO.
    Lmtp,
    /// LHLO and TLS.
    Lmtps,
    /// LHLO and SMTPUTF8.
    Utf8Lmtp,
    /// LHLO, SMTPUTF8 and TLS.
    Utf8Lmtps,
    /// From a program on this machine. No registered name; other servers write it so as well.
    Local,
}

impl Protocol {
    /// As the `with` clause names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Esmtp => "ESMTP",
            Self::Esmtps => "ESMTPS",
            Self::Esmtpa => "ESMTPA",
            Self::Esmtpsa => "ESMTPSA",
            Self::Utf8Smtp => "UTF8SMTP",
            Self::Utf8Smtps => "UTF8SMTPS",
            Self::Utf8Smtpa => "UTF8SMTPA",
            Self::Utf8Smtpsa => "UTF8SMTPSA",
            Self::Lmtp => "LMTP",
            Self::Lmtps => "LMTPS",
            Self::Utf8Lmtp => "UTF8LMTP",
            Self::Utf8Lmtps => "UTF8LMTPS",
            Self::Local => "local",
        }
    }
}

/// What a Received field tells.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The name that the client greeted with, or of the local user; anything may be in it.
    pub greeting: &'a str,
    /// Where it connected from; `None` leaves the address of an own user out.
    pub peer: Option<IpAddr>,
    /// If the session was encrypted.
    pub tls: Option<&'a TlsFacts>,
    /// Our name.
    pub by: &'a str,
    /// How it came.
    pub with: Protocol,
    /// Our id of the transaction.
    pub id: &'a str,
    /// The recipient, if there is only one: others must not be told.
    pub recipient: Option<&'a Address>,
    /// When.
    pub at: Date,
}

/// The longest pieces: five of them and the words between stay under 900 bytes.
const NAME_LEN_MAX: usize = 120;
const TLS_LEN_MAX: usize = 60;

impl Received<'_> {
    /// The field with its line end, folded.
    pub fn field(&self) -> String {
        let mut field = format!("Received: from {}", word(self.greeting, NAME_LEN_MAX));
        // Writing to a string cannot fail.
        let _ = match self.peer {
            Some(IpAddr::V4(peer)) => write!(field, " ([{peer}])"),
            Some(IpAddr::V6(peer)) => write!(field, " ([IPv6:{peer}])"),
            None => Ok(()),
        };
        if let Some(tls) = self.tls {
            let (version, cipher) =
                (word(&tls.version, TLS_LEN_MAX), word(&tls.cipher, TLS_LEN_MAX));
            let _ = write!(field, "\r\n\t(using {version} with cipher {cipher})");
        }
        let (by, id) = (word(self.by, NAME_LEN_MAX), word(self.id, NAME_LEN_MAX));
        let _ = write!(field, "\r\n\tby {by} with {} id {id}", self.with.name());
        if let Some(recipient) = self.recipient {
            let _ = write!(field, "\r\n\tfor <{recipient}>");
        }
        let _ = write!(field, ";\r\n\t{}\r\n", self.at);
        field
    }
}

/// `Return-Path:`, once, at final delivery; `None` is the empty reverse path.
pub fn return_path(reverse_path: Option<&Address>) -> String {
    reverse_path.map_or_else(
        || "Return-Path: <>\r\n".to_owned(),
        |address| format!("Return-Path: <{address}>\r\n"),
    )
}

/// `Delivered-To:`, the address that the message was delivered for.
pub fn delivered_to(recipient: &Address) -> String {
    format!("Delivered-To: {recipient}\r\n")
}

/// Something of a peer as one word: what could end a line, a comment or a clause becomes a dash.
fn word(text: &str, len_max: usize) -> String {
    let safe = |char: char| match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' | ':' | '[' | ']' | '/' | '+' => char,
        _ => '-',
    };
    let word: String = text.chars().take(len_max).map(safe).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::{Address, Date, Protocol, Received, TlsFacts, delivered_to, return_path};
    use crate::base::Timestamp;

    #[test]
    fn fields_as_written() {
        let tls = TlsFacts {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            ..TlsFacts::default()
        };
        let recipient = Address::parse(b"anna@example.org").unwrap();
        let at = Date { at: Timestamp::from_seconds(880_127_706), zone_minutes: -360 };
        let received = Received {
            greeting: "mail.example.net",
            peer: Some("192.0.2.1".parse().unwrap()),
            tls: Some(&tls),
            by: "box.example.org",
            with: Protocol::Esmtps,
            id: "abc123",
            recipient: Some(&recipient),
            at,
        };
        assert_eq!(
            received.field(),
            "Received: from mail.example.net ([192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\tby box.example.org with ESMTPS id abc123\r\n\tfor <anna@example.org>;\r\n\tFri, 21 Nov 1997 09:55:06 -0600\r\n"
        );
        assert_eq!(return_path(None), "Return-Path: <>\r\n");
        assert_eq!(return_path(Some(&recipient)), "Return-Path: <anna@example.org>\r\n");
        assert_eq!(delivered_to(&recipient), "Delivered-To: anna@example.org\r\n");
    }

    #[test]
    fn a_hostile_peer_writes_no_field_of_its_own() {
        let long = "x".repeat(2000);
        let tls = TlsFacts { version: long.clone(), cipher: long.clone(), ..TlsFacts::default() };
        let address = format!(
            "{}@{}.example",
            "a".repeat(64),
            ["b".repeat(60), "c".repeat(60), "d".repeat(50)].join(".")
        );
        let recipient = Address::parse(address.as_bytes()).unwrap();
        for greeting in ["a\r\nSubject: x", "a) (b", "", "ü", &long] {
            let field = Received {
                greeting,
                peer: Some("2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()),
                tls: Some(&tls),
                by: &long,
                with: Protocol::Esmtpsa,
                id: &long,
                recipient: Some(&recipient),
                at: Date { at: Timestamp::from_seconds(0), zone_minutes: 0 },
            }
            .field();
            assert!(field.len() < 900 && field.is_ascii());
            assert_eq!(super::super::header::Fields::new(field.as_bytes()).count(), 1);
        }
    }
}
