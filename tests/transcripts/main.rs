//! Protocol sessions as texts, run against the machines: whole, and a byte at a time.
//!
//! ```text
//! # What this shows.
//! given role submission          the world before the session; each protocol has its own words
//! C: NOOP                        the client says a line
//! C\: a\r\n\x00b                 the same without the line end, with escapes \r \n \\ \xNN
//! S: 250 ...                     the server says this line; `...` is the rest of the line, $x binds and must be equal
//! S* 250-SIZE ...                in any order, before the next plain line
//! S! 250-AUTH ...                must not come before the next plain line
//! -- wait 5m                     the clock moves on
//! -- tls                         the handshake after STARTTLS, or before the first line
//! -- close                       the client closes its side
//! -- closed                      the server has closed
//! -- delivered                   the next lines, up to `-- end`, are what was delivered last
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod run;
mod smtp;
mod text;

#[test]
fn smtp_texts() {
    run::folder("smtp", smtp::Session::new);
}
