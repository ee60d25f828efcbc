//! Protocol sessions as texts. Each is run against the machine whole (all that the client says in a row at once), a
//! byte at a time, and over a real loopback socket with real TLS.
//!
//! ```text
//! # What this shows.             the first line; with `rfc` as its first word it is an example of an RFC: never blessed
//! given role submission          the world before the session; each protocol has its own words
//! C: NOOP                        the client says a line
//! C\: a\r\n\x00\{900}b           no line end is added; escapes \r \n \\ \xNN, and \{900} before what comes 900 times
//! S: 250 ...                     the server says this line; `...` is the rest of the line, $x binds and must be equal
//! S\: 334 \x20                   the same with escapes, the line end still added
//! S* 250-SIZE ...                in any order, before the next plain line
//! S! 250-AUTH ...                must not come before the next plain line
//! S~                             whatever else comes before the next plain line is passed over
//! C2: NOOP                       the same for a second connection, which is made when it is first named
//! S2: 250 ...
//! -- wait 5m                     the clock moves on
//! -- tls                         the handshake after STARTTLS, or before the first line
//! -- close                       the client closes its side
//! -- closed                      the server has closed; for another connection, `-- closed 2`
//! -- delivered                   the next lines, up to `-- end`, are what was delivered last
//! -- stop                        any other word is the protocol's own
//! ```
//!
//! In the folder `smtp_client` the machine is the client: `S` lines are given and `C` lines must come.
//!
//! With `BLESS=1` in the environment, lines that the server said and the text has not are written into it as `S:`;
//! a line that stands there is never changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod announced;
mod imap;
mod mailroom;
mod pop3;
mod run;
mod smtp;
mod smtp_client;
mod socket;
mod straight;
mod text;
mod wire;

#[test]
fn smtp_texts() {
    run::folder("smtp", smtp::World::new);
}

#[test]
fn smtp_client_texts() {
    run::folder("smtp_client", smtp_client::World::new);
}

#[test]
fn imap_texts() {
    run::folder("imap", imap::World::new);
}

#[test]
fn pop3_texts() {
    run::folder("pop3", pop3::World::new);
}
