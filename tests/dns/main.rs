//! DNS: what is read from replies, good and bad, and the resolver before a server that does as a test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod asking;
mod message;
mod reading;
mod script;
mod sharing;
