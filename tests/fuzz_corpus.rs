//! The bodies of the fuzz targets over the corpus that lies in `fuzz/corpus`, whole and spoilt: cut, doubled, with bytes
//! changed, and with pieces of one text in another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use bodies::dice;
use std::path::Path;

/// How often each text is spoilt.
const SPOILT: usize = 30;

fn corpus(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut texts: Vec<Vec<u8>> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    texts.sort();
    assert!(texts.len() >= 5, "{target}: the corpus is not there");
    let mut next = dice(0x9e37_79b9_7f4a_7c15);
    let mut below = |limit: usize| usize::try_from(next()).unwrap() % limit.max(1);
    for text in &texts {
        body(text);
        for _ in 0..SPOILT {
            let mut spoilt = text.clone();
            for _ in 0..=below(4) {
                let at = below(spoilt.len());
                match below(5) {
                    0 => spoilt.truncate(at),
                    1 => {
                        let other = &texts[below(texts.len())];
                        let from = below(other.len());
                        let piece = other[from..other.len().min(from + below(200))].to_vec();
                        spoilt.splice(at..at, piece);
                    }
                    2 => drop(spoilt.drain(at..spoilt.len().min(at + 1 + at % 7))),
                    3 => spoilt
                        .splice(at..at, b"\r\n(){}\"\\*%\0\xff".repeat(below(3)))
                        .for_each(drop),
                    _ => {
                        let byte = u8::try_from(below(256)).unwrap();
                        if let Some(place) = spoilt.get_mut(at) {
                            *place = byte;
                        }
                    }
                }
            }
            body(&spoilt);
        }
    }
}

#[test]
fn smtp_command() {
    corpus("smtp_command", bodies::smtp::smtp_command);
}

#[test]
fn smtp_chunks() {
    corpus("smtp_chunks", bodies::smtp::smtp_chunks);
}

#[test]
fn proxy_header() {
    corpus("proxy_header", bodies::proxy::proxy_header);
}

#[test]
fn imap_command() {
    corpus("imap_command", bodies::imap::imap_command);
    let mut client = bodies::imap::Client::new();
    client.run(b"a LOGIN a b\r\nb SELECT INBOX\r\nc FETCH 1 BODY[1]\r\n");
    let said = String::from_utf8_lossy(&client.tail).into_owned();
    assert!(said.contains("BODY[1] {3}\r\none") && said.contains("c OK "), "{said}");
    bodies::imap::clean();
}

#[test]
fn mime_outline() {
    corpus("mime_outline", bodies::mail::mime_outline);
}

#[test]
fn dkim_sign() {
    corpus("dkim_sign", bodies::dkim::dkim_sign);
}

#[test]
fn file_name() {
    corpus("file_name", bodies::maildir::file_name);
}

#[test]
fn account_texts() {
    corpus("account_texts", bodies::maildir::account_texts);
}

#[test]
fn dns_reply() {
    corpus("dns_reply", bodies::dns::dns_reply);
}

#[test]
fn smtp_client() {
    corpus("smtp_client", bodies::client::smtp_client);
}

#[test]
fn tls_policy() {
    corpus("tls_policy", bodies::policy::tls_policy);
}
