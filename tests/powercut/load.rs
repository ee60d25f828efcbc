//! The mixed load: workers that deliver, flag, copy, move, expunge, make and rename mailboxes, and act as other programs
//! in the Maildir, all at once in one account. This part runs under the recorder.

use super::random::Random;
use super::stranger::{self, Stranger};
use super::world::{
    Delivery, How, Line, Op, Outcome, Place, Shown, ShownBox, What, World, date, text,
};
use pillarbox::base::{AccountId, Timestamp};
use pillarbox::maildir::{Flags, MailboxId, MailboxName, Uid, UidSet, Unique};
use pillarbox::store::{
    Account, Cause, ExpungeRequest, FlagsRequest, Mailbox, MailboxRequest, Mode, Placement, Store,
    StoreError, Target, TransferRequest, Way,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const WORKERS: u32 = 6;
const BY: Cause = Cause::Session(1, "imap");
/// System flags without `\Deleted`.
const FLAGS: [u32; 5] = [1, 2, 4, 8, 16];

/// Opens the account of a data folder.
pub fn open(root: &Path) -> Result<(Store, Account), StoreError> {
    let store = Store::new(root);
    let account = store.account(AccountId(1));
    account.ready()?;
    Ok((store, account))
}

/// Opens it once there is room for what the start has to do.
fn open_with_room(root: &Path) -> (Store, Account) {
    let store = Store::new(root);
    let account = store.account(AccountId(1));
    for _ in 0..100 {
        if account.ready().is_ok() {
            return (store, account);
        }
    }
    panic!("does not start when there is room again: {:?}", account.ready());
}

/// Several starts, each with work for all workers, and an orderly stop after each but the last.
pub fn run(root: &Path, seed: u64, starts: u32, ops: usize) {
    let trace = File::options().create(true).append(true).open(root.join("trace")).unwrap();
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker {
            number,
            random: Random(seed ^ (u64::from(number) << 32)),
            world: World::default(),
            next: 0,
            fills: false,
            calm: false,
            trace: trace.try_clone().unwrap(),
            stranger: Stranger { maildir: root.join("accounts/1/Maildir") },
            unseen: None,
        })
        .collect();
    for start in 0..starts {
        let (store, account) = open_with_room(root);
        say(&trace, 0, What::Started(shown(&account)));
        workers[0].fills = start > 0;
        // In every other start no names must follow at once, so that long change logs are replayed.
        for worker in &mut workers {
            worker.calm = start % 2 == 0;
        }
        std::thread::scope(|scope| {
            for worker in &mut workers {
                let account = account.clone();
                scope.spawn(move || (0..ops).for_each(|_| worker.turn(&account)));
            }
        });
        if start + 1 < starts {
            let shown = shown(&account);
            store.close();
            for worker in &mut workers {
                worker.between_starts(&shown);
            }
        } else {
            // As if killed: nothing is written any more.
            std::process::exit(0);
        }
    }
}

/// A start after a power cut, by itself: what it shows, and a little work.
pub fn recover(root: &Path, seed: u64, number: u32) {
    let mut trace = File::options().create(true).append(true).open(root.join("trace")).unwrap();
    let mut random = Random(seed);
    if random.one_in(3) {
        let (done, refused) = (random.below(20), random.between(1, 20));
        trace.write_all(format!("!full {done} {refused}\n").as_bytes()).unwrap();
    }
    let (_store, account) = open_with_room(root);
    say(&trace, 0, What::Started(shown(&account)));
    say(&trace, 0, What::Seen(super::promise::seen(&account).unwrap()));
    let mut worker = Worker {
        number,
        random,
        world: World::default(),
        next: 0,
        fills: false,
        calm: false,
        trace,
        stranger: Stranger { maildir: root.join("accounts/1/Maildir") },
        unseen: None,
    };
    (0..12).for_each(|_| worker.turn(&account));
    std::process::exit(0);
}

fn say(mut trace: &File, worker: u32, what: What) {
    let mut line = serde_json::to_vec(&Line { worker, what }).unwrap();
    line.push(b'\n');
    trace.write_all(&line).unwrap();
}

fn shown(account: &Account) -> Shown {
    let mailboxes = account.mailboxes().unwrap();
    let one = |mailbox: &Arc<Mailbox>| ShownBox {
        id: mailbox.id.0.0,
        name: mailbox.name.to_string(),
        validity: mailbox.validity.0,
        uidnext: mailbox.uidnext.0,
        modseq: mailbox.modseq.0,
    };
    Shown { boxes: mailboxes.iter().map(one).collect() }
}

struct Worker {
    number: u32,
    random: Random,
    world: World,
    next: u32,
    /// Now and then it fills the disk.
    fills: bool,
    /// It does nothing that makes all names follow.
    calm: bool,
    trace: File,
    stranger: Stranger,
    /// What another program did while the server was down.
    unseen: Option<Op>,
}

impl Worker {
    /// One request, from the line before it to the line after it.
    fn turn(&mut self, account: &Account) {
        if let Some(op) = self.unseen.take() {
            let outcome = stranger::see(account, &op).unwrap();
            self.world.apply(&op, &outcome);
            say(&self.trace, self.number, What::Done(outcome, shown(account)));
        }
        if self.fills && self.random.one_in(6) {
            let (done, refused) = (self.random.below(30), self.random.between(1, 40));
            self.trace.write_all(format!("!full {done} {refused}\n").as_bytes()).unwrap();
        }
        let Some(op) = self.choose(account) else { return };
        say(&self.trace, self.number, What::Begin(op.clone()));
        match self.ask(account, &op) {
            Ok(outcome) => {
                self.world.apply(&op, &outcome);
                say(&self.trace, self.number, What::Done(outcome, shown(account)));
            }
            Err(error) => {
                // A full disk never ends the service, and hinders neither flags nor expunges.
                let needs_room = match &op {
                    Op::Flags { keywords, .. } => !keywords.is_empty(),
                    Op::Expunge { .. } => false,
                    _ => true,
                };
                let full = matches!(error, StoreError::NoSpace);
                assert!(!matches!(error, StoreError::ReadOnly(_)), "{op:?}: {error}");
                assert!(needs_room || !full, "{op:?}: {error}");
                match op.is_about_mailboxes() {
                    true => {
                        // A part may be done, as with the mailboxes above a new one: it is shown with the next commit.
                        drop(wait(account.settle()));
                        let outcome = self.own_boxes(account).unwrap();
                        self.world.apply(&op, &outcome);
                        say(&self.trace, self.number, What::Done(outcome, shown(account)));
                    }
                    false => say(&self.trace, self.number, What::Refused(error.to_string())),
                }
            }
        }
    }

    /// While the server is down only other programs work.
    fn between_starts(&mut self, shown: &Shown) {
        let open: Vec<&ShownBox> =
            shown.boxes.iter().filter(|shown| !shown.name.starts_with('w')).collect();
        let boxes: Vec<u64> = open.iter().map(|shown| shown.id).collect();
        let Some((mailbox, uids)) = self.some_messages() else { return };
        let Some(to) = self.random.pick(&boxes) else { return };
        let op = match self.random.below(3) {
            0 => Op::Drop { mailbox: to, token: self.token() },
            1 => Op::Mark { mailbox, uid: uids[0], flags: 1 << self.random.between(1, 4) },
            _ => Op::Remove { mailbox, uid: uids[0] },
        };
        let mailbox = if matches!(op, Op::Drop { .. }) { to } else { mailbox };
        let Some(shown) = open.iter().find(|shown| shown.id == mailbox) else { return };
        if !self.stranger.may_work_alone() {
            return;
        }
        let name = MailboxName::new(&shown.name).unwrap();
        say(&self.trace, self.number, What::Begin(op.clone()));
        match stranger::act(&self.stranger.maildir.join(name.folder()), &op) {
            Ok(()) => self.unseen = Some(op),
            Err(error) => say(&self.trace, self.number, What::Refused(error.to_string())),
        }
    }

    fn choose(&mut self, account: &Account) -> Option<Op> {
        let mailboxes = account.mailboxes().unwrap();
        let own = format!("w{}-", self.number);
        let open: Vec<u64> = mailboxes
            .iter()
            .filter(|m| !m.name.as_str().starts_with('w') || m.name.as_str().starts_with(&own))
            .map(|m| m.id.0.0)
            .collect();
        let to = self.random.pick(&open)?;
        let some = self.some_messages();
        Some(match self.random.below(if self.calm { 30 } else { 40 }) {
            0..=11 => self.deliver(&open),
            12..=18 => {
                let (mailbox, uids) = some?;
                let how = self.random.pick(&[How::Add, How::Add, How::Remove, How::Replace])?;
                let (flags, keywords) = (self.flags(), self.keywords());
                Op::Flags { mailbox, uids, how, flags, keywords }
            }
            19..=21 => {
                let (mailbox, uids) = some?;
                Op::Expunge { mailbox, uids }
            }
            22..=24 => {
                let (from, uids) = some?;
                Op::Copy { from, uids, to }
            }
            25..=29 => {
                let (from, uids) = some?;
                Op::Move { from, uids, to }
            }
            30 => Op::Settle,
            31 => {
                let parent = self.own_name();
                let kid = format!("{parent}/{}", self.random.below(3));
                Op::Create { name: if self.random.one_in(2) { parent } else { kid } }
            }
            32 => Op::Rename { from: self.known_name()?, to: self.own_name() },
            33 => Op::Delete { name: self.known_name()? },
            34 => Op::Subscribe { name: self.own_name() },
            35 => Op::Unsubscribe { name: self.own_name() },
            36 | 37 => Op::Drop { mailbox: to, token: self.token() },
            38 => {
                let (mailbox, uids) = some?;
                Op::Mark { mailbox, uid: uids[0], flags: 1 << self.random.between(1, 4) }
            }
            _ => {
                let (mailbox, uids) = some?;
                Op::Remove { mailbox, uid: uids[0] }
            }
        })
    }

    fn deliver(&mut self, open: &[u64]) -> Op {
        let count = if self.random.one_in(6) { 3 } else { 1 };
        let one = |worker: &mut Self| {
            let mut boxes: BTreeSet<u64> = BTreeSet::new();
            for _ in 0..worker.random.between(1, 3).saturating_sub(1).max(1) {
                boxes.extend(worker.random.pick(open));
            }
            let plain = worker.random.one_in(2);
            let place = |mailbox| match plain {
                true => Place { mailbox, flags: 0, keywords: BTreeSet::new() },
                false => Place { mailbox, flags: worker.flags(), keywords: worker.keywords() },
            };
            let places = boxes.into_iter().map(place).collect();
            Delivery { token: worker.token(), places }
        };
        Op::Deliver((0..count).map(|_| one(self)).collect())
    }

    fn some_messages(&mut self) -> Option<(u64, Vec<u32>)> {
        let boxes: BTreeSet<u64> =
            self.world.messages.keys().map(|&(mailbox, _)| mailbox).collect();
        let mailbox = self.random.pick(&boxes.into_iter().collect::<Vec<_>>())?;
        let all: Vec<u32> = self.world.within(mailbox).map(|message| message.uid).collect();
        let picked: BTreeSet<u32> =
            (0..self.random.between(1, 4)).filter_map(|_| self.random.pick(&all)).collect();
        Some((mailbox, picked.into_iter().collect()))
    }

    fn flags(&mut self) -> u32 {
        self.random.pick(&FLAGS).unwrap_or(0) | self.random.pick(&FLAGS).unwrap_or(0)
    }

    fn keywords(&mut self) -> BTreeSet<String> {
        match self.random.below(3) {
            // More than there are letters, so that letters are freed and given again.
            0 => BTreeSet::from([format!("k{}", self.random.below(32))]),
            1 => BTreeSet::from(["often".to_owned()]),
            _ => BTreeSet::new(),
        }
    }

    fn token(&mut self) -> String {
        self.next += 1;
        format!("w{}-{}", self.number, self.next)
    }

    fn own_name(&mut self) -> String {
        format!("w{}-{}", self.number, self.random.below(4))
    }

    fn known_name(&mut self) -> Option<String> {
        let names: Vec<String> = self.world.boxes.values().cloned().collect();
        self.random.pick(&names)
    }

    fn ask(&self, account: &Account, op: &Op) -> Result<Outcome, StoreError> {
        match op {
            Op::Deliver(deliveries) => {
                let arrivals =
                    deliveries.iter().map(|one| arrival(account, one)).collect::<Result<_, _>>()?;
                let placed = wait(account.commit(arrivals, Cause::Delivery))?;
                let one = |p: &pillarbox::store::Placed| (p.mailbox.0.0, p.uid.0, p.email_id.0);
                Ok(Outcome::Placed(placed.iter().map(one).collect()))
            }
            Op::Flags { mailbox, uids, how, flags, keywords } => {
                let mode = match how {
                    How::Add => Mode::Add,
                    How::Remove => Mode::Remove,
                    How::Replace => Mode::Replace,
                };
                wait(account.store_flags(FlagsRequest {
                    mailbox: id(*mailbox),
                    uids: set(uids),
                    mode,
                    flags: Flags(*flags),
                    keywords: keywords.iter().cloned().collect(),
                    unchanged_since: None,
                    cause: BY,
                }))?;
                Ok(Outcome::Plain)
            }
            Op::Expunge { mailbox, uids } => {
                let (mailbox, uids, only) = (id(*mailbox), set(uids), Flags::default());
                wait(account.expunge(ExpungeRequest { mailbox, uids, only, cause: BY }))?;
                Ok(Outcome::Plain)
            }
            Op::Copy { from, uids, to } | Op::Move { from, uids, to } => {
                let way = if matches!(op, Op::Copy { .. }) { Way::Copy } else { Way::Move };
                let (from, uids, to) = (id(*from), set(uids), id(*to));
                let done =
                    wait(account.transfer(TransferRequest { from, uids, to, way, cause: BY }))?;
                let pairs = done.from.iter().zip(done.to.iter());
                Ok(Outcome::Pairs(pairs.map(|(old, new)| (old.0, new.0)).collect()))
            }
            Op::Create { name } => {
                self.boxes(account, MailboxRequest::Create { name: named(name)?, role: None })
            }
            Op::Rename { from, to } => {
                let (from, to) = (named(from)?, named(to)?);
                self.boxes(account, MailboxRequest::Rename { from, to })
            }
            Op::Delete { name } => {
                self.boxes(account, MailboxRequest::Delete { name: named(name)? })
            }
            Op::Subscribe { name } => {
                let request = MailboxRequest::Subscribe { name: named(name)? };
                wait(account.change_mailboxes(request, BY)).map(|()| Outcome::Plain)
            }
            Op::Unsubscribe { name } => {
                let request = MailboxRequest::Unsubscribe { name: named(name)? };
                wait(account.change_mailboxes(request, BY)).map(|()| Outcome::Plain)
            }
            Op::Settle => wait(account.settle()).map(|()| Outcome::Plain),
            Op::Drop { .. } | Op::Mark { .. } | Op::Remove { .. } => {
                self.stranger.work(account, op)
            }
        }
    }

    fn boxes(&self, account: &Account, request: MailboxRequest) -> Result<Outcome, StoreError> {
        wait(account.change_mailboxes(request, BY))?;
        self.own_boxes(account)
    }

    fn own_boxes(&self, account: &Account) -> Result<Outcome, StoreError> {
        let own = format!("w{}-", self.number);
        let mailboxes = account.mailboxes()?;
        let own = mailboxes.iter().filter(|mailbox| mailbox.name.as_str().starts_with(&own));
        let boxes: BTreeMap<u64, String> =
            own.map(|mailbox| (mailbox.id.0.0, mailbox.name.to_string())).collect();
        Ok(Outcome::Boxes(boxes))
    }
}

fn arrival(account: &Account, one: &Delivery) -> Result<pillarbox::store::Arrival, StoreError> {
    let mut incoming = account.begin()?;
    for piece in text(&one.token).chunks(8000) {
        incoming.write(piece)?;
    }
    let (seconds, zone) = date(&one.token);
    let place = |place: &Place| Placement {
        target: Target::Mailbox(id(place.mailbox)),
        flags: Flags(place.flags),
        keywords: place.keywords.iter().cloned().collect(),
    };
    let places = one.places.iter().map(place).collect();
    Ok(incoming.finish(Timestamp::from_seconds(seconds), zone, places))
}

pub fn wait<T>(reply: pillarbox::store::Reply<T>) -> Result<T, StoreError> {
    reply.wait().unwrap_or(Err(StoreError::Closed))
}

pub fn id(id: u64) -> MailboxId {
    MailboxId(Unique(id))
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().map(|&uid| Uid(uid)).collect()
}

fn named(name: &str) -> Result<MailboxName, StoreError> {
    Ok(MailboxName::new(name)?)
}
