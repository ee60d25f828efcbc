//! What a server offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1).

use super::ask::Terms;
use super::heard::Heard;
use crate::base::Cursor;
use crate::mail::Address;

/// RFC 1870.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SizeOffer {
    /// SIZE is not offered.
    #[default]
    Absent,
    /// It is, and no limit is told.
    Unlimited,
    /// The bytes of a message that it takes.
    Most(u64),
}

/// The extensions that the client makes use of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a word that a server says or does not say"
)]
pub struct Offered {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 3207.
    pub start_tls: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3030 §3.
    pub binary_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 1870.
    pub size: SizeOffer,
    /// RFC 9422: recipients of a message that it takes.
    pub recipients_max: Option<usize>,
    /// RFC 4954: the mechanisms, in capitals.
    pub auth: Vec<String>,
    /// Who we are there, by the word of our own server (XLOCAL).
    pub known_as: Option<Address>,
    /// The name by which it answered.
    pub name: String,
}

impl Offered {
    /// Reads the lines after the first.
    pub fn read(reply: &Heard) -> Self {
        let first = reply.lines.first().and_then(|line| line.split_ascii_whitespace().next());
        let mut offered = Self { name: first.unwrap_or_default().to_owned(), ..Self::default() };
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => offered.pipelining = true,
                "STARTTLS" => offered.start_tls = true,
                "8BITMIME" => offered.eight_bit_mime = true,
                "CHUNKING" => offered.chunking = true,
                "BINARYMIME" => offered.binary_mime = true,
                "SMTPUTF8" => offered.smtputf8 = true,
                "DSN" => offered.dsn = true,
                "REQUIRETLS" => offered.require_tls = true,
                // RFC 1870 §4: 0 is no limit.
                "SIZE" => {
                    let most = words.next().and_then(|most| most.parse().ok());
                    offered.size = match most {
                        None | Some(0) => SizeOffer::Unlimited,
                        Some(most) => SizeOffer::Most(most),
                    };
                }
                "LIMITS" => offered.recipients_max = words.find_map(recipients_max),
                "XLOCAL" => {
                    offered.known_as =
                        words.next().and_then(|name| Address::parse(name.as_bytes()).ok());
                }
                "AUTH" => offered.auth.extend(words.map(str::to_ascii_uppercase)),
                _ => {}
            }
        }
        offered
    }

    /// What decides what is sent.
    pub fn terms(&self, tls_was_refused: bool) -> Terms {
        Terms {
            name: self.name.clone(),
            tls_was_refused,
            recipients_max: self.recipients_max,
            known_as: self.known_as.clone(),
        }
    }
}

fn recipients_max(word: &str) -> Option<usize> {
    let mut cursor = Cursor::new(word.as_bytes());
    let named = cursor.eat_ignore_case(b"RCPTMAX=");
    cursor.number().and_then(|most| usize::try_from(most).ok()).filter(|most| named && *most > 0)
}

#[cfg(test)]
mod tests {
    use super::{Heard, Offered, SizeOffer};

    #[test]
    fn lines_in_any_case_and_unknown_ones() {
        let lines = [
            "mx",
            "pipelining",
            "SIZE 1000",
            "8BitMime",
            "X-ODD a b",
            "",
            "limits A=1 rcptmax=20",
            "AUTH plain LOGIN",
        ];
        let lines = lines.map(str::to_owned).to_vec();
        let offered = Offered::read(&Heard { code: 250, enhanced: None, lines });
        assert!(offered.pipelining && offered.eight_bit_mime && !offered.chunking);
        assert_eq!((offered.size, offered.recipients_max), (SizeOffer::Most(1000), Some(20)));
        assert_eq!(offered.auth, ["PLAIN", "LOGIN"]);
        let lines = vec!["mx".to_owned(), "SIZE 0".to_owned(), "LIMITS RCPTMAX=0".to_owned()];
        let offered = Offered::read(&Heard { code: 250, enhanced: None, lines });
        assert_eq!((offered.size, offered.recipients_max), (SizeOffer::Unlimited, None));
    }
}
