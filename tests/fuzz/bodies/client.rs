//! Any bytes from a server that mail goes to.
#![allow(dead_code, reason = "a fuzz target uses one body, a test another")]

use super::dice;
use pillarbox::base::{Machine, Output, Secret, Step, Timestamp, TlsFacts};
use pillarbox::mail::{Address, Body, Demands, Domain, Notify};
use pillarbox::smtp::client::{
    Answer, Ask, Client, ClientProtocol, Job, JobRecipient, JobText, Login, Outcome, Setup, TlsUse,
    Waits,
};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

const TEXT: &[u8] = b"Subject: x\r\n\r\n.dot\r\nend\r\n";

fn file() -> Arc<File> {
    static FILE: OnceLock<Arc<File>> = OnceLock::new();
    let made = || {
        let path = std::env::temp_dir().join(format!("pillarbox-fuzz-job-{}", std::process::id()));
        std::fs::write(&path, TEXT).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        Arc::new(file)
    };
    FILE.get_or_init(made).clone()
}

fn job(recipients: usize) -> Job {
    let address = |text: String| Address::parse(text.as_bytes()).unwrap();
    let recipient = |number| JobRecipient {
        address: address(format!("u{number}@else.example")),
        notify: Notify::Unsaid,
        original: None,
    };
    Job {
        reverse_path: Some(address("ann@example.org".into())),
        recipients: (0..recipients).map(recipient).collect(),
        demands: Demands { body: Body::EightBitMime, ..Demands::default() },
        ret: None,
        envelope_id: None,
        text: Some(JobText { fields: Vec::new(), file: file(), range: 0..TEXT.len() as u64 }),
    }
}

/// The first byte chooses the session, the rest is what the server says, in pieces of any length. Whatever that is: the
/// session ends, each recipient of each job has one outcome, and nobody is told that it was taken who was not asked for.
pub fn smtp_client(data: &[u8]) {
    let Some((&choice, mut said)) = data.split_first() else { return };
    let mut next = dice(0x1234_5678 + u64::from(choice));
    let protocol = if choice & 1 == 0 { ClientProtocol::Smtp } else { ClientProtocol::Lmtp };
    let login = (choice & 2 != 0)
        .then(|| Login { user: "ann".into(), password: Secret::new("right".into()) });
    let tls = [TlsUse::IfOffered, TlsUse::Never, TlsUse::Must][usize::from(choice >> 2) % 3];
    let setup = Setup {
        host: Domain::parse("mail.example.org").unwrap(),
        protocol,
        tls,
        login,
        nonce: [0; 18],
        waits: Waits::default(),
    };
    let mut client = Client::new(setup);
    let (mut left, mut current, mut now) = (3, 0, Timestamp::from_seconds(1_800_000_000));
    for _ in 0..100_000 {
        match client.step(now) {
            Step::Send(Output::Bytes(bytes)) => assert!(bytes.len() <= 128 * 1024),
            Step::Send(Output::File { range, .. }) => assert_eq!(range, 0..TEXT.len() as u64),
            Step::StartTls => client.secured(TlsFacts::default()),
            Step::Wait { until } => {
                if said.is_empty() && choice & 32 == 0 {
                    now = until;
                    continue;
                }
                let len = 1 + usize::try_from(next()).unwrap() % 40;
                let (piece, rest) = said.split_at(len.min(said.len()));
                said = rest;
                client.receive(piece);
            }
            Step::Ask(ask) => {
                let answer = match ask {
                    Ask::Judge(_) => Answer::Go,
                    Ask::Read(file, range) => {
                        let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap()];
                        file.read_exact_at(&mut piece, range.start).unwrap();
                        Answer::Piece(piece)
                    }
                    Ask::Next(report, _) | Ask::Failed(_, report) => {
                        if let Some(report) = report {
                            assert_eq!(report.outcomes.len(), current, "one outcome each");
                            let taken = |one: &Outcome| matches!(one, Outcome::Taken(_));
                            assert!(report.text_sent || !report.outcomes.iter().any(taken));
                        }
                        if left == 0 {
                            Answer::Leave
                        } else {
                            left -= 1;
                            current = 1 + left;
                            Answer::Send(Box::new(job(current)))
                        }
                    }
                };
                client.answer(answer);
            }
            Step::Compress => panic!("there is no compression here"),
            Step::Close => return,
        }
    }
    panic!("the session does not end");
}
