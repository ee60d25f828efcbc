//! A POP3 server with a real store in a folder of its own. Ann (ann@example.org, password `right`) has mail. Words:
//! `given 3 messages`, `given message nested` (a file of `messages/`), `given clear text`, `given no certificate`;
//! `-- deliver greeting` brings a file of `messages/`, `-- elsewhere 2` expunges UID 2 in another session, `-- left 1,3`
//! holds which UIDs are in INBOX, `-- seen 1` which of them are `\\Seen`, `-- stop` is the shutdown.

use super::mailroom::{Mailroom, is_right, message, plain, secrets};
use super::wire::Protocol;
use pillarbox::base::{ClearText, StartTls};
use pillarbox::mail::Domain;
use pillarbox::maildir::{Flags, MailboxName, UidSet};
use pillarbox::pop3::{Answer, Ask, Limits, Maildrop, News, Server, Setup};
use pillarbox::store::{Cause, Entry, ExpungeRequest};

pub struct World {
    setup: Setup,
    room: Mailroom,
}

impl World {
    pub fn new(given: &[String]) -> Self {
        let mut setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            number: 1,
            start_tls: StartTls::Offered,
            clear_text: ClearText::Refused,
            limits: Limits::default(),
        };
        let room = Mailroom::new();
        for word in given {
            match word.split(' ').collect::<Vec<_>>().as_slice() {
                ["clear", "text"] => setup.clear_text = ClearText::Allowed,
                ["no", "certificate"] => setup.start_tls = StartTls::Absent,
                ["message", name] => room.deliver("INBOX", &message(name)),
                [count, "messages" | "message"] => {
                    for number in 1..=count.parse().unwrap() {
                        room.deliver("INBOX", plain(number).as_bytes());
                    }
                }
                _ => panic!("not understood: given {word}"),
            }
        }
        Self { setup, room }
    }

    fn uids(&self, wanted: impl Fn(&Entry) -> bool) -> String {
        let account = self.room.account();
        let mailboxes = account.mailboxes().unwrap();
        let inbox = mailboxes.named(&MailboxName::inbox()).unwrap();
        let array = account.array(inbox).unwrap();
        let entries = array.iter().map(|(_, entry)| entry).filter(wanted);
        entries.map(|entry| entry.uid).collect::<UidSet>().to_string()
    }
}

impl Protocol for World {
    type Machine = Server;
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    fn machine(&self) -> Server {
        Server::new(self.setup.clone())
    }

    fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate(who) if who.authcid == "ann@example.org" && is_right(&who.proof) => {
                Answer::Opened(Maildrop::open(self.room.account()).unwrap())
            }
            Ask::Authenticate(_) => Answer::Refused("[AUTH] Wrong name or device password"),
            Ask::Secrets(_) => Answer::Secrets(secrets()),
            Ask::Open(opening) => match opening.open() {
                Ok(opened) => Answer::Message(opened),
                Err(_) => Answer::Refused("[SYS/PERM] It is gone"),
            },
            Ask::Read(reader) => {
                let (reader, piece) = reader.next().unwrap();
                Answer::Piece(reader, piece)
            }
            Ask::Close(closing) => {
                if let Some(request) = closing.expunge() {
                    closing.account.expunge(request).wait().unwrap().unwrap();
                }
                if let Some(request) = closing.mark() {
                    closing.account.store_flags(request).wait().unwrap().unwrap();
                }
                Answer::Closed
            }
        }
    }

    fn delivered(&self) -> Option<Vec<u8>> {
        None
    }

    fn word(&self, word: &str) -> Result<Vec<News>, String> {
        let held = |found: String, expected: &str| {
            if found == expected { Ok(Vec::new()) } else { Err(format!("+ {found}")) }
        };
        match word.split_once(' ') {
            None if word == "stop" => Ok(vec![News::Shutdown]),
            Some(("deliver", name)) => {
                self.room.deliver("INBOX", &message(name));
                Ok(Vec::new())
            }
            Some(("elsewhere", uids)) => {
                let account = self.room.account();
                let mailbox = account.mailboxes().unwrap().named(&MailboxName::inbox()).unwrap().id;
                let uids = UidSet::parse(uids).unwrap();
                let only = Flags::default();
                let request = ExpungeRequest { mailbox, uids, only, cause: Cause::Own };
                account.expunge(request).wait().unwrap().unwrap();
                account.settle().wait().unwrap().unwrap();
                Ok(Vec::new())
            }
            Some(("left", uids)) => held(self.uids(|_| true), uids),
            Some(("seen", uids)) => {
                held(self.uids(|entry| entry.flags.contains(Flags::SEEN)), uids)
            }
            _ => Err(format!("no such word: {word}")),
        }
    }
}
