//! PLAIN (RFC 4616): one message, `[authzid] NUL authcid NUL passwd`. The peer wrote it.

use super::credentials::{Credentials, Proof, field};
use super::turn::{Conversation, Turn};
use crate::base::Secret;

/// Waits for its one message.
pub struct Plain;

impl Conversation for Plain {
    fn begin(&mut self) -> Turn {
        Turn::Challenge(Vec::new())
    }

    fn message(&mut self, message: &[u8]) -> Turn {
        parse(message).map_or(Turn::Malformed, Turn::Decide)
    }
}

#[expect(clippy::similar_names, reason = "RFC 4616's own names")]
fn parse(message: &[u8]) -> Option<Credentials> {
    let mut parts = message.splitn(3, |&b| b == 0);
    let authzid = field(parts.next()?)?;
    let authcid = field(parts.next()?)?;
    let password = field(parts.next()?)?;
    if authcid.is_empty() || password.is_empty() {
        return None;
    }
    let authzid = (!authzid.is_empty()).then_some(authzid);
    Some(Credentials { authzid, authcid, proof: Proof::Password(Secret::new(password)) })
}

#[cfg(test)]
mod tests {
    use super::{Conversation, Credentials, Plain, Proof, Turn};

    fn said(message: &[u8]) -> Option<(Option<String>, String, String)> {
        match Plain.message(message) {
            Turn::Decide(Credentials { authzid, authcid, proof: Proof::Password(password) }) => {
                Some((authzid, authcid, password.reveal().clone()))
            }
            _ => None,
        }
    }

    #[test]
    fn the_examples_of_rfc_4616() {
        assert_eq!(
            said(b"\0tim\0tanstaaftanstaaf"),
            Some((None, "tim".into(), "tanstaaftanstaaf".into()))
        );
        assert_eq!(
            said(b"Ursel\0Kurt\0xipj3plmq"),
            Some((Some("Ursel".into()), "Kurt".into(), "xipj3plmq".into()))
        );
    }

    #[test]
    fn what_is_not_plain_is_malformed() {
        let long = [b"\0tim\0".as_slice(), &[b'x'; 1025]].concat();
        for message in [
            b"".as_slice(),
            b"tim",
            b"\0tim",
            b"\0\0secret",
            b"\0tim\0",
            b"\0tim\0a\0b",
            b"\0\xff\0a",
            &long,
        ] {
            assert_eq!(said(message), None, "{message:?}");
        }
    }
}
