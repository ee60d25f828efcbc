//! Any bytes at an SMTP session.
#![allow(dead_code, reason = "a fuzz target uses one body, a test another")]

use super::dice;
use pillarbox::base::{AccountId, ClearText, Machine, Output, StartTls, Step, Timestamp, TlsFacts};
use pillarbox::mail::Domain;
use pillarbox::smtp::{Answer, Ask, Enhanced, Limits, Login, Reply, Role, Server, Setup};
use std::time::Duration;

/// The first byte chooses the port, the rest comes in pieces; answers are yes or no by chance.
pub fn smtp_command(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let role = match (first % 4, first) {
        (_, 200..) => Role::Local,
        (3, _) => Role::Lmtp,
        (0, _) => Role::Relay { submission_port: 465 },
        (1, _) => Role::Submission(ClearText::Refused),
        _ => Role::Submission(ClearText::Allowed),
    };
    let mut next = dice(u64::from(first) + 1);
    let mut client = Client::new(role);
    for piece in rest.chunks(usize::from(first) * 8 + 1) {
        if !client.closed {
            client.run(piece, &mut next);
        }
    }
    client.finish(&mut next);
}

/// A message in chunks, which comes through as it is, whatever is in it and however chunks and packets cut it. The first
/// byte says how long packets are, the second how long chunks.
pub fn smtp_chunks(data: &[u8]) {
    let Some((&[packet, chunk], text)) = data.split_first_chunk::<2>() else { return };
    let mut lines = b"EHLO x\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<a@b>\r\n".to_vec();
    for piece in text.chunks(usize::from(chunk) * 40 + 1) {
        lines.extend_from_slice(format!("BDAT {}\r\n", piece.len()).as_bytes());
        lines.extend_from_slice(piece);
    }
    lines.extend_from_slice(b"BDAT 0 LAST\r\nNOOP\r\n");
    let mut client = Client::new(Role::Relay { submission_port: 465 });
    for piece in lines.chunks(usize::from(packet) * 40 + 1) {
        client.run(piece, || 1);
    }
    assert!(client.text == text && client.said.ends_with("Message is safe\r\n250 2.0.0 Yes\r\n"));
    client.finish(|| 1);
}

/// A session and what it has said.
pub struct Client {
    server: Server,
    role: Role,
    now: Timestamp,
    pub said: String,
    /// Bytes of the message that is coming, and of the largest piece.
    pub message: usize,
    pub piece: usize,
    /// What came of the message, as long as it is short.
    pub text: Vec<u8>,
    pub closed: bool,
}

impl Client {
    pub fn new(role: Role) -> Self {
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            peer: [192, 0, 2, 1].into(),
            role,
            start_tls: StartTls::Offered,
            login: (role == Role::Local).then(|| Login {
                account: None,
                name: "ann@example.org".to_owned(),
                device: None,
            }),
            limits: Limits::default(),
        };
        let (server, now) = (Server::new(setup), Timestamp::from_seconds(1_800_000_000));
        Self {
            server,
            role,
            now,
            said: String::new(),
            message: 0,
            piece: 0,
            text: Vec::new(),
            closed: false,
        }
    }

    /// Runs to a rest; time passes for what is held back.
    pub fn run(&mut self, bytes: &[u8], mut dice: impl FnMut() -> u64) {
        self.server.receive(bytes);
        for _ in 0..1_000_000 {
            match self.server.step(self.now) {
                Step::Send(Output::Bytes(bytes)) => {
                    assert!(bytes.len() <= 65_536);
                    self.said.push_str(std::str::from_utf8(&bytes).expect("replies are ASCII"));
                }
                Step::Ask(Ask::Write(piece)) => {
                    self.message += piece.len();
                    if self.text.len() < 1 << 20 {
                        self.text.extend_from_slice(&piece);
                    }
                    self.piece = self.piece.max(piece.len());
                    self.server.answer(if dice().is_multiple_of(16) {
                        refusal()
                    } else {
                        Answer::Accept
                    });
                }
                Step::Ask(Ask::Authenticate(_)) if dice().is_multiple_of(2) => {
                    let (account, device) = (Some(AccountId(1)), Some(1));
                    let login = Login { account, name: "ann".to_owned(), device };
                    self.server.answer(Answer::LoggedIn(login));
                }
                Step::Ask(Ask::Commit) if self.role == Role::Lmtp && !dice().is_multiple_of(3) => {
                    let each = |_| {
                        let code = if dice().is_multiple_of(2) { 421 } else { 452 };
                        let refused = Reply::new(code, Enhanced(4, 2, 2), "Full");
                        (!dice().is_multiple_of(2)).then_some(refused)
                    };
                    self.server.answer(Answer::Each((0..3).map(each).collect()));
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

    /// The client is gone, so the session must end; what it has said is SMTP.
    pub fn finish(&mut self, mut next: impl FnMut() -> u64) {
        assert!(self.piece <= 65_536);
        if !self.closed {
            self.run(b"", &mut next);
        }
        assert!(self.closed, "a client that is gone keeps its session");
        let fine = |line: &str| line.len() <= 510 && line.as_bytes()[..3].is_ascii();
        assert!(self.said.lines().all(fine));
    }

    /// What is answered to a line, with all questions answered by yes.
    pub fn accepted(&mut self, line: &str) -> String {
        self.said.clear();
        self.run(format!("{line}\r\n").as_bytes(), || 1);
        self.said.clone()
    }
}

fn refusal() -> Answer {
    Answer::Refuse(Reply::new(550, Enhanced(5, 1, 1), "No"))
}
