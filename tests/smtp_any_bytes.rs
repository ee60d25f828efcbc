//! An SMTP session takes any bytes: it does not panic, does not hold more than it may, and always comes to a rest. And
//! the limits that are too large for a text, at the numbers that a real session has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use bodies::dice;
use bodies::smtp::Client;
use pillarbox::base::ClearText;
use pillarbox::smtp::Role;

const WORDS: &[&[u8]] = &[
    b"EHLO x\r\n",
    b"LHLO x\r\n",
    b"MAIL FROM:<a@b>\r\n",
    b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n",
    b"RCPT TO:<a@b>\r\nDATA\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"EHLO x",
    b"HELO x",
    b"MAIL FROM:",
    b"RCPT TO:",
    b"<a@b>",
    b"<>",
    b"<@a,@b:c@d>",
    b" SIZE=9",
    b" BODY=8BITMIME",
    b"DATA",
    b"RCPT TO:<a@b>\r\nBDAT 9\r\n",
    b"BDAT 4\r\n",
    b"BDAT 30000 LAST\r\n",
    b"BDAT ",
    b" LAST",
    b" BODY=BINARYMIME",
    b"MAIL FROM:<\xc3\xbc@\xc3\xbc> SMTPUTF8\r\n",
    b"\xc3\xbc",
    b" SMTPUTF8",
    b"RSET",
    b"NOOP",
    b"STARTTLS",
    b"AUTH PLAIN ",
    b"AUTH LOGIN",
    b"AGEAYg==",
    b"YQ==",
    b"*",
    b"QUIT",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\0",
    b"\xff",
    b"\"",
    b"\\",
    b" ",
    b"=",
];

#[test]
fn any_bytes_are_survived() {
    let roles =
        [Role::Relay { submission_port: 465 }, Role::Submission(ClearText::Allowed), Role::Lmtp];
    let mut written = 0;
    for seed in 1..400 {
        let mut next = dice(0x9e37_79b9_7f4a_7c15 ^ (seed << 20));
        let mut client = Client::new(roles[usize::try_from(seed % 3).unwrap()]);
        for _ in 0..60 {
            let mut bytes = Vec::new();
            for _ in 0..=next() % 12 {
                let at = usize::try_from(next()).unwrap() % (WORDS.len() + 1);
                match WORDS.get(at) {
                    Some(word) => bytes.extend_from_slice(word),
                    None => bytes.extend(std::iter::repeat_n(
                        b'x',
                        usize::try_from(next() % 40_000).unwrap(),
                    )),
                }
            }
            if !bytes.is_empty() && !client.closed {
                client.run(&bytes, &mut next);
            }
        }
        written += client.message;
        client.finish(&mut next);
    }
    assert!(written > 10_000, "the words lead to messages too: {written}");
}

#[test]
fn a_thousand_recipients_and_fifty_megabytes() {
    let mut client = Client::new(Role::Relay { submission_port: 465 });
    client.accepted("EHLO c.example");
    assert!(client.accepted("MAIL FROM:<a@c.example> SIZE=52428800").starts_with("250"));
    for number in 0..1000 {
        assert!(client.accepted(&format!("RCPT TO:<r{number}@example.org>")).starts_with("250"));
    }
    assert!(client.accepted("RCPT TO:<one@example.org>").starts_with("452 4.5.3"));
    assert!(client.accepted("DATA").starts_with("354"));
    let piece = [[b'x'; 62].as_slice(), b"\r\n"].concat().repeat(256);
    for _ in 0..52_428_800 / piece.len() {
        client.run(&piece, || 1);
    }
    assert!(client.accepted(".").starts_with("250"));
    assert_eq!((client.message, client.piece <= 65_536), (52_428_800, true));
    assert!(client.accepted("MAIL FROM:<a@c.example> SIZE=52428801").starts_with("552 5.3.4"));
}
