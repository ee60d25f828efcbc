//! Rewrites a sender, or finds the way back, for `srs.py`.
//!
//! Usage: srs forward SECRET ADDRESS DOMAIN DAY, or srs back SECRET ADDRESS DAY
// A test may fail loudly.
#![allow(clippy::unwrap_used, clippy::panic)]

use pillarbox::mail::{Address, Domain, srs};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
    let found = match words.as_slice() {
        ["forward", secret, from, domain, day] => {
            let domain = Domain::parse(domain).unwrap();
            let day = day.parse().unwrap();
            srs::forward(secret.as_bytes(), &address(from), &domain, day)
                .map_err(|error| error.to_string())
        }
        ["back", secret, to, day] => {
            let day = day.parse().unwrap();
            srs::back(secret.as_bytes(), address(to).local(), day)
                .map_err(|error| error.to_string())
        }
        _ => panic!("usage: srs forward SECRET ADDRESS DOMAIN DAY, or srs back SECRET ADDRESS DAY"),
    };
    match found {
        Ok(address) => println!("{address}"),
        Err(error) => println!("error: {error}"),
    }
}
