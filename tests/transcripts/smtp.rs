//! An SMTP server session with a small world: `given role submission`, `given clear text`, `given disk full`,
//! `given commit fails`. Ann (ann@example.org, password `right`) and Bob live in example.org.

use super::run::Peer;
use pillarbox::base::{AccountId, Machine, Output, Step, Timestamp, TlsFacts};
use pillarbox::mail::Domain;
use pillarbox::smtp::{
    Answer, Ask, ClearText, Enhanced, ForwardPath, Limits, Login, Reply, Role, Server, Setup,
    StartTls,
};
use std::time::Duration;

pub struct Session {
    machine: Server,
    now: Timestamp,
    closed: bool,
    disk_full: bool,
    commit_fails: bool,
    coming: Vec<u8>,
    delivered: Option<Vec<u8>>,
}

impl Session {
    pub fn new(given: &[String]) -> Self {
        let is = |word: &str| given.iter().any(|line| line == word);
        let known =
            ["role submission", "clear text", "disk full", "commit fails", "no certificate"];
        assert!(given.iter().all(|line| known.contains(&line.as_str())), "{given:?}");
        let clear_text = if is("clear text") { ClearText::Allowed } else { ClearText::Refused };
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            peer: [192, 0, 2, 1].into(),
            role: match is("role submission") {
                true => Role::Submission(clear_text),
                false => Role::Relay { submission_port: 465 },
            },
            start_tls: if is("no certificate") { StartTls::Absent } else { StartTls::Offered },
            limits: Limits { message_size_max: 1000, recipients_max: 3, ..Limits::default() },
        };
        Self {
            machine: Server::new(setup),
            now: Timestamp::from_seconds(1_700_000_000),
            closed: false,
            disk_full: is("disk full"),
            commit_fails: is("commit fails"),
            coming: Vec::new(),
            delivered: None,
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        let refuse = |code, enhanced, text| Answer::Refuse(Reply::new(code, enhanced, text));
        match ask {
            Ask::Authenticate(who)
                if who.authcid == "ann@example.org" && who.password.reveal() == "right" =>
            {
                Answer::LoggedIn(Login { account: AccountId(1), name: who.authcid })
            }
            Ask::Authenticate(_) => refuse(535, Enhanced(5, 7, 8), "Wrong name or password"),
            Ask::Sender { login: Some(_), reverse_path, .. }
                if reverse_path.as_ref().is_none_or(|path| path.local() != "ann") =>
            {
                refuse(550, Enhanced(5, 7, 1), "Not your address")
            }
            Ask::Recipient { .. } if self.disk_full => {
                refuse(452, Enhanced(4, 3, 1), "The disk is nearly full")
            }
            Ask::Recipient { forward_path: ForwardPath::Mailbox(to), .. } => {
                match (to.user(), to.domain().as_str()) {
                    ("ann" | "bob" | "postmaster", "example.org") => Answer::Accept,
                    (_, "example.org") => refuse(550, Enhanced(5, 1, 1), "Nobody here"),
                    _ => refuse(550, Enhanced(5, 7, 1), "Not ours"),
                }
            }
            Ask::Write(piece) => {
                self.coming.extend(piece);
                Answer::Accept
            }
            Ask::Commit if self.commit_fails => {
                self.coming.clear();
                refuse(451, Enhanced(4, 3, 0), "Try later")
            }
            Ask::Commit => {
                self.delivered = Some(std::mem::take(&mut self.coming));
                Answer::Accept
            }
            Ask::Abandon => {
                self.coming.clear();
                Answer::Accept
            }
            Ask::Sender { .. } | Ask::Recipient { .. } | Ask::Begin(_) => Answer::Accept,
        }
    }
}

impl Peer for Session {
    fn receive(&mut self, bytes: &[u8]) {
        self.machine.receive(bytes);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn tls(&mut self) {
        self.machine.secured(TlsFacts { version: "TLSv1.3".into(), ..TlsFacts::default() });
    }

    fn say(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while !self.closed {
            match self.machine.step(self.now) {
                Step::Send(Output::Bytes(bytes)) => said.extend(bytes),
                Step::Send(Output::File { .. }) => panic!("SMTP sends no files"),
                Step::Ask(ask) => {
                    let answer = self.answer(ask);
                    self.machine.answer(answer);
                }
                Step::StartTls | Step::Wait { .. } => break,
                Step::Compress => panic!("SMTP does not compress"),
                Step::Close => self.closed = true,
            }
        }
        said
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn delivered(&self) -> Option<Vec<u8>> {
        self.delivered.clone()
    }
}
