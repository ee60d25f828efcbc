//! DNS: what is read from replies, good and bad, and the resolver before servers that do as a test says,
//! and before real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod asking;
#[path = "../fuzz/bodies/dns.rs"]
mod body;
mod message;
mod reading;
mod real;
mod script;
mod sharing;
