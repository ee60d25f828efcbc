//! The base64 framing of an exchange as SMTP (RFC 4954 §4), IMAP (RFC 9051 §6.2.2, RFC 4959) and POP3 (RFC 5034)
//! have it in common: an initial response where `=` is the empty one, lines of base64, `*` to cancel. The peer writes
//! every line.

use super::credentials::Credentials;
use super::mechanism::Mechanism;
use super::scram_secrets::ScramSecrets;
use super::turn::{Conversation, Turn};
use crate::base::TlsFacts;
use data_encoding::BASE64;

/// Bytes of one line of an exchange at most, without its line end (RFC 4954 §4).
pub const EXCHANGE_LINE_MAX: usize = 12_288;

/// An exchange that is going on.
pub struct Exchange {
    conversation: Box<dyn Conversation>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send this challenge, base64 already (may be empty), and give the answer to `line`.
    Challenge(String),
    /// Find what is known of this name and give it to `secrets`.
    Lookup(String),
    /// Ask somebody who knows the passwords. The exchange is over.
    Decide(Credentials),
    /// The exchange is over without credentials.
    Failed(Failure),
}

/// Why an exchange ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The peer sent `*`.
    Cancelled,
    /// Longer than `EXCHANGE_LINE_MAX`.
    TooLong,
    /// Not base64 (RFC 4648 §4, padding needed, nothing else in between).
    NotBase64,
    /// Base64 of something that is no message of this mechanism.
    Malformed,
    /// The mechanism needs TLS that this connection has not.
    Unbound,
}

impl Exchange {
    /// Starts on this channel, with the initial response as it stood in the command, if there was one.
    pub fn begin(
        mechanism: &Mechanism,
        initial: Option<&[u8]>,
        tls: Option<&TlsFacts>,
    ) -> (Self, Outcome) {
        let Some(conversation) = mechanism.conversation(tls) else {
            let over = Self { conversation: Box::new(Over) };
            return (over, Outcome::Failed(Failure::Unbound));
        };
        let mut exchange = Self { conversation };
        let outcome = match initial {
            None => framed(exchange.conversation.begin()),
            Some(b"=") => framed(exchange.conversation.message(b"")),
            Some(text) => exchange.line(text),
        };
        (exchange, outcome)
    }

    /// Takes what was found after `Lookup`.
    pub fn secrets(&mut self, secrets: ScramSecrets) -> Outcome {
        framed(self.conversation.secrets(secrets))
    }

    /// Takes the peer's next line, without its line end.
    pub fn line(&mut self, line: &[u8]) -> Outcome {
        if line == b"*" {
            return Outcome::Failed(Failure::Cancelled);
        }
        if line.len() > EXCHANGE_LINE_MAX {
            return Outcome::Failed(Failure::TooLong);
        }
        match BASE64.decode(line) {
            Ok(message) => framed(self.conversation.message(&message)),
            Err(_) => Outcome::Failed(Failure::NotBase64),
        }
    }
}

/// An exchange that cannot be had.
struct Over;

impl Conversation for Over {
    fn begin(&mut self) -> Turn {
        Turn::Malformed
    }

    fn message(&mut self, _: &[u8]) -> Turn {
        Turn::Malformed
    }
}

fn framed(turn: Turn) -> Outcome {
    match turn {
        Turn::Lookup(name) => Outcome::Lookup(name),
        Turn::Challenge(bytes) => Outcome::Challenge(BASE64.encode(&bytes)),
        Turn::Decide(credentials) => Outcome::Decide(credentials),
        Turn::Malformed => Outcome::Failed(Failure::Malformed),
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Proof;
    use super::super::mechanism::find;
    use super::{Credentials, Exchange, Failure, Outcome};

    fn begin(name: &str, initial: Option<&[u8]>) -> (Exchange, Outcome) {
        Exchange::begin(find(name.as_bytes()).unwrap(), initial, None)
    }

    fn decided(outcome: Outcome) -> (String, String) {
        match outcome {
            Outcome::Decide(Credentials { authcid, proof: Proof::Password(password), .. }) => {
                (authcid, password.reveal().clone())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_with_and_without_an_initial_response() {
        // RFC 4954 §4.1: test, test, 1234 (the first field is the authorization identity).
        let (_, outcome) = begin("plain", Some(b"dGVzdAB0ZXN0ADEyMzQ="));
        assert_eq!(decided(outcome), ("test".into(), "1234".into()));
        let (mut exchange, outcome) = begin("PLAIN", None);
        assert_eq!(outcome, Outcome::Challenge(String::new()));
        assert_eq!(decided(exchange.line(b"dGVzdAB0ZXN0ADEyMzQ=")).0, "test");
    }

    #[test]
    fn login_asks_twice_or_takes_the_name_inline() {
        let (mut exchange, outcome) = begin("LOGIN", None);
        assert_eq!(outcome, Outcome::Challenge("VXNlcm5hbWU6".into()));
        assert_eq!(exchange.line(b"YWxpY2U="), Outcome::Challenge("UGFzc3dvcmQ6".into()));
        assert_eq!(decided(exchange.line(b"c2VjcmV0")), ("alice".into(), "secret".into()));
        let (mut exchange, outcome) = begin("login", Some(b"YWxpY2U="));
        assert_eq!(outcome, Outcome::Challenge("UGFzc3dvcmQ6".into()));
        assert_eq!(decided(exchange.line(b"c2VjcmV0")), ("alice".into(), "secret".into()));
    }

    #[test]
    fn an_exchange_fails_for_a_named_reason() {
        let failed = |name, line: &[u8]| match begin(name, None).0.line(line) {
            Outcome::Failed(failure) => failure,
            other => panic!("{other:?}"),
        };
        assert_eq!(failed("PLAIN", b"*"), Failure::Cancelled);
        assert_eq!(failed("PLAIN", b"=AAA"), Failure::NotBase64);
        assert_eq!(failed("PLAIN", b"AAA=BBB="), Failure::NotBase64);
        assert_eq!(failed("PLAIN", b"AAA "), Failure::NotBase64);
        assert_eq!(failed("PLAIN", b""), Failure::Malformed);
        assert_eq!(failed("LOGIN", b""), Failure::Malformed);
        assert_eq!(failed("PLAIN", &[b'A'; 12_289]), Failure::TooLong);
        assert_eq!(begin("PLAIN", Some(b"=")).1, Outcome::Failed(Failure::Malformed));
    }
}
