//! An SMTP session takes any bytes: it does not panic, does not hold more than it may, and always comes to a rest. And
//! the limits that are too large for a text, at the numbers that a real session has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use pillarbox::base::{AccountId, ClearText, Machine, Output, StartTls, Step, Timestamp, TlsFacts};
use pillarbox::mail::Domain;
use pillarbox::smtp::{Answer, Ask, Enhanced, Limits, Login, Reply, Role, Server, Setup};
use std::time::Duration;

struct Client {
    server: Server,
    now: Timestamp,
    said: String,
    /// Bytes of the message that is coming, and of the largest piece.
    message: usize,
    piece: usize,
    closed: bool,
}

impl Client {
    fn new(role: Role) -> Self {
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            peer: [192, 0, 2, 1].into(),
            role,
            start_tls: StartTls::Offered,
            limits: Limits::default(),
        };
        let (server, now) = (Server::new(setup), Timestamp::from_seconds(1_800_000_000));
        Self { server, now, said: String::new(), message: 0, piece: 0, closed: false }
    }

    /// Runs to a rest; time passes for what is held back.
    fn run(&mut self, bytes: &[u8], mut dice: impl FnMut() -> u64) {
        self.server.receive(bytes);
        for _ in 0..1_000_000 {
            match self.server.step(self.now) {
                Step::Send(Output::Bytes(bytes)) => {
                    assert!(bytes.len() <= 65_536);
                    self.said.push_str(std::str::from_utf8(&bytes).expect("replies are ASCII"));
                }
                Step::Ask(Ask::Write(piece)) => {
                    self.message += piece.len();
                    self.piece = self.piece.max(piece.len());
                    self.server.answer(if dice().is_multiple_of(16) {
                        refusal()
                    } else {
                        Answer::Accept
                    });
                }
                Step::Ask(Ask::Authenticate(_)) if dice().is_multiple_of(2) => {
                    let login = Login { account: AccountId(1), name: "ann".to_owned() };
                    self.server.answer(Answer::LoggedIn(login));
                }
                Step::Ask(_) => {
                    self.server.answer(if dice().is_multiple_of(4) {
                        refusal()
                    } else {
                        Answer::Accept
                    });
                }
                Step::StartTls => self.server.secured(TlsFacts::default()),
                Step::Wait { until } => {
                    assert!(until > self.now);
                    // A held answer: its time comes. A peer that is waited for: it says nothing for now.
                    if until.since(self.now) > Duration::from_secs(10) {
                        return;
                    }
                    self.now = until;
                }
                Step::Close => {
                    self.closed = true;
                    return;
                }
                Step::Send(Output::File { .. }) | Step::Compress => panic!("not in SMTP"),
            }
        }
        panic!("the session does not come to a rest");
    }

    fn accepted(&mut self, line: &str) -> String {
        self.said.clear();
        self.run(format!("{line}\r\n").as_bytes(), || 1);
        self.said.clone()
    }
}

fn refusal() -> Answer {
    Answer::Refuse(Reply::new(550, Enhanced(5, 1, 1), "No"))
}

/// A small generator; the same numbers each time.
fn dice(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    }
}

const WORDS: &[&[u8]] = &[
    b"EHLO x\r\n",
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
    let roles = [Role::Relay { submission_port: 465 }, Role::Submission(ClearText::Allowed)];
    let mut written = 0;
    for seed in 1..400 {
        let mut next = dice(0x9e37_79b9_7f4a_7c15 ^ (seed << 20));
        let mut client = Client::new(roles[usize::try_from(seed % 2).unwrap()]);
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
        assert!(client.piece <= 65_536);
        written += client.message;
        client.run(b"", &mut next);
        assert!(client.closed, "seed {seed}: a client that is gone keeps its session");
        assert!(
            client.said.lines().all(|line| line.len() <= 510 && line.as_bytes()[..3].is_ascii())
        );
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
