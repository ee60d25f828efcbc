//! What the fuzz targets do with their bytes. The same runs in `cargo test` over the corpus that lies beside.
#![allow(dead_code, reason = "a fuzz target uses one body, a test another")]

pub mod client;
pub mod dkim;
pub mod dns;
pub mod imap;
pub mod mail;
pub mod maildir;
pub mod policy;
pub mod proxy;
pub mod smtp;

/// A small generator; the same numbers each time.
pub fn dice(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    }
}
