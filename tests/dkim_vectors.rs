//! Signed messages of other people against `verify::dkim`: their signatures hold over our canonical forms. Skipped where
//! the vectors are not there.
// A test may fail loudly, in its helpers too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use data_encoding::BASE64;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::sha::sha256;
use openssl::sign::Verifier;
use pillarbox::mail::header::{Field, Fields};
use pillarbox::verify::dkim::{BodyHash, Canonicalization, Header};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn vectors() -> Option<PathBuf> {
    let root = std::env::var_os("PILLARBOX_VECTORS")
        .map_or_else(|| PathBuf::from("../shared/vectors"), PathBuf::from);
    if !root.is_dir() {
        println!("skipped: no test vectors at {}", root.display());
        return None;
    }
    Some(root.join("dkim"))
}

fn tags(text: &str) -> BTreeMap<String, String> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    tags.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Public keys by the names of their records.
fn keys(root: &Path) -> BTreeMap<String, PKey<Public>> {
    let text = fs::read_to_string(root.join("dns.tsv")).unwrap();
    let key = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let tags = tags(parts[2]);
        let bytes = BASE64.decode(tags["p"].as_bytes()).unwrap();
        let key = match tags.get("k").map(String::as_str) {
            Some("ed25519") => PKey::public_key_from_raw_bytes(&bytes, Id::ED25519),
            _ => PKey::public_key_from_der(&bytes),
        };
        (parts[0].to_owned(), key.unwrap())
    };
    text.lines().map(key).collect()
}

/// What holds of a message's first signature, and of the second if `skip` is 1: its body hash, itself.
fn holds(message: &[u8], skip: usize, key: impl Fn(&str) -> PKey<Public>) -> (bool, bool) {
    let own = Fields::new(message).filter(|field| field.is("dkim-signature")).nth(skip).unwrap();
    let tags = tags(std::str::from_utf8(own.value).unwrap());
    let form = |text: &str| match text {
        "relaxed" => Canonicalization::Relaxed,
        _ => Canonicalization::Simple,
    };
    let forms = tags.get("c").map_or("simple/simple", String::as_str);
    let (header_form, body_form) = forms.split_once('/').unwrap_or((forms, "simple"));
    let (header_form, body_form) = (form(header_form), form(body_form));
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let mut body = BodyHash::new(body_form);
    message[end..].chunks(3).for_each(|piece| body.push(piece));
    let body_holds = BASE64.encode(&body.finish()) == tags["bh"];
    // `b=` loses its value.
    let raw = std::str::from_utf8(own.raw).unwrap();
    let start = raw.match_indices("b=").find(|(at, _)| !raw[..*at].ends_with(char::is_alphabetic));
    let start = start.unwrap().0 + 2;
    let rest = raw[start..].find(';').map_or("\r\n", |len| &raw[start + len..]);
    let emptied = format!("{}{rest}", &raw[..start]);
    let emptied: Field = Fields::new(emptied.as_bytes()).next().unwrap();
    let names: Vec<&str> = tags["h"].split(':').collect();
    let mut data = Header::read(message).signed(&names, header_form);
    header_form.add_field(&emptied, &mut data);
    data.truncate(data.len() - 2);
    let key = key(&format!("{}._domainkey.{}", tags["s"], tags["d"]));
    let signature = BASE64.decode(tags["b"].as_bytes()).unwrap();
    let signature_holds = match key.id() {
        Id::ED25519 => {
            let mut verifier = Verifier::new_without_digest(&key).unwrap();
            verifier.verify_oneshot(&signature, &sha256(&data)).unwrap()
        }
        _ => {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
            verifier.verify_oneshot(&signature, &data).unwrap()
        }
    };
    (body_holds, signature_holds)
}

#[test]
fn the_messages_of_the_rfcs() {
    let Some(root) = vectors() else { return };
    let keys = keys(&root);
    let read = |name| fs::read(root.join(name)).unwrap();
    let key = |name: &str| keys[name].clone();
    assert_eq!(holds(&read("rfc6376-a2-signed.eml"), 0, key), (true, true));
    assert!(!holds(&read("rfc6376-a2-as-printed.eml"), 0, key).0);
    let both = read("rfc8463-a3-signed.eml");
    assert_eq!(holds(&both, 0, key), (true, true));
    assert_eq!(holds(&both, 1, key), (true, true));
    // Another word in the body or in the header.
    let other = String::from_utf8(both).unwrap();
    assert_eq!(holds(other.replace("Hi.", "Ho.").as_bytes(), 1, key), (false, true));
    assert_eq!(holds(other.replace("dinner", "lunch").as_bytes(), 0, key), (true, false));
}

#[test]
fn a_real_message() {
    let Some(root) = vectors() else { return };
    let text = fs::read_to_string(root.join("mimekit/gmail.msg")).unwrap();
    let pem = fs::read(root.join("mimekit/gmail.pub")).unwrap();
    let message = text.replace('\n', "\r\n");
    let key = |_: &str| PKey::public_key_from_pem(&pem).unwrap();
    assert_eq!(holds(message.as_bytes(), 0, key), (true, true));
}
