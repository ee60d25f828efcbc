//! An SMTP client that has messages to hand on; here the text's `S` lines are given and its `C` lines must come. Words:
//! `given job ann@example.org -> bob@else.example carol@else.example` (each is a message), `given lmtp`, `given tls must`,
//! `given tls never`, `given login`, `given 8-bit`, `given size 2000`, `given wishes`, `given demands smtputf8`; `-- report taken 550 lost`
//! is what became of the recipients of the message that came first of those not looked at yet, `-- failed Silent` why the
//! session came to nothing, `-- stop` the shutdown.

use super::wire::Protocol;
use pillarbox::base::Secret;
use pillarbox::mail::{
    Address, Body, Demands, Domain, EnvelopeId, Letters, Notify, OriginalRecipient, Ret,
};
use pillarbox::smtp::client::{
    Answer, Ask, Client, ClientProtocol, Job, JobRecipient, JobText, Login, News, Outcome, Report,
    Setup, TlsUse, Waits,
};
use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

pub struct World {
    setup: Setup,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    reports: VecDeque<String>,
    failed: Option<String>,
}

const FIELDS: &[u8] = b"X-Signed: .yes\r\n";

impl World {
    pub fn new(given: &[String]) -> Self {
        let mut setup = Setup {
            host: Domain::parse("mail.example.org").unwrap(),
            protocol: ClientProtocol::Smtp,
            tls: TlsUse::IfOffered,
            login: None,
            nonce: [0; 18],
            waits: Waits::default(),
        };
        let (mut text, mut demands) =
            ("Subject: x\r\n\r\n.dot\r\nend\r\n".to_owned(), Demands::default());
        let (mut paths, mut wishes, mut asked) = (Vec::new(), false, false);
        for word in given {
            match (word.as_str(), word.split_once(' ')) {
                ("lmtp", _) => setup.protocol = ClientProtocol::Lmtp,
                ("tls must", _) => setup.tls = TlsUse::Must,
                ("login", _) => {
                    let (user, password) = ("ann".into(), Secret::new("right".into()));
                    setup.login = Some(Login { user, password });
                }
                ("tls never", _) => setup.tls = TlsUse::Never,
                ("8-bit", _) => demands.body = Body::EightBitMime,
                ("wishes", _) => wishes = true,
                ("asked only", _) => asked = true,
                ("demands smtputf8", _) => demands.letters = Letters::Utf8,
                (_, Some(("size", size))) => text = "x".repeat(size.parse().unwrap()),
                (_, Some(("job", job))) => paths.push(job.split_once(" -> ").unwrap()),
                _ => panic!("not understood: given {word}"),
            }
        }
        let mut file = unnamed_file();
        file.write_all(text.as_bytes()).unwrap();
        let file = Arc::new(file);
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let recipient = |text: &str| JobRecipient {
            address: address(text),
            notify: if wishes { Notify::parse("FAILURE").unwrap() } else { Notify::Unsaid },
            original: wishes.then(|| OriginalRecipient::of(text)),
        };
        let job = |(from, to): (&str, &str)| Job {
            reverse_path: (from != "<>").then(|| address(from)),
            recipients: to.split(' ').map(recipient).collect(),
            demands,
            ret: wishes.then_some(Ret::Headers),
            envelope_id: EnvelopeId::parse("QQ314159").filter(|_| wishes),
            text: (!asked).then(|| JobText {
                fields: FIELDS.to_vec(),
                file: file.clone(),
                range: 0..text.len() as u64,
            }),
        };
        let jobs = paths.into_iter().map(job).collect();
        Self { setup, state: Mutex::new(State { jobs, ..State::default() }) }
    }
}

/// A file that nobody else has.
fn unnamed_file() -> std::fs::File {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let name = format!("pillarbox-job-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

fn told(report: &Report) -> String {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Taken(_) => "taken".to_owned(),
        Outcome::Refused(heard) | Outcome::TooMany(heard) => heard.code.to_string(),
        Outcome::Unable(lack) => format!("{lack:?}"),
        Outcome::Lost => "lost".to_owned(),
    };
    report.outcomes.iter().map(one).collect::<Vec<_>>().join(" ")
}

impl Protocol for World {
    type Machine = Client;
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    // Real sockets and handshakes are in the tests with other servers.
    const OVER_SOCKET: bool = false;

    fn machine(&self) -> Client {
        Client::new(self.setup.clone())
    }

    fn answer(&self, ask: Ask) -> Answer {
        let mut state = self.state.lock().unwrap();
        match ask {
            Ask::Judge(_) => Answer::Go,
            Ask::Next(report, _) => {
                state.reports.extend(report.as_ref().map(told));
                match state.jobs.pop_front() {
                    Some(job) => Answer::Send(Box::new(job)),
                    None => Answer::Leave,
                }
            }
            Ask::Read(file, range) => {
                let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap()];
                file.read_exact_at(&mut piece, range.start).unwrap();
                Answer::Piece(piece)
            }
            Ask::Failed(failure, report) => {
                state.reports.extend(report.as_ref().map(told));
                state.failed = Some(format!("{failure:?}"));
                Answer::Go
            }
        }
    }

    fn delivered(&self) -> Option<Vec<u8>> {
        None
    }

    fn word(&self, word: &str) -> Result<Vec<News>, String> {
        let mut state = self.state.lock().unwrap();
        match word.split_once(' ') {
            None if word == "stop" => return Ok(vec![News::Shutdown]),
            Some(("report", expected)) => {
                let found = state.reports.pop_front();
                if found.as_deref() != Some(expected) {
                    return Err(format!("+ report {}", found.unwrap_or_default()));
                }
            }
            Some(("failed", expected)) => {
                let found = state.failed.clone().unwrap_or_default();
                if !found.starts_with(expected) {
                    return Err(format!("+ failed {found}"));
                }
            }
            _ => return Err(format!("no such word: {word}")),
        }
        Ok(Vec::new())
    }
}
