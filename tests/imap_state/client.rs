//! A session's machine, driven a step at a time, and what it has said.

use pillarbox::base::{ClearText, Machine, Output, StartTls, Step, Timestamp, TlsFacts};
use pillarbox::imap::{Answer, Ask, Limits, News, Server, Setup, Worked};
use pillarbox::mail::Domain;
use pillarbox::store::{Account, Watching};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub struct Client {
    server: Server,
    account: Account,
    changed: Arc<AtomicBool>,
    _watching: Watching,
    pub number: u64,
    said: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Works,
    /// The server waits for the client.
    Rests,
}

impl Client {
    pub fn new(account: &Account, number: u64) -> Self {
        let limits = Limits { message_size_max: 100_000, ..Limits::default() };
        let setup = Setup {
            host: Domain::parse("mx.example.org").unwrap(),
            number,
            start_tls: StartTls::Offered,
            clear_text: ClearText::Allowed,
            limits,
        };
        let mut server = Server::new(setup);
        server.secured(TlsFacts::default());
        server.receive(b"login LOGIN a b\r\n");
        let changed = Arc::new(AtomicBool::new(false));
        let news = changed.clone();
        let watching = account.watch(move |_| news.store(true, Ordering::SeqCst));
        let account = account.clone();
        let mut client =
            Self { server, account, changed, _watching: watching, number, said: Vec::new() };
        while client.advance() == Progress::Works {}
        client.said.clear();
        client
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.server.receive(bytes);
    }

    /// What was said since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    /// One step, with the work that it asks for.
    pub fn advance(&mut self) -> Progress {
        if self.changed.swap(false, Ordering::SeqCst) {
            self.server.notify(News::Changed);
        }
        match self.server.step(Timestamp::from_seconds(1_800_000_000)) {
            Step::Send(Output::Bytes(bytes)) => self.said.extend(bytes),
            Step::Send(Output::File { file, range }) => {
                let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap()];
                file.read_exact_at(&mut piece, range.start).unwrap();
                self.said.extend(piece);
            }
            Step::Ask(Ask::Authenticate(_)) => {
                self.server.answer(Answer::LoggedIn(self.account.clone()));
            }
            Step::Ask(Ask::Work(mut task)) => {
                let answer = loop {
                    match task.run() {
                        Worked::Back(session, turn) => break Answer::Worked(session, turn),
                        Worked::Later(later) => task = smol::block_on(later),
                    }
                };
                self.server.answer(answer);
            }
            Step::Wait { .. } => return Progress::Rests,
            other => panic!("{other:?} after {}", String::from_utf8_lossy(&self.said)),
        }
        Progress::Works
    }
}
