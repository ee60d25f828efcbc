//! Is a key's record in DNS (RFC 6376 §3.6.2)? Whoever controls the zone wrote what is there, often by hand.

use crate::dns::{Answers, Found, Kind, Name, Need, Record};
use crate::verify::dkim::Published;

/// True if DNS says of this domain's key what it ought to: it may sign. False if it says something else or nothing, or
/// if nobody knows.
pub fn is_published(known: &Answers, domain: &Name, key: &Published) -> Result<bool, Need> {
    let Some(name) = domain.under(&key.selector.labels()) else { return Ok(false) };
    match &known.get(&name, Kind::Txt)?.found {
        // §3.6.2.2: with two of them it is not said which one counts.
        Found::Records(records, _) => match records.as_slice() {
            [Record::Txt(text)] => Ok(plain(text) == plain(key.record.as_bytes())),
            _ => Ok(false),
        },
        Found::NoData | Found::NoName | Found::Failed(_) => Ok(false),
    }
}

/// Without blanks, which may stand nearly anywhere, and without the semicolon that may stand at the end (§3.2).
fn plain(text: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    if text.last() == Some(&b';') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Name, Published, is_published};
    use crate::base::Timestamp;
    use crate::dns::Zone;
    use crate::verify::dkim::{Algorithm, Selector, Standing};

    #[test]
    fn what_counts_as_published() {
        let key = Published {
            selector: Selector::parse("e1").unwrap(),
            algorithm: Algorithm::Ed25519Sha256,
            standing: Standing::Next,
            since: Timestamp::default(),
            until: None,
            record: "v=DKIM1; k=ed25519; p=AbCd".to_owned(),
        };
        let domain = Name::parse("example.org").unwrap();
        for (zone, expected) in [
            ("e1._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=AbCd\"", true),
            ("e1._domainkey.example.org TXT \"v=DKIM1;k=ed25519;\" \"p=Ab Cd;\"", true),
            ("e1._domainkey.example.org CNAME k.x\nk.x TXT \"v=DKIM1; k=ed25519; p=AbCd\"", true),
            ("e1._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=abcd\"", false),
            (
                "e1._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=AbCd\"\n\
                 e1._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=other\"",
                false,
            ),
            ("e1._domainkey.example.org A 192.0.2.1", false),
            ("e1._domainkey.example.org SERVFAIL", false),
            ("", false),
        ] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(
                zone.decide(|known| is_published(known, &domain, &key)),
                expected,
                "{zone:?}"
            );
        }
    }
}
