//! Signs the message on stdin with the keys in a data folder, and prints the fields. `dkim.py` has others verify them.
//!
//! Usage: sign DATA DOMAIN SECONDS
// A test may fail loudly.
#![allow(clippy::unwrap_used, clippy::panic)]

use pillarbox::base::Timestamp;
use pillarbox::mail::Domain;
use pillarbox::service::Signing;
use pillarbox::verify::dkim::{BodyHash, Canonicalization};
use std::io::Read;
use std::path::Path;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [data, domain, seconds] = words.as_slice() else {
        panic!("usage: sign DATA DOMAIN SECONDS")
    };
    let domain = Domain::parse(domain).unwrap();
    let now = Timestamp::from_seconds(seconds.parse().unwrap());
    let mut message = Vec::new();
    std::io::stdin().read_to_end(&mut message).unwrap();
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (header, body) = message.split_at(end.map_or(message.len(), |at| at + 4));
    let mut hash = BodyHash::new(Canonicalization::Relaxed);
    // Pieces of no round length, as a socket gives them.
    body.chunks(1009).for_each(|piece| hash.push(piece));
    let signing = Signing::open(Path::new(data), [domain.clone()]);
    print!("{}", signing.fields(&domain, header, &hash.finish(), now).unwrap());
}
