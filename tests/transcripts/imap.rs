//! An IMAP server with a real store in a folder of its own. Ann (ann@example.org, password `right`) has the mailboxes of
//! every account. Words: `given logged in` (the greeting and a login are over), `given INBOX 3 messages`,
//! `given mailbox Work/2026`, `given Archive message nested` (a file of `messages/`), `given clear text`,
//! `given no certificate`, `given login fails`, `given command size 1000`, `given message size 1000`,
//! `given quota 2048 3` (bytes and messages), `given no patience` (the client is told at once of work that goes on);
//! `-- changed` tells every session that the account has changed, `-- deliver nested` brings a file of `messages/` into
//! INBOX and tells them, `-- settle` lets file names and index follow, `-- stop` is the shutdown, `-- uploads 0` holds that no half message lies in the Maildir.

use super::mailroom::{Mailroom, is_right, message, plain, secrets};
use super::wire::Protocol;
use pillarbox::base::{ClearText, Machine, StartTls, Step, Timestamp};
use pillarbox::imap::{Answer, Ask, Completion, Limits, News, Server, Setup, Worked};
use pillarbox::mail::Domain;
use pillarbox::maildir::MailboxName;
use pillarbox::sasl::Credentials;
use pillarbox::store::{Cause, MailboxRequest};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct World {
    setup: Setup,
    room: Mailroom,
    start: Start,
    logins: Logins,
    sessions: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Greeting,
    LoggedIn,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Logins {
    Work,
    Fail,
}

impl World {
    pub fn new(given: &[String]) -> Self {
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            number: 0,
            start_tls: StartTls::Offered,
            clear_text: ClearText::Refused,
            limits: Limits::default(),
        };
        let (start, logins, sessions) = (Start::Greeting, Logins::Work, AtomicU64::new(1));
        let mut world = Self { setup, room: Mailroom::new(), start, logins, sessions };
        for word in given {
            world.give(word);
        }
        world
    }

    fn give(&mut self, word: &str) {
        let words: Vec<&str> = word.split(' ').collect();
        match words.as_slice() {
            ["logged", "in"] => self.start = Start::LoggedIn,
            ["clear", "text"] => self.setup.clear_text = ClearText::Allowed,
            ["no", "certificate"] => self.setup.start_tls = StartTls::Absent,
            ["login", "fails"] => self.logins = Logins::Fail,
            ["command", "size", size] => {
                self.setup.limits.command_len_max = size.parse().unwrap();
                self.setup.limits.stranger_command_len_max = size.parse().unwrap();
            }
            ["no", "patience"] => self.setup.limits.still_working_wait = std::time::Duration::ZERO,
            ["message", "size", size] => {
                self.setup.limits.message_size_max = size.parse().unwrap();
            }
            ["quota", bytes, messages] => {
                self.room.account().set_quota(bytes.parse().ok());
                self.room.account().set_message_quota(messages.parse().ok());
            }
            ["mailbox", name @ ..] => {
                let name = MailboxName::new(&name.join(" ")).unwrap();
                let request = MailboxRequest::Create { name, role: None };
                let made = self.room.account().change_mailboxes(request, Cause::Own);
                made.wait().unwrap().unwrap();
            }
            [mailbox, count, "messages" | "message"] => {
                for number in 1..=count.parse::<usize>().unwrap() {
                    self.room.deliver(mailbox, plain(number).as_bytes());
                }
            }
            [mailbox, "message", name] => self.room.deliver(mailbox, &message(name)),
            _ => panic!("not understood: given {word}"),
        }
    }
}

impl Protocol for World {
    type Machine = Server;
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    fn machine(&self) -> Server {
        let number = self.sessions.fetch_add(1, Ordering::SeqCst);
        let mut server = Server::new(Setup { number, ..self.setup.clone() });
        if self.start == Start::LoggedIn {
            server.secured(pillarbox::base::TlsFacts::default());
            server.receive(b"x LOGIN ann@example.org right\r\n");
            let now = Timestamp::from_seconds(1_800_000_000);
            loop {
                match server.step(now) {
                    Step::Send(_) => {}
                    Step::Ask(ask) => server.answer(self.answer(ask)),
                    Step::Wait { .. } => return server,
                    other => panic!("a login ended with {other:?}"),
                }
            }
        }
        server
    }

    fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate(_) if self.logins == Logins::Fail => {
                Answer::Refused(Completion::no("Try later").code("UNAVAILABLE"))
            }
            Ask::Authenticate(Credentials { authcid, proof, .. }) => {
                if authcid == "ann@example.org" && is_right(&proof) {
                    Answer::LoggedIn(self.room.account())
                } else {
                    let wrong = Completion::no("Wrong name or device password");
                    Answer::Refused(wrong.code("AUTHENTICATIONFAILED"))
                }
            }
            Ask::Secrets(_) => Answer::Secrets(secrets()),
            Ask::Work(mut task) => loop {
                match task.run() {
                    Worked::Back(session, turn) => return Answer::Worked(session, turn),
                    Worked::Later(later) => task = smol::block_on(later),
                }
            },
        }
    }

    fn delivered(&self) -> Option<Vec<u8>> {
        None
    }

    fn word(&self, word: &str) -> Result<Vec<News>, String> {
        match word.split_once(' ') {
            None if word == "stop" => Ok(vec![News::Shutdown]),
            None if word == "changed" => Ok(vec![News::Changed]),
            None if word == "settle" => {
                self.room.account().settle().wait().unwrap().unwrap();
                Ok(Vec::new())
            }
            Some(("deliver", name)) => {
                self.room.deliver("INBOX", &message(name));
                Ok(vec![News::Changed])
            }
            Some(("uploads", count)) => {
                let tmp = self.room.maildir().join("tmp");
                let found = std::fs::read_dir(tmp).unwrap().count().to_string();
                if found == count { Ok(Vec::new()) } else { Err(format!("+ {found}")) }
            }
            _ => Err(format!("no such word: {word}")),
        }
    }
}
