//! Any bytes as a message that is signed.

use openssl::pkey::{Id, PKey};
use openssl::sha::sha256;
use pillarbox::base::Timestamp;
use pillarbox::mail::Domain;
use pillarbox::mail::header::Fields;
use pillarbox::verify::dkim::{BodyHash, Canonicalization, DkimError, Key, Selector, sign};

fn hash(form: Canonicalization, body: &[u8], step: usize) -> [u8; 32] {
    let mut hash = BodyHash::new(form);
    body.chunks(step).for_each(|piece| hash.push(piece));
    hash.finish()
}

/// RFC 6376 §3.4.3 and §3.4.4 word for word, over the whole body at once.
fn canonical(form: Canonicalization, body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = body.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match (byte, lines.last_mut()) {
            (b'\r', _) if bytes.next_if_eq(&&b'\n').is_some() => lines.push(Vec::new()),
            (b' ' | b'\t', Some(line)) if form == Canonicalization::Relaxed => {
                if line.last() != Some(&b' ') {
                    line.push(b' ');
                }
            }
            (byte, Some(line)) => line.push(byte),
            (_, None) => {}
        }
    }
    if form == Canonicalization::Relaxed {
        for line in &mut lines {
            if line.last() == Some(&b' ') {
                line.pop();
            }
        }
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut whole: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat()).collect();
    if whole.is_empty() && form == Canonicalization::Simple {
        whole.extend_from_slice(b"\r\n");
    }
    whole
}

/// A message, signed; its hashes as the RFC says.
pub fn dkim_sign(message: &[u8]) {
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (header, body) = message.split_at(end.map_or(0, |at| at + 4));
    for form in [Canonicalization::Simple, Canonicalization::Relaxed] {
        let expected = sha256(&canonical(form, body));
        assert!([1, 2, 7, 4096].iter().all(|step| hash(form, body, *step) == expected));
    }
    let secret = PKey::private_key_from_raw_bytes(&[7; 32], Id::ED25519);
    let (Ok(secret), Some(selector)) = (secret, Selector::parse("s")) else { return };
    let (Ok(key), Some(domain)) = (Key::new(secret), Domain::parse("a.example")) else { return };
    let now = Timestamp::from_seconds(0);
    match sign(header, &[0; 32], &[(&selector, &key)], &domain, now) {
        Ok(field) => {
            assert!(field.ends_with("\r\n") && field.lines().all(|line| line.len() < 78));
            assert_eq!(Fields::new(field.as_bytes()).count(), 1);
        }
        Err(DkimError::Repeated(_)) => {}
        Err(error) => assert_eq!(error.to_string(), ""),
    }
}
