//! Any bytes where a PROXY header is due.
#![allow(dead_code, reason = "a fuzz target uses one body, a test another")]

use pillarbox::net::Header;

/// Reads as a connection is read. It never asks for more than a header may have, always comes to an end, and tells the same
/// however much more there is.
pub fn proxy_header(data: &[u8]) {
    let mut len = 0;
    for _ in 0..200 {
        let Some(read) = data.get(..len) else { return };
        match Header::read(read) {
            Ok(Header::More(more)) => {
                assert!(more > 0 && len + more <= 16 + 2048, "{more} after {len}");
                len += more;
            }
            Ok(Header::Whole(_)) => {
                assert!((15..=16 + 2048).contains(&len));
                return;
            }
            Err(_) => return,
        }
    }
    panic!("the header does not end");
}
