//! An SMTP server with a small world. Ann (ann@example.org, password `right`) and Bob live in example.org. Words:
//! `given role submission`, `given clear text`, `given no certificate`, `given disk full`, `given begin fails`,
//! `given write fails`, `given commit fails`, `given login fails`, `given bob full`, `given bob stops`, `given role lmtp`, `given role local`, `given host foo.com`, `given address x@foo.com`,
//! `given message size 1000`, `given recipients 3`; `-- stop` is the shutdown, `-- abandoned` holds that a message was
//! begun and given up, `-- size 8` how many bytes the last one has, and
//! `-- envelope ESMTPS c.example ann@example.org -> bob@example.org` how it came.

use super::mailroom::{is_right, secrets};
use super::wire::Protocol;
use pillarbox::base::{AccountId, ClearText, StartTls};
use pillarbox::mail::Domain;
use pillarbox::smtp::{
    Answer, Ask, Enhanced, Envelope, ForwardPath, Limits, Login, News, Reply, Role, Server, Setup,
};
use std::sync::Mutex;

pub struct World {
    setup: Setup,
    addresses: Vec<String>,
    faults: Vec<String>,
    mail: Mutex<Mail>,
}

#[derive(Default)]
struct Mail {
    coming: Vec<u8>,
    delivered: Option<Vec<u8>>,
    envelope: Option<Envelope>,
    abandoned: usize,
}

impl World {
    pub fn new(given: &[String]) -> Self {
        let mut setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            peer: [192, 0, 2, 1].into(),
            role: Role::Relay { submission_port: 465 },
            start_tls: StartTls::Offered,
            login: None,
            limits: Limits::default(),
        };
        let mut addresses = vec!["ann@example.org".to_owned(), "bob@example.org".to_owned()];
        let mut faults = Vec::new();
        for word in given {
            match (word.as_str(), word.rsplit_once(' ')) {
                ("role submission", _) => setup.role = Role::Submission(ClearText::Refused),
                ("role lmtp", _) => setup.role = Role::Lmtp,
                ("role local", _) => {
                    setup.role = Role::Local;
                    setup.start_tls = StartTls::Absent;
                    setup.login = Some(Login {
                        account: None,
                        name: "ann@example.org".to_owned(),
                        device: None,
                    });
                }
                ("clear text", _) => setup.role = Role::Submission(ClearText::Allowed),
                ("no certificate", _) => setup.start_tls = StartTls::Absent,
                (_, Some((_, "full" | "fails" | "stops"))) => faults.push(word.clone()),
                (_, Some(("host", host))) => setup.host = Domain::parse(host).unwrap(),
                (_, Some(("address", address))) => addresses.push(address.to_ascii_lowercase()),
                (_, Some(("message size", size))) => {
                    setup.limits.message_size_max = size.parse().unwrap();
                }
                (_, Some(("recipients", count))) => {
                    setup.limits.recipients_max = count.parse().unwrap();
                }
                _ => panic!("not understood: given {word}"),
            }
        }
        Self { setup, addresses, faults, mail: Mutex::default() }
    }

    fn fails(&self, what: &str) -> bool {
        self.faults.iter().any(|fault| fault == what)
    }

    fn recipient(&self, path: &ForwardPath) -> Answer {
        let ForwardPath::Mailbox(to) = path else { return Answer::Accept };
        let plain = format!("{}@{}", to.user().to_ascii_lowercase(), to.domain());
        let ours = |address: &String| address.ends_with(&format!("@{}", to.domain()));
        if self.fails("disk full") {
            refuse(452, Enhanced(4, 3, 1), "The disk is nearly full")
        } else if self.addresses.contains(&plain) || plain == "postmaster@example.org" {
            Answer::Accept
        } else if self.addresses.iter().any(ours) {
            refuse(550, Enhanced(5, 1, 1), "Nobody here")
        } else {
            refuse(550, Enhanced(5, 7, 1), "Not ours")
        }
    }
}

impl World {
    /// `given bob full`, `given bob stops`.
    fn full(&self, path: &ForwardPath) -> Option<Reply> {
        let name = path.to_string();
        let name = name.split('@').next().unwrap();
        if self.fails(&format!("{name} full")) {
            return Some(Reply::new(452, Enhanced(4, 2, 2), "The mailbox is full"));
        }
        self.fails(&format!("{name} stops"))
            .then(|| Reply::new(421, Enhanced(4, 3, 2), "We are stopping"))
    }
}

fn refuse(code: u16, enhanced: Enhanced, text: &'static str) -> Answer {
    Answer::Refuse(Reply::new(code, enhanced, text))
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
        let mut mail = self.mail.lock().unwrap();
        match ask {
            Ask::Authenticate(_) if self.fails("login fails") => {
                refuse(454, Enhanced(4, 7, 0), "Try later")
            }
            Ask::Authenticate(who) if who.authcid == "ann@example.org" && is_right(&who.proof) => {
                Answer::LoggedIn(Login {
                    account: Some(AccountId(1)),
                    name: who.authcid,
                    device: Some(1),
                })
            }
            Ask::Secrets(_) => Answer::Secrets(secrets()),
            Ask::Authenticate(_) => refuse(535, Enhanced(5, 7, 8), "Wrong name or password"),
            Ask::Sender { login: Some(_), reverse_path, .. }
                if reverse_path.as_ref().is_none_or(|path| path.local() != "ann") =>
            {
                refuse(550, Enhanced(5, 7, 1), "Not your address")
            }
            Ask::Sender { .. } => Answer::Accept,
            Ask::Recipient { forward_path, .. } => self.recipient(&forward_path),
            Ask::Begin(_) if self.fails("begin fails") => {
                refuse(451, Enhanced(4, 3, 0), "Try later")
            }
            Ask::Begin(envelope) => {
                assert!(mail.coming.is_empty());
                mail.envelope = Some(*envelope);
                Answer::Accept
            }
            Ask::Write(piece) => {
                assert!(piece.len() <= 65_536, "a piece of {} bytes", piece.len());
                mail.coming.extend(piece);
                if self.fails("write fails") {
                    mail.coming.clear();
                    return refuse(452, Enhanced(4, 3, 1), "The disk is full");
                }
                Answer::Accept
            }
            Ask::Commit if self.fails("commit fails") => {
                mail.coming.clear();
                refuse(451, Enhanced(4, 3, 0), "Try later")
            }
            Ask::Commit if self.setup.role == Role::Lmtp => {
                mail.delivered = Some(std::mem::take(&mut mail.coming));
                let recipients = mail.envelope.as_ref().map(|envelope| &envelope.recipients);
                Answer::Each(recipients.unwrap().iter().map(|to| self.full(&to.path)).collect())
            }
            Ask::Commit => {
                mail.delivered = Some(std::mem::take(&mut mail.coming));
                Answer::Accept
            }
            Ask::Abandon => {
                mail.coming.clear();
                mail.abandoned += 1;
                Answer::Accept
            }
        }
    }

    fn delivered(&self) -> Option<Vec<u8>> {
        self.mail.lock().unwrap().delivered.clone()
    }

    fn word(&self, word: &str) -> Result<Vec<News>, String> {
        let mail = self.mail.lock().unwrap();
        match word.split_once(' ') {
            None if word == "stop" => Ok(vec![News::Shutdown]),
            None if word == "abandoned" && mail.abandoned == 1 && mail.delivered.is_none() => {
                Ok(Vec::new())
            }
            Some(("size", size)) => {
                let found = mail.delivered.as_ref().map_or(0, Vec::len).to_string();
                if found == size { Ok(Vec::new()) } else { Err(format!("+ size {found}")) }
            }
            Some(("envelope", expected)) => {
                let envelope = mail.envelope.as_ref().ok_or("there is no envelope")?;
                let from = envelope.reverse_path.as_ref().map_or("<>".into(), ToString::to_string);
                let to: Vec<_> = envelope.recipients.iter().map(ToString::to_string).collect();
                let (protocol, name) = (envelope.protocol.name(), &envelope.greeting);
                let found = format!("{protocol} {name} {from} -> {}", to.join(" "));
                let same = found == expected;
                if same { Ok(Vec::new()) } else { Err(format!("+ {found}")) }
            }
            _ => Err(format!("no such word, or it does not hold: {word}")),
        }
    }
}
