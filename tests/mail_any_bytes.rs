//! Every parser of `mail` over bytes that nobody would write: none panics, and what must hold of any result holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use bodies::mail::mime_outline;

/// What the grammars are made of.
const PIECES: [&[u8]; 40] = [
    b"=?utf-8?q?a_=41?=",
    b"=?",
    b"?=",
    b"\"",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b"[",
    b"]",
    b"\\",
    b".",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b"\xc3\xa9",
    b"\xff",
    b"--b",
    b"--b--",
    b"\r\n\r\n",
    b"To: ",
    b"From: a@b",
    b"Subject: ",
    b"Date: 1 Jul 2003 10:52",
    b"+0200",
    b"=",
    b"*0*",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: message/rfc822",
    b"Content-Disposition: x; a*1=y",
    b"=4",
    b"Zm9v",
    b"99999999999999999999",
];

#[test]
fn pieces_in_any_order() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below).unwrap()
    };
    for _ in 0..5000 {
        let count = next(40);
        let body: Vec<u8> = (0..count).flat_map(|_| PIECES[next(40)].to_vec()).collect();
        mime_outline(&body);
    }
}
