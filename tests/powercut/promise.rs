//! What must be there after a power cut, by the trace up to that moment: everything that was acknowledged; of what was
//! only asked for, all or nothing; no number that was shown is ever given again or lower.

use super::load::{id, open};
use super::world::{Line, Message, Op, Outcome, ShownBox, What, World, date, text, worker_of};
use pillarbox::base::Timestamp;
use pillarbox::maildir::{Flags, ModSeq, Uid};
use pillarbox::store::{Account, Cause, Placement, Store, StoreError, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a trace promises.
#[derive(Debug, Default)]
pub struct Promise {
    worlds: BTreeMap<u32, World>,
    /// Asked for and not answered.
    open: BTreeMap<u32, Op>,
    /// Tokens of messages that were refused: they may be there all the same, once.
    refused: BTreeSet<String>,
    /// The highest numbers that each mailbox showed.
    shown: BTreeMap<u64, ShownBox>,
    /// Messages that somebody wanted gone: mailbox, UID, and a HIGHESTMODSEQ that was shown before.
    parted: Vec<(u64, u32, u64)>,
}

impl Promise {
    /// Of the whole lines of a trace.
    pub fn of(trace: &[u8]) -> Self {
        let mut promise = Self::default();
        for line in trace.split_inclusive(|&byte| byte == b'\n') {
            if line.ends_with(b"\n") && !line.starts_with(b"!") {
                promise.add(serde_json::from_slice(line).unwrap());
            }
        }
        promise
    }

    fn add(&mut self, Line { worker, what }: Line) {
        match what {
            What::Begin(op) => {
                self.worlds.entry(worker).or_default();
                let (mailbox, uids) = op.parts_with();
                let before = self.shown.get(&mailbox).map_or(0, |shown| shown.modseq);
                self.parted.extend(uids.iter().map(|&uid| (mailbox, uid, before)));
                self.open.insert(worker, op);
            }
            What::Done(outcome, shown) => {
                let op = self.open.remove(&worker).unwrap();
                self.worlds.entry(worker).or_default().apply(&op, &outcome);
                self.show(shown.boxes);
            }
            What::Refused(_) => {
                if let Some(Op::Deliver(deliveries)) = self.open.remove(&worker) {
                    self.refused.extend(deliveries.into_iter().map(|one| one.token));
                }
            }
            What::Started(shown) => {
                // What was under way with a mailbox is decided now.
                for (worker, world) in &mut self.worlds {
                    let op = self.open.get(worker);
                    let Some(op) = op.filter(|op| op.is_about_mailboxes()).cloned() else {
                        continue;
                    };
                    let own = |b: &&ShownBox| b.name.starts_with(&format!("w{worker}-"));
                    let boxes = shown.boxes.iter().filter(own);
                    let boxes = boxes.map(|b| (b.id, b.name.clone())).collect();
                    world.apply(&op, &Outcome::Boxes(boxes));
                    self.open.remove(worker);
                }
                self.show(shown.boxes);
            }
            What::Seen(messages) => {
                // What a client sees after a start is there to stay, acknowledged before or not. What another program
                // did may be seen later: a look that finds the disk full is put off.
                self.open.retain(|_, op| match op {
                    Op::Subscribe { .. } | Op::Unsubscribe { .. } => true,
                    Op::Mark { .. } | Op::Remove { .. } => true,
                    Op::Drop { token, .. } => messages.iter().all(|seen| seen.token != *token),
                    _ => false,
                });
                self.refused.clear();
                self.worlds.values_mut().for_each(|world| world.messages.clear());
                for message in messages {
                    let worker = worker_of(&message.token);
                    self.worlds.entry(worker).or_default().insert(message);
                }
            }
        }
    }

    fn show(&mut self, boxes: Vec<ShownBox>) {
        let ids: BTreeSet<u64> = boxes.iter().map(|b| b.id).collect();
        for new in boxes {
            let old = self.shown.entry(new.id).or_insert_with(|| new.clone());
            old.uidnext = old.uidnext.max(new.uidnext);
            old.modseq = old.modseq.max(new.modseq);
        }
        // Lines of two workers may stand in another order than what they saw, but an id that went does not come back.
        let own = |b: &ShownBox| b.name.starts_with('w');
        self.shown.retain(|id, shown| ids.contains(id) || own(shown));
    }

    /// Starts the server on a disk and looks whether every promise is kept.
    pub fn check(&self, root: &Path) -> Result<(), String> {
        let (store, account) = open(root).map_err(|error| format!("does not start: {error}"))?;
        let messages = self.check_open(&account)?;
        let mailboxes = account.mailboxes().map_err(|error| error.to_string())?;
        let uidnext: BTreeMap<u64, u32> =
            mailboxes.iter().map(|m| (m.id.0.0, m.uidnext.0)).collect();
        let new = deliver(&account)?;
        if new.1 < uidnext[&new.0] {
            return Err(format!("a new message got UID {} again", new.1));
        }
        if messages.iter().any(|message| message.email_id == new.2.email_id) {
            return Err(format!("a new message got EMAILID {:x} again", new.2.email_id));
        }
        store.close();
        let mut messages: BTreeSet<String> = messages.iter().map(|m| format!("{m:?}")).collect();
        let again = |what: &str, messages: &BTreeSet<String>| -> Result<Store, String> {
            let (store, account) = open(root).map_err(|error| format!("{what}: {error}"))?;
            let now: BTreeSet<String> = seen(&account)?.iter().map(|m| format!("{m:?}")).collect();
            match messages.symmetric_difference(&now).next() {
                None => Ok(store),
                Some(one) => Err(format!("{what}: not as before: {one}")),
            }
        };
        messages.insert(format!("{:?}", new.2));
        again("after an orderly stop", &messages)?.close();
        lose_index(root);
        again("after the loss of the index", &messages)?.close();
        Ok(())
    }

    fn check_open(&self, account: &Account) -> Result<Vec<Message>, String> {
        let messages = seen(account)?;
        let mailboxes = account.mailboxes().map_err(|error| error.to_string())?;
        let boxes: BTreeMap<u64, String> =
            mailboxes.iter().map(|m| (m.id.0.0, m.name.to_string())).collect();
        let subscriptions: BTreeSet<String> =
            mailboxes.subscriptions.iter().map(ToString::to_string).collect();
        let mut actual: BTreeMap<u32, World> = BTreeMap::new();
        for message in &messages {
            actual.entry(worker_of(&message.token)).or_default().insert(message.clone());
        }
        let workers: BTreeSet<u32> = self.worlds.keys().chain(actual.keys()).copied().collect();
        for worker in workers {
            let own = format!("w{worker}-");
            let mut actual = actual.remove(&worker).unwrap_or_default();
            let named = boxes.iter().filter(|(_, name)| name.starts_with(&own));
            actual.boxes = named.map(|(&id, name)| (id, name.clone())).collect();
            let named = subscriptions.iter().filter(|name| name.starts_with(&own));
            actual.subscriptions = named.cloned().collect();
            let empty = World::default();
            let expected = self.worlds.get(&worker).unwrap_or(&empty);
            self.check_worker(expected, self.open.get(&worker), actual)
                .map_err(|error| format!("worker {worker}: {error}"))?;
        }
        for shown in self.shown.values() {
            let Some(now) = mailboxes.iter().find(|m| m.id.0.0 == shown.id) else {
                if shown.name.starts_with('w') {
                    continue;
                }
                return Err(format!("mailbox {} is gone", shown.name));
            };
            let lower = now.uidnext.0 < shown.uidnext || now.modseq.0 < shown.modseq;
            if now.validity.0 != shown.validity || lower {
                return Err(format!(
                    "{shown:?} has UIDVALIDITY {}, UIDNEXT {}, HIGHESTMODSEQ {} now",
                    now.validity.0, now.uidnext.0, now.modseq.0
                ));
            }
        }
        self.check_vanished(account, &messages)?;
        Ok(messages)
    }

    /// A client that knew a message and comes back with the HIGHESTMODSEQ of then is told that it is gone (RFC 7162
    /// §3.2.5).
    fn check_vanished(&self, account: &Account, messages: &[Message]) -> Result<(), String> {
        let there: BTreeSet<(u64, u32)> = messages.iter().map(|m| (m.mailbox, m.uid)).collect();
        for &(mailbox, uid, since) in &self.parted {
            if there.contains(&(mailbox, uid)) {
                continue;
            }
            match account.expunged_since(id(mailbox), ModSeq(since)) {
                Ok(Some(told)) if !told.contains(Uid(uid)) => {
                    return Err(format!(
                        "UID {uid} of {mailbox:x} is gone, and who knew it at {since} is not told"
                    ));
                }
                Ok(_) | Err(StoreError::NoMailbox) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    fn check_worker(
        &self,
        expected: &World,
        open: Option<&Op>,
        mut actual: World,
    ) -> Result<(), String> {
        let mut once = BTreeSet::new();
        actual.messages.retain(|key, message| {
            let known = expected.messages.contains_key(key);
            let first = once.insert((message.token.clone(), message.mailbox));
            known || !first || !self.refused.contains(&message.token)
        });
        let plain = difference(expected, &actual);
        let Some(plain) = plain else { return Ok(()) };
        let Some(op) = open else { return Err(format!("{plain} (nothing was under way)")) };
        match difference(&done(expected, op, &actual), &actual) {
            None => Ok(()),
            Some(other) => Err(format!("{plain}; nor is it as after {op:?}: {other}")),
        }
    }
}

/// Takes the index away; the cards with it.
pub fn lose_index(root: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        drop(std::fs::remove_file(root.join("accounts/1").join(name)));
    }
    drop(std::fs::remove_dir_all(root.join("hot")));
}

/// What is expected if the request under way was done, or as much of it as may be there.
fn done(expected: &World, op: &Op, actual: &World) -> World {
    let mut world = expected.clone();
    let extra: Vec<&Message> = (actual.messages.iter())
        .filter(|(key, _)| !expected.messages.contains_key(key))
        .map(|(_, message)| message)
        .collect();
    match op {
        Op::Deliver(deliveries) => {
            let mut places: Vec<Message> = Vec::new();
            for (one, place) in deliveries.iter().flat_map(|d| d.places.iter().map(move |p| (d, p)))
            {
                let (mailbox, token) = (place.mailbox, one.token.clone());
                let (flags, keywords) = (place.flags, place.keywords.clone());
                places.push(Message { mailbox, uid: 0, token, flags, keywords, email_id: 0 });
            }
            for message in extra {
                let same = |p: &Message| p.mailbox == message.mailbox && p.token == message.token;
                if let Some(at) = places.iter().position(same) {
                    let place = places.remove(at);
                    world.insert(Message { uid: message.uid, ..place });
                }
            }
        }
        Op::Drop { mailbox, token } => {
            let own = |m: &&&Message| m.mailbox == *mailbox && m.token == *token;
            if let Some(message) = extra.iter().find(own) {
                let message = Message { flags: 0, keywords: BTreeSet::new(), ..(*message).clone() };
                world.insert(message);
            }
        }
        Op::Copy { from, uids, to } | Op::Move { from, uids, to } => {
            let there = uids.iter().filter(|&&uid| expected.messages.contains_key(&(*from, uid)));
            let new = extra.iter().filter(|message| message.mailbox == *to);
            let pairs: Vec<(u32, u32)> = there.copied().zip(new.map(|m| m.uid)).collect();
            if pairs.len() == uids.len() {
                world.apply(op, &Outcome::Pairs(pairs));
            }
        }
        Op::Create { name } => {
            let made = |n: &&String| name == *n || name.starts_with(&format!("{n}/"));
            let boxes = actual.boxes.iter().filter(|(_, n)| made(n));
            world.boxes.extend(boxes.map(|(&id, name)| (id, name.clone())));
        }
        Op::Rename { from, to } => {
            for name in world.boxes.values_mut() {
                if let Some(rest) = name.strip_prefix(from.as_str())
                    && (rest.is_empty() || rest.starts_with('/'))
                {
                    *name = format!("{to}{rest}");
                }
            }
        }
        Op::Delete { name } => {
            let mut boxes = world.boxes.clone();
            boxes.retain(|_, known| known != name);
            world.apply(op, &Outcome::Boxes(boxes));
        }
        Op::Settle => {}
        Op::Flags { .. }
        | Op::Expunge { .. }
        | Op::Subscribe { .. }
        | Op::Unsubscribe { .. }
        | Op::Mark { .. }
        | Op::Remove { .. } => world.apply(op, &Outcome::Plain),
    }
    world
}

/// The first thing that is not as expected.
fn difference(expected: &World, actual: &World) -> Option<String> {
    for (key, message) in &expected.messages {
        let Some(now) = actual.messages.get(key) else {
            let same = actual.messages.values().find(|now| now.token == message.token);
            return Some(format!("lost: {message:?}, the nearest is {same:?}"));
        };
        let known = message.email_id != 0;
        let email_id = if known { message.email_id } else { now.email_id };
        if *now != (Message { email_id, ..message.clone() }) {
            return Some(format!("{message:?} is now {now:?}"));
        }
    }
    let doubled = actual.messages.iter().find(|(key, _)| !expected.messages.contains_key(key));
    if let Some((_, message)) = doubled {
        return Some(format!("one too many: {message:?}"));
    }
    if expected.boxes != actual.boxes {
        return Some(format!("mailboxes {:?} are now {:?}", expected.boxes, actual.boxes));
    }
    let (before, now) = (&expected.subscriptions, &actual.subscriptions);
    (before != now).then(|| format!("subscriptions {before:?} are now {now:?}"))
}

/// All messages as a client sees them; each must have the text, date and counters that it had.
pub fn seen(account: &Account) -> Result<Vec<Message>, String> {
    let mailboxes = account.mailboxes().map_err(|error| error.to_string())?;
    let mut messages = Vec::new();
    for mailbox in mailboxes.iter() {
        let array = account.array(mailbox).map_err(|error| error.to_string())?;
        let rows = account.rows(mailbox.id, Uid(1), Uid(u32::MAX), usize::MAX);
        let rows = rows.map_err(|error| error.to_string())?;
        let rows: BTreeMap<Uid, _> = rows.into_iter().map(|row| (row.uid, row)).collect();
        let (mut unseen, mut bytes) = (0, 0);
        for (_, entry) in array.iter() {
            let place = format!("{} {}", mailbox.name, entry.uid);
            let row = rows.get(&entry.uid).ok_or_else(|| format!("{place} has no row"))?;
            let open = account.open(mailbox, row).map_err(|error| format!("{place}: {error}"))?;
            let content = open.read(0..u64::MAX).map_err(|error| error.to_string())?;
            let card = account.card(mailbox, row).map_err(|error| format!("{place}: {error}"))?;
            let token = card.envelope.subject.map(|s| String::from_utf8_lossy(&s).into_owned());
            let token = token.unwrap_or_default();
            if !token.starts_with('w') || content != text(&token) {
                return Err(format!("{place} is torn: {token:?}, {} bytes", content.len()));
            }
            let (seconds, zone) = date(&token);
            if row.date != seconds || (row.stem.is_none() && row.zone != zone) {
                return Err(format!("{place}: date {} {} is not its own", row.date, row.zone));
            }
            unseen += u32::from(!entry.flags.contains(Flags::SEEN));
            bytes += row.size;
            let keywords = mailboxes.text.keywords.iter();
            let keywords = keywords.filter(|&(&at, _)| entry.flags.contains(Flags::keyword(at)));
            messages.push(Message {
                mailbox: mailbox.id.0.0,
                uid: entry.uid.0,
                token,
                flags: entry.flags.both(Flags(63)).0,
                keywords: keywords.map(|(_, name)| name.clone()).collect(),
                email_id: row.email_id.0,
            });
        }
        let (counted, known) =
            ((array.len(), unseen, bytes), (mailbox.count, mailbox.unseen, mailbox.bytes));
        if counted != known {
            return Err(format!("{} counts {known:?} and has {counted:?}", mailbox.name));
        }
    }
    Ok(messages)
}

/// One more message: its mailbox, its UID, and what a client sees of it.
fn deliver(account: &Account) -> Result<(u64, u32, Message), String> {
    let token = "w0-999999".to_owned();
    let mut incoming = account.begin().map_err(|error| error.to_string())?;
    incoming.write(&text(&token)).map_err(|error| error.to_string())?;
    let (seconds, zone) = date(&token);
    let placement =
        Placement { target: Target::Inbox, flags: Flags::default(), keywords: Vec::new() };
    let arrival = incoming.finish(Timestamp::from_seconds(seconds), zone, vec![placement]);
    let placed = account.commit(vec![arrival], Cause::Delivery).wait();
    let placed = placed.unwrap().map_err(|error| format!("takes no mail: {error}"))?[0];
    let (mailbox, uid, email_id) = (placed.mailbox.0.0, placed.uid.0, placed.email_id.0);
    let keywords = BTreeSet::new();
    Ok((mailbox, uid, Message { mailbox, uid, token, flags: 0, keywords, email_id }))
}
