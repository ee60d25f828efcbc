//! A notice about a message's fate, as a message (RFC 3462, RFC 3464): on top what happened, what the other server said and
//! what to do, in plain words; then the same for programs; then the header of the message that it is about. What the other
//! server said and the header are strangers' words.

use super::address::Address;
use super::date::Date;
use super::dsn_wish::{EnvelopeId, OriginalRecipient};
use super::future_release::FutureRelease;
use super::header::Fields;
use std::fmt::Write;

/// What is to be told.
#[derive(Debug)]
pub struct DeliveryReport<'a> {
    /// Our name.
    pub host: &'a str,
    /// Who is told.
    pub to: &'a Address,
    /// Now.
    pub at: Date,
    /// When the message was taken.
    pub arrived: Date,
    /// A fresh id, `left@right`; its left side is the boundary too.
    pub message_id: &'a str,
    /// The sender's name for the message.
    pub envelope_id: Option<&'a EnvelopeId>,
    /// When it was to leave, if not at once.
    pub release: Option<FutureRelease>,
    /// At least one, all of one action.
    pub fates: &'a [Fate],
    /// The message, or its header alone, lines ended by CRLF.
    pub original: Original<'a>,
}

/// How much of the message goes along.
#[derive(Debug, Clone, Copy)]
pub enum Original<'a> {
    /// All of it.
    Full(&'a [u8]),
    /// Its header.
    Header(&'a [u8]),
}

/// Whose words they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The other server's.
    Server,
    /// Ours.
    Us,
}

/// How it went for one recipient.
#[derive(Debug, Clone)]
pub struct Fate {
    /// Where it went.
    pub address: Address,
    /// As the sender first wrote it.
    pub original: Option<OriginalRecipient>,
    /// What has come of it.
    pub action: Action,
    /// RFC 3463: class, subject, detail.
    pub status: (u16, u16, u16),
    /// The server that said it, if one did.
    pub host: Option<String>,
    /// Whose words `said` is.
    pub voice: Voice,
    /// What it said, or what was wrong.
    pub said: String,
    /// If it goes on being tried: until then.
    pub retry_until: Option<Date>,
}

/// What has come of a message (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet handed on.
    Delayed,
    /// In the mailbox.
    Delivered,
    /// Handed on to a server that does not tell.
    Relayed,
}

/// A row: what a status means to a person, and what to do. The first that fits counts.
struct Advice {
    subject: u16,
    detail: Option<u16>,
    text: &'static str,
}

const ADVICE: &[Advice] = &[
    Advice {
        subject: 1,
        detail: Some(1),
        text: "That server has no such address. Look for a slip in the part before the @, or ask for the new address.",
    },
    Advice {
        subject: 1,
        detail: Some(2),
        text: "There is no such domain, or it takes no mail. Look for a slip in the part after the @.",
    },
    Advice {
        subject: 1,
        detail: Some(10),
        text: "That domain says that it takes no mail at all. Look for a slip in the part after the @.",
    },
    Advice {
        subject: 1,
        detail: None,
        text: "Something is wrong with the address. Look at its spelling.",
    },
    Advice {
        subject: 2,
        detail: Some(2),
        text: "Their mailbox is full. Reach them in another way, or send again when they have made room.",
    },
    Advice {
        subject: 2,
        detail: None,
        text: "Their mailbox does not take it. Reach them in another way.",
    },
    Advice {
        subject: 3,
        detail: Some(4),
        text: "The message is too big for that server. Send less at once, or a link to a file in place of the file.",
    },
    Advice {
        subject: 4,
        detail: Some(7),
        text: "Their server could not be reached, or did not take it, in all that time. If the address is right, send \
               again later, or reach them in another way.",
    },
    Advice {
        subject: 4,
        detail: Some(6),
        text: "Mail for that address would go round in a circle. The owner of the address must mend that.",
    },
    Advice {
        subject: 6,
        detail: None,
        text: "That server cannot take a message in this form. Send it as plain text without unusual letters in addresses.",
    },
    Advice {
        subject: 7,
        detail: None,
        text: "That server does not want this message, or mail from here. Its words above may say why; whoever runs this \
               mail server should see them.",
    },
];

const ADVICE_ELSE: &str = "The words of that server above are all that is known. If they do not help, whoever runs this \
                           mail server should see this notice.";

/// Bytes of a line of a header field; a stranger's longer word is cut.
const FIELD_LINE_LEN: usize = 76;
const WORD_LEN_MAX: usize = 400;

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Not delivered",
            Self::Delayed => "Not delivered yet",
            Self::Delivered => "Delivered",
            Self::Relayed => "Handed on",
        }
    }
}

impl DeliveryReport<'_> {
    /// The whole message, lines ended by CRLF.
    pub fn text(&self) -> Vec<u8> {
        let action = self.fates.first().map_or(Action::Failed, |fate| fate.action);
        let boundary = self.message_id.split('@').next().unwrap_or("report");
        let mut out = String::new();
        let subject = match self.fates {
            [fate] => format!("{}: your message to {}", action.subject(), fate.address),
            fates => format!("{}: your message to {} people", action.subject(), fates.len()),
        };
        field(&mut out, "From", &format!("Mail delivery <postmaster@{}>", self.host));
        field(&mut out, "To", &format!("<{}>", self.to));
        field(&mut out, "Subject", &subject);
        field(&mut out, "Date", &self.at.to_string());
        field(&mut out, "Message-ID", &format!("<{}>", self.message_id));
        field(&mut out, "Auto-Submitted", "auto-replied");
        field(&mut out, "MIME-Version", "1.0");
        let report =
            format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
        field(&mut out, "Content-Type", &report);
        let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n");
        out += "Content-Transfer-Encoding: 8bit\r\n\r\n";
        self.words(&mut out, action);
        // RFC 6533 §3 has another type for addresses beyond ASCII.
        let ascii = self.fates.iter().all(|fate| fate.address.to_string().is_ascii());
        let status = if ascii { "delivery-status" } else { "global-delivery-status" };
        let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: message/{status}\r\n");
        if !ascii {
            out += "Content-Transfer-Encoding: 8bit\r\n";
        }
        out += "\r\n";
        self.status(&mut out);
        // So has what comes back, for a header beyond ASCII (RFC 6533 §4).
        let (kind, original) = match self.original {
            Original::Full(text) if header_is_ascii(text) => ("message/rfc822", text),
            Original::Full(text) => ("message/global", text),
            Original::Header(text) if text.is_ascii() => ("text/rfc822-headers", text),
            Original::Header(text) => ("message/global-headers", text),
        };
        let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: {kind}\r\n");
        if !original.is_ascii() {
            out += "Content-Transfer-Encoding: 8bit\r\n";
        }
        out += "\r\n";
        let mut out = out.into_bytes();
        out.extend_from_slice(original);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// For people.
    fn words(&self, out: &mut String, action: Action) {
        *out += match action {
            Action::Failed => "Your message could not be delivered to:\r\n",
            Action::Delayed => "Your message has not been delivered yet to:\r\n",
            Action::Delivered => "Your message has arrived in the mailbox of:\r\n",
            Action::Relayed => {
                "Your message was handed on to another server, which will not tell more, for:\r\n"
            }
        };
        for fate in self.fates {
            let _ = write!(out, "\r\n  {}\r\n", fate.address);
            if action == Action::Failed || action == Action::Delayed {
                let who = fate.host.as_deref().map(|host| match fate.voice {
                    Voice::Server => format!("The server {host} said: "),
                    Voice::Us => format!("With the server {host}: "),
                });
                paragraph(out, "    ", &(who.unwrap_or_default() + &fate.said));
            }
            if action == Action::Failed {
                paragraph(out, "    ", advice(fate.status));
            }
        }
        *out += "\r\n";
        match action {
            Action::Failed => paragraph(out, "", "It is not tried any more."),
            Action::Delayed => {
                let until = self.fates.iter().find_map(|fate| fate.retry_until);
                let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
                let text = format!(
                    "You need not do anything: it is tried again and again{until}. You will be told if it fails in the end."
                );
                paragraph(out, "", &text);
            }
            Action::Delivered | Action::Relayed => {
                paragraph(out, "", "You get this notice because your mail program asked for one.");
            }
        }
        let taken = format!("It was taken by {} on {}.", self.host, self.arrived);
        paragraph(out, "", &taken);
    }

    /// For programs (RFC 3464 §2).
    fn status(&self, out: &mut String) {
        if let Some(id) = self.envelope_id {
            field(out, "Original-Envelope-Id", &id.decoded());
        }
        field(out, "Reporting-MTA", &format!("dns; {}", self.host));
        field(out, "Arrival-Date", &self.arrived.to_string());
        if let Some(release) = self.release {
            field(out, "Future-Release-Request", &release.text());
        }
        for fate in self.fates {
            *out += "\r\n";
            if let Some(original) = &fate.original {
                field(out, "Original-Recipient", &original.decoded());
            }
            let address = fate.address.to_string();
            let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
            field(out, "Final-Recipient", &format!("{kind}; {address}"));
            field(out, "Action", fate.action.name());
            let (class, subject, detail) = fate.status;
            field(out, "Status", &format!("{class}.{subject}.{detail}"));
            if let Some(host) = &fate.host {
                // Of `mx.example.org[192.0.2.1]` the name.
                let name = host.split('[').next().filter(|name| !name.is_empty());
                field(out, "Remote-MTA", &format!("dns; {}", name.unwrap_or(host)));
                if fate.voice == Voice::Server {
                    field(out, "Diagnostic-Code", &format!("smtp; {}", fate.said));
                }
            }
            field(out, "Last-Attempt-Date", &self.at.to_string());
            if let Some(until) = fate.retry_until {
                field(out, "Will-Retry-Until", &until.to_string());
            }
        }
    }
}

fn header_is_ascii(text: &[u8]) -> bool {
    Fields::new(text).all(|field| field.raw.is_ascii())
}

fn advice((_, subject, detail): (u16, u16, u16)) -> &'static str {
    let fits =
        |row: &&Advice| row.subject == subject && row.detail.is_none_or(|wanted| wanted == detail);
    ADVICE.iter().find(fits).map_or(ADVICE_ELSE, |row| row.text)
}

/// A field, folded at its blanks. What is no text becomes a blank.
fn field(out: &mut String, name: &str, value: &str) {
    *out += name;
    out.push(':');
    let mut width = name.len() + 1;
    for word in clean(value).split_ascii_whitespace() {
        let word = cut(word);
        if width + 1 + word.len() > FIELD_LINE_LEN && width > name.len() + 1 {
            *out += "\r\n";
            width = 0;
        }
        out.push(' ');
        *out += word;
        width += 1 + word.len();
    }
    *out += "\r\n";
}

/// Words in lines.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    let mut width = usize::MAX;
    for word in clean(text).split_ascii_whitespace() {
        let word = cut(word);
        if width.saturating_add(1 + word.len()) > FIELD_LINE_LEN {
            if width != usize::MAX {
                *out += "\r\n";
            }
            *out += indent;
            width = indent.len();
        } else {
            out.push(' ');
            width += 1;
        }
        *out += word;
        width += word.len();
    }
    *out += "\r\n";
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(word: &str) -> &str {
    let mut end = word.len().min(WORD_LEN_MAX);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Action, Address, Date, DeliveryReport, Fate, Original, Voice};
    use crate::base::Timestamp;

    fn report(action: Action, status: (u16, u16, u16), said: &str) -> String {
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let at = |seconds| Date { at: Timestamp::from_seconds(seconds), zone_minutes: 0 };
        let fate = Fate {
            address: address("bob@else.example"),
            original: None,
            action,
            status,
            host: Some("mx.else.example[192.0.2.1]".into()),
            voice: Voice::Server,
            said: said.into(),
            retry_until: (action == Action::Delayed).then(|| at(1_700_400_000)),
        };
        let report = DeliveryReport {
            host: "mail.example.org",
            to: &address("ann@example.org"),
            at: at(1_700_000_600),
            arrived: at(1_700_000_000),
            message_id: "abc123@mail.example.org",
            envelope_id: None,
            release: None,
            fates: &[fate],
            original: Original::Header(b"Subject: hello\r\nX: \xff\r\n"),
        };
        String::from_utf8_lossy(&report.text()).into_owned()
    }

    #[test]
    fn a_failure_says_what_happened_and_what_to_do() {
        let text = report(Action::Failed, (5, 1, 1), "550 5.1.1 No such user");
        for part in [
            "Subject: Not delivered: your message to bob@else.example\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "    The server mx.else.example[192.0.2.1] said: 550 5.1.1 No such user\r\n",
            "Remote-MTA: dns; mx.else.example\r\n",
            "    That server has no such address.",
            "Final-Recipient: rfc822; bob@else.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n",
            "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: hello\r\n",
            "\r\n--abc123--\r\n",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }

    #[test]
    fn a_delay_says_until_when_and_nothing_can_break_its_lines() {
        let said = format!("451 a\r\nX-Forged: b\r\n{} {}", "word ".repeat(300), "x".repeat(5000));
        let text = report(Action::Delayed, (4, 2, 0), &said);
        assert!(text.contains("Will-Retry-Until: Sun, 19 Nov 2023 13:20:00 +0000\r\n"), "{text}");
        assert!(text.contains("You need not do anything"));
        assert!(!text.contains("\nX-Forged"));
        assert!(text.split("\r\n").all(|line| line.len() < 998 && !line.contains(['\r', '\n'])));
    }
}
