//! Signing (RFC 6376 §5): which fields are covered, and the DKIM-Signature fields themselves, relaxed/relaxed. A person's
//! mail program controls the header.

use super::canonical::Canonicalization;
use super::folding::Folding;
use super::header::{Header, data_hash};
use super::key::Key;
use super::selector::Selector;
use crate::base::Timestamp;
use crate::mail::Domain;
use data_encoding::BASE64;
use openssl::error::ErrorStack;
use std::fmt;

/// Signed as often as they are there and once more, so that none can be put beside them or where there is none (§5.4).
const GUARDED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// Signed if they are there. A mailing list may add its own, and a resend puts its block on top.
const OTHERS: [&str; 13] = [
    "Sender",
    "Resent-Date",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];
/// Each is named in `h=`, which must stay of a size that others read.
const SAME_NAME_MAX: usize = 100;

/// Why a message is not signed.
#[derive(Debug)]
pub enum DkimError {
    /// Malformed: so many fields of this name that a signature would be longer than the header should be.
    Repeated(&'static str),
    /// Malformed: the header is over 256 KB.
    TooLong,
    /// Refused: an address in brackets has no DNS for a key.
    Literal(Domain),
    /// Failed: OpenSSL.
    Failed(ErrorStack),
}

impl fmt::Display for DkimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated(name) => {
                write!(f, "the message has more than {SAME_NAME_MAX} fields {name}")
            }
            Self::TooLong => f.write_str("the header is over 256 KB"),
            Self::Literal(domain) => write!(f, "{domain} is no name, so that it can have no key"),
            Self::Failed(error) => write!(f, "the signature could not be made: {error}"),
        }
    }
}

impl std::error::Error for DkimError {}

impl From<ErrorStack> for DkimError {
    fn from(error: ErrorStack) -> Self {
        Self::Failed(error)
    }
}

/// Signs a message for `domain` with each of these keys. `header` is whole, its end or what follows it may be there or
/// not; `body_hash` is of the relaxed body. Returns a field for each key, with line ends, which go before the header.
pub fn sign(
    header: &[u8],
    body_hash: &[u8; 32],
    keys: &[(&Selector, &Key)],
    domain: &Domain,
    now: Timestamp,
) -> Result<String, DkimError> {
    // §3.5: `d=` is a name.
    if domain.is_literal() {
        return Err(DkimError::Literal(domain.clone()));
    }
    let header = Header::read(header);
    if header.is_cut() {
        return Err(DkimError::TooLong);
    }
    let names = names(&header)?;
    let signed = header.signed(&names, Canonicalization::Relaxed);
    let mut fields = String::new();
    for (selector, key) in keys {
        let mut field = Folding::new("DKIM-Signature");
        for word in [
            "v=1;",
            &format!("a={};", key.algorithm().name()),
            "c=relaxed/relaxed;",
            &format!("d={domain};"),
            &format!("s={selector};"),
            &format!("t={};", now.seconds().max(0)),
        ] {
            field.word(word);
        }
        add_names(&mut field, &names);
        field.word(&format!("bh={};", BASE64.encode(body_hash)));
        field.word("b=");
        let hash = data_hash(&signed, &field.as_field(), Canonicalization::Relaxed);
        let signature = key.signature(&hash)?;
        field.fill(&BASE64.encode(&signature));
        fields.push_str(&field.finish());
    }
    Ok(fields)
}

/// `h=`: a name for each field that is signed, and for each that is not to come.
fn names(header: &Header) -> Result<Vec<&'static str>, DkimError> {
    let mut names = Vec::new();
    let guarded = GUARDED.iter().map(|name| (*name, 1));
    for (name, more) in guarded.chain(OTHERS.iter().map(|name| (*name, 0))) {
        let count = header.count(name);
        if count > SAME_NAME_MAX {
            return Err(DkimError::Repeated(name));
        }
        names.extend(std::iter::repeat_n(name, count + more));
    }
    Ok(names)
}

fn add_names(field: &mut Folding, names: &[&str]) {
    field.word("h=");
    let ends = std::iter::repeat_n(":", names.len().saturating_sub(1)).chain([";"]);
    for (name, end) in names.iter().zip(ends) {
        field.join(&format!("{name}{end}"));
    }
}

#[cfg(test)]
mod tests {
    use super::{Canonicalization, DkimError, Domain, Header, Key, Selector, data_hash, sign};
    use crate::base::Timestamp;
    use crate::mail::header::find;
    use crate::verify::dkim::BodyHash;
    use data_encoding::{BASE64, HEXLOWER};
    use openssl::pkey::{Id, PKey};

    /// RFC 8463 Appendix A, whose key is that of RFC 8032 §7.1, test 1.
    const SEED: &[u8] = b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const UNSIGNED: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
        i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id \
        : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
    const SIGNATURE: &str =
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
    const HEADER: &[u8] = b"From: Joe SixPack <joe@football.example.com>\r\n\
        To: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner ready?\r\n\
        Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
        Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n";
    const BODY: &[u8] = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

    fn key() -> Key {
        let seed = HEXLOWER.decode(SEED).unwrap();
        Key::new(PKey::private_key_from_raw_bytes(&seed, Id::ED25519).unwrap()).unwrap()
    }

    fn body_hash() -> [u8; 32] {
        let mut hash = BodyHash::new(Canonicalization::Relaxed);
        hash.push(BODY);
        hash.finish()
    }

    #[test]
    fn the_signature_of_rfc_8463() {
        assert_eq!(key().record(), RECORD);
        assert!(UNSIGNED.contains(&BASE64.encode(&body_hash())));
        let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"];
        let form = Canonicalization::Relaxed;
        let signed = Header::read(HEADER).signed(&names, form);
        let own = find(UNSIGNED.as_bytes(), "dkim-signature").unwrap();
        let signature = key().signature(&data_hash(&signed, &own, form)).unwrap();
        assert_eq!(BASE64.encode(&signature), SIGNATURE);
    }

    fn signed(header: &[u8], domain: &str) -> Result<String, DkimError> {
        let (selector, key) = (Selector::parse("brisbane").unwrap(), key());
        let domain = Domain::parse(domain).unwrap();
        let now = Timestamp::from_seconds(1_528_637_909);
        sign(header, &body_hash(), &[(&selector, &key)], &domain, now)
    }

    #[test]
    fn a_field_for_each_key() {
        let field = signed(HEADER, "football.example.com").unwrap();
        assert_eq!(
            field.split_once(" b=").unwrap().0,
            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; s=brisbane; \
             t=1528637909; h=From:From:To:To:Cc:\r\n Subject:Subject:Date:Date:Message-ID:Message-ID:Reply-To:In-Reply-To:\r\n \
             References:MIME-Version:Content-Type:Content-Transfer-Encoding;\r\n \
             bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"
        );
        assert!(field.ends_with("==\r\n") && field.lines().all(|line| line.len() < 78));
        let (one, two, key) = (Selector::parse("a").unwrap(), Selector::parse("b").unwrap(), key());
        let domain = Domain::parse("bücher.example").unwrap();
        let now = Timestamp::from_seconds(-1);
        let keys = [(&one, &key), (&two, &key)];
        let fields = sign(b"", &body_hash(), &keys, &domain, now).unwrap();
        let second = fields.split("DKIM-Signature").nth(2).unwrap();
        assert!(second.contains("d=xn--bcher-kva.example; s=b; t=0;"), "{second}");
    }

    #[test]
    fn what_is_there_often_and_what_no_list_may_break() {
        let header = b"List-Id: <l>\r\nList-Id: <k>\r\nTO: a\r\nSender: s\r\nto: b\r\nX: y\r\n";
        let field = signed(header, "example.org").unwrap();
        let names: String = field.split([' ', '\r', '\n']).collect();
        assert!(names.contains("h=From:To:To:To:Cc:"), "{field}");
        assert!(names.contains(":Content-Transfer-Encoding:Sender:List-Id:List-Id;bh="), "{field}");
        let many = |count| signed("To: a\r\n".repeat(count).as_bytes(), "example.org");
        assert!(many(100).unwrap().lines().all(|line| line.len() < 78));
        assert!(matches!(many(101), Err(DkimError::Repeated("To"))));
        assert!(matches!(signed(b"", "[192.0.2.1]"), Err(DkimError::Literal(_))));
        let long = b"X: y\r\n".repeat(50_000);
        assert!(matches!(signed(&long, "a.example"), Err(DkimError::TooLong)));
        assert!(signed(&[&b"X: y\r\n\r\n"[..], &long].concat(), "a.example").is_ok());
    }
}
