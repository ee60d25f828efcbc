//! Any bytes at an IMAP session that has logged in, on a real store in memory.

use pillarbox::base::{
    AccountId, ClearText, Machine, Output, Secret, StartTls, Step, Timestamp, TlsFacts,
};
use pillarbox::imap::{Answer, Ask, Completion, Limits, News, Server, Setup, Worked};
use pillarbox::mail::Domain;
use pillarbox::maildir::Flags;
use pillarbox::sasl::{Proof, ScramSecrets};
use pillarbox::store::{Account, Cause, Placement, Store, Target};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Sessions that share an account before the next one is made: what they leave there must not grow for ever.
const SESSIONS_EACH: u32 = 200;

fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let name = format!("pillarbox-fuzz-{}", std::process::id());
    if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
}

/// Takes the store's folder away; nothing can be run afterwards.
pub fn clean() {
    std::fs::remove_dir_all(folder()).unwrap();
}

fn account() -> Account {
    static STORE: OnceLock<Store> = OnceLock::new();
    static SESSIONS: AtomicU32 = AtomicU32::new(0);
    let store = STORE.get_or_init(|| {
        let data = folder();
        std::fs::create_dir_all(&data).unwrap();
        Store::new(&data)
    });
    let session = SESSIONS.fetch_add(1, Ordering::SeqCst);
    let account = store.account(AccountId(session / SESSIONS_EACH + 1));
    if session.is_multiple_of(SESSIONS_EACH) {
        for number in 0..3 {
            let mut incoming = account.begin().unwrap();
            let text = format!(
                "From: a@b\r\nSubject: {number}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: c\r\n\r\ntwo\r\n--b--\r\n"
            );
            incoming.write(text.as_bytes()).unwrap();
            let placement =
                Placement { target: Target::Inbox, flags: Flags::default(), keywords: Vec::new() };
            let arrival =
                incoming.finish(Timestamp::from_seconds(1_800_000_000), 0, vec![placement]);
            account.commit(vec![arrival], Cause::Delivery).wait().unwrap().unwrap();
        }
    }
    account
}

/// A session and what it has said last.
pub struct Client {
    server: Server,
    account: Account,
    now: Timestamp,
    /// The last bytes that it said.
    pub tail: Vec<u8>,
    /// It has closed.
    pub closed: bool,
}

impl Client {
    /// A session; nobody has logged in.
    pub fn new() -> Self {
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            number: 1,
            start_tls: StartTls::Offered,
            clear_text: ClearText::Allowed,
            limits: Limits::default(),
        };
        let (server, now) = (Server::new(setup), Timestamp::from_seconds(1_800_000_000));
        Self { server, account: account(), now, tail: Vec::new(), closed: false }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.tail.drain(..self.tail.len().saturating_sub(200));
    }

    /// Runs to a rest; time passes for what is held back.
    pub fn run(&mut self, bytes: &[u8]) {
        self.server.receive(bytes);
        for _ in 0..1_000_000 {
            match self.server.step(self.now) {
                Step::Send(Output::Bytes(bytes)) => {
                    assert!(!bytes.is_empty() && bytes.len() <= 65_536);
                    self.say(&bytes);
                }
                Step::Send(Output::File { file, range }) => {
                    let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap()];
                    file.read_exact_at(&mut piece, range.start).unwrap();
                    self.say(&piece);
                }
                Step::Ask(Ask::Authenticate(who)) => {
                    let known = who.proof == Proof::Password(Secret::new("b".to_owned()));
                    self.server.answer(match known {
                        true => Answer::LoggedIn(self.account.clone()),
                        false => Answer::Refused(Completion::no("No")),
                    });
                }
                Step::Ask(Ask::Secrets(_)) => self.server.answer(Answer::Secrets(ScramSecrets {
                    salt: vec![1; 16],
                    nonce: [2; 18],
                    keys: Vec::new(),
                })),
                Step::Ask(Ask::Work(mut task)) => {
                    let answer = loop {
                        match task.run() {
                            Worked::Back(session, turn) => break Answer::Worked(session, turn),
                            Worked::Later(later) => task = smol::block_on(later),
                        }
                    };
                    self.server.answer(answer);
                }
                Step::StartTls => self.server.secured(TlsFacts::default()),
                Step::Wait { until } => {
                    assert!(until > self.now);
                    assert!(
                        self.tail.is_empty() || self.tail.ends_with(b"\r\n"),
                        "half a line at a rest"
                    );
                    // A held answer: its time comes. A client that is waited for: it says nothing for now.
                    if until.since(self.now) > Duration::from_secs(10) {
                        return;
                    }
                    self.now = until;
                }
                Step::Close => {
                    self.closed = true;
                    return;
                }
                Step::Compress => panic!("not announced"),
            }
        }
        panic!("the session does not come to a rest");
    }

    /// The client is gone, so the session must end.
    pub fn finish(&mut self) {
        self.server.notify(News::Changed);
        if !self.closed {
            self.run(b"");
        }
        assert!(self.closed, "a client that is gone keeps its session");
    }
}

/// With an even first byte somebody has logged in and opened INBOX; the rest comes in pieces.
pub fn imap_command(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut client = Client::new();
    if first.is_multiple_of(2) {
        client.run(b"a LOGIN a b\r\nb SELECT INBOX\r\n");
    }
    for piece in rest.chunks(usize::from(first) * 8 + 1) {
        if !client.closed {
            client.run(piece);
        }
    }
    client.finish();
}
