//! Several IMAP sessions at once on one account, each with a model of what its client may conclude from what it was
//! told (RFC 3501 §5.2, §7.4.1; RFC 7162 §3.1, §3.2): no answer contradicts it, and in the end all agree with a session that
//! begins afresh, also after a restart. Half of the runs take turns at random on one thread, half have a thread each.
//! `IMAP_STATE_SECONDS=600` runs longer, `IMAP_STATE_SESSIONS=20` with more of them, `IMAP_STATE_SEED=7` begins with that
//! seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod choice;
mod client;
mod model;
mod response;
mod shared;

use client::{Client, Progress};
use model::Model;
use pillarbox::base::AccountId;
use pillarbox::store::{Account, Cause, MailboxRequest, Store};
use shared::{Known, Shared};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Commands of each session.
const COMMANDS: usize = 120;
/// The mailboxes that they work on.
const NAMES: [&str; 2] = ["INBOX", "Other"];

/// Numbers that look random (xorshift).
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % end as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let name = format!("pillarbox-state-{}", std::process::id());
    if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Says the seed when a run fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("IMAP_STATE_SEED={} shows it, if it can be shown again", self.0);
        }
    }
}

#[test]
fn every_session_sees_what_its_model_allows() {
    let end = Instant::now() + Duration::from_secs(number("IMAP_STATE_SECONDS").unwrap_or(5));
    let mut seed = number("IMAP_STATE_SEED").unwrap_or(1);
    let mut runs = 0;
    while runs < 2 || Instant::now() < end {
        let _seed = Seed(seed);
        run(seed);
        seed += 1;
        runs += 1;
    }
    let _ = std::fs::remove_dir_all(folder());
    println!("{runs} runs");
}

fn run(seed: u64) {
    let data = folder().join(seed.to_string());
    std::fs::create_dir_all(&data).unwrap();
    let store = Store::new(&data);
    let account = store.account(AccountId(1));
    let name = pillarbox::maildir::MailboxName::new(NAMES[1]).unwrap();
    let request = MailboxRequest::Create { name, role: None };
    account.change_mailboxes(request, Cause::Own).wait().unwrap().unwrap();
    let on_one_thread = seed.is_multiple_of(2);
    let shared = Arc::new(Shared::default());
    let mut models: Vec<Model> =
        (0..number("IMAP_STATE_SESSIONS").unwrap_or(if seed % 8 == 3 { 20 } else { 4 }))
            .map(|at| {
                let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at + 1) << 32 | 1);
                Model::new(Client::new(&account, at + 1), shared.clone(), random)
            })
            .collect();
    if on_one_thread {
        take_turns(&mut models, &mut Random(seed | 1 << 40));
    } else {
        std::thread::scope(|scope| {
            for model in &mut models {
                scope.spawn(move || {
                    while model.commands < COMMANDS {
                        model.turn();
                    }
                });
            }
        });
    }
    let fresh = [afresh(&account, &shared, 0), afresh(&account, &shared, 1)];
    for model in &mut models {
        model.settle();
        if let Some((at, known)) = model.known() {
            assert_eq!(known, fresh[at], "session {} differs from a fresh one", model.number);
        }
    }
    shared.check_end(&fresh);
    store.close();
    drop(account);
    drop(store);
    let store = Store::new(&data);
    let account = store.account(AccountId(1));
    for at in 0..NAMES.len() {
        assert_eq!(afresh(&account, &shared, at), fresh[at], "{} after a restart", NAMES[at]);
    }
    come_back(&mut models, &account, &fresh);
    store.close();
    drop(account);
    drop(store);
    std::fs::remove_file(data.join("accounts/1/index.db")).unwrap();
    let store = Store::new(&data);
    let account = store.account(AccountId(1));
    come_back(&mut models, &account, &fresh);
    drop(models);
    store.close();
    std::fs::remove_dir_all(&data).unwrap();
}

/// Clients that know QRESYNC connect again, and make their mailboxes of what they kept and what they are told now.
fn come_back(models: &mut [Model], account: &Account, fresh: &[Vec<Known>]) {
    for model in models.iter_mut().filter(|model| model.resyncs) {
        model.come_back(Client::new(account, model.number));
        for (at, name) in NAMES.iter().enumerate() {
            model.look_only(at);
            model.settle();
            let known = model.known().unwrap().1;
            let of = |known: &[Known]| -> Vec<_> {
                known.iter().map(|known| (known.uid, known.flags.clone())).collect()
            };
            assert_eq!(of(&known), of(&fresh[at]), "session {} back in {name}", model.number);
        }
    }
}

/// One piece of work at a time, of one session or another: the same seed does the same.
fn take_turns(models: &mut [Model], random: &mut Random) {
    while models.iter().any(|model| model.commands < COMMANDS) {
        let at = random.below(models.len());
        if models[at].client.advance() == Progress::Rests {
            models[at].next();
        }
    }
    for model in models {
        while model.client.advance() == Progress::Works {}
        model.heard();
    }
}

/// What a session that begins now is told of a mailbox.
fn afresh(account: &Account, shared: &Arc<Shared>, at: usize) -> Vec<Known> {
    let mut model = Model::new(Client::new(account, 99), shared.clone(), Random(1));
    model.look_only(at);
    model.settle();
    model.read_all();
    model.known().unwrap().1
}
