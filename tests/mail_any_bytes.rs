//! Every parser of `mail` over bytes that nobody would write: none panics, and what must hold of any result holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use bodies::mail::mime_outline;

/// What the grammars are made of.
const PIECES: [&[u8]; 46] = [
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
    b"SRS0=",
    b"SRS1=a=b.example=",
    b"Content-Type: message/global",
    b"Content-Type: multipart/signed; boundary=b",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: 8bit",
];

/// What messages of parts are made of, line by line.
const LINES: [&[u8]; 24] = [
    b"MIME-Version: 1.0\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/signed; boundary=c\r\n",
    b"Content-Type: multipart/digest; boundary=bb\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: message/global\r\n",
    b"Content-Type: image/x\r\n",
    b"Content-Transfer-Encoding: 8bit\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"X: y\r\n \r\n z\r\n",
    b"\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"--b\r\n",
    b"--b\n",
    b"--b--\r\n",
    b"--c\r\n",
    b"--c--\r\n",
    b"--bb\r\n",
    b"caf\xc3\xa9 \r\n",
    b"\0=4a-\r",
    &[b'-'; 1001],
];

#[test]
fn pieces_in_any_order() {
    any_order(&PIECES, 40);
}

#[test]
fn lines_in_any_order() {
    any_order(&LINES, 30);
}

fn any_order(pieces: &[&[u8]], count_max: usize) {
    let mut next = bodies::dice(0x2545_f491_4f6c_dd1d);
    let mut below = |limit: usize| usize::try_from(next()).unwrap() % limit;
    for _ in 0..5000 {
        let count = below(count_max);
        let body: Vec<u8> = (0..count).flat_map(|_| pieces[below(pieces.len())].to_vec()).collect();
        mime_outline(&body);
    }
}
