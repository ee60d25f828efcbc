//! One account's mail, as the floors above see it: what is there now, reading, and operations that queue for the
//! committer. Opening (recovery included) happens at the first use that needs it.

use super::array::Array;
use super::cards::Cards;
use super::commit::{Group, Publish, Shown};
use super::core::{Common, Core};
use super::error::StoreError;
use super::event::{Cause, Event};
use super::flush::FLUSH_COUNT;
use super::folders::find_name;
use super::follow::{FOLLOW_AFTER, FOLLOW_BATCH};
use super::incoming::{Arrival, Incoming};
use super::index::Index;
use super::look::Looked;
use super::mailbox::{Mailbox, Mailboxes};
use super::op::{
    ExpungeRequest, FlagsRequest, MailboxRequest, Op, Pay, Placed, Stored, TransferRequest,
    Transferred,
};
use super::row::{At, Row};
use super::text::Text;
use crate::base::{AccountId, Ticket, ticket};
use crate::mail::{Card, Scanner};
use crate::maildir::{Dir, MailboxId, Uid, UidSet, UniqueSource};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a ticket of the store yields; `None` if the committer died.
pub type Reply<T> = Ticket<Result<T, StoreError>>;

type Listener = Box<dyn Fn(&Arc<[Event]>) + Send + Sync>;

/// An account.
#[derive(Clone)]
pub struct Account {
    shared: Arc<Shared>,
}

struct Shared {
    id: AccountId,
    path: PathBuf,
    cards: Arc<Cards>,
    common: Arc<Common>,
    unique: Arc<Mutex<UniqueSource>>,
    shown: Shown,
    core: Mutex<Option<Core>>,
    reader: Mutex<Option<Index>>,
    queue: Mutex<Queue>,
    wake: Condvar,
    listeners: Mutex<BTreeMap<u64, Listener>>,
}

#[derive(Default)]
struct Queue {
    ops: VecDeque<Op>,
    led: bool,
    closed: bool,
    /// Numbers listeners.
    count: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watching an account; ends when dropped.
pub struct Watching {
    shared: Weak<Shared>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            lock(&shared.listeners).remove(&self.number);
        }
    }
}

impl Publish for Shared {
    fn publish(&self, state: Arc<Mailboxes>, events: Vec<Event>) {
        self.shown.set(state);
        if !events.is_empty() {
            let events: Arc<[Event]> = events.into();
            for listener in lock(&self.listeners).values() {
                listener(&events);
            }
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.shared.id)
    }
}

impl Account {
    /// The account in this folder. Nothing is opened yet.
    pub(super) fn new(id: AccountId, path: PathBuf, cards: Arc<Cards>) -> Self {
        let shared = Shared {
            id,
            path,
            cards,
            common: Arc::default(),
            unique: Arc::new(Mutex::new(UniqueSource::new(0))),
            shown: Shown::default(),
            core: Mutex::new(None),
            reader: Mutex::new(None),
            queue: Mutex::default(),
            wake: Condvar::new(),
            listeners: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its number.
    pub fn id(&self) -> AccountId {
        self.shared.id
    }

    /// Opens the account if that has not been done. Blocks: recovery may list and read files.
    pub fn ready(&self) -> Result<(), StoreError> {
        let mut core = lock(&self.shared.core);
        if core.is_some() {
            return Ok(());
        }
        if lock(&self.shared.queue).closed {
            return Err(StoreError::Closed);
        }
        let Shared { id, path, cards, common, unique, .. } = &*self.shared;
        let (opened, looks) = Core::open(*id, path, cards.clone(), common.clone(), unique.clone())?;
        let opened = core.insert(opened);
        let mut group = Group::default();
        for mailbox in looks {
            while opened.look(&mut group, &*self.shared, mailbox)? == Looked::Again {}
        }
        opened.commit(group, &*self.shared);
        *lock(&self.shared.reader) = Index::reader(path).ok();
        Ok(())
    }

    /// What is there now. Blocks at the first use.
    pub fn mailboxes(&self) -> Result<Arc<Mailboxes>, StoreError> {
        self.ready()?;
        Ok(self.shared.shown.get())
    }

    /// Calls `listener` with what happens, from the committer's thread: it must not block.
    pub fn watch(&self, listener: impl Fn(&Arc<[Event]>) + Send + Sync + 'static) -> Watching {
        let number = {
            let mut queue = lock(&self.shared.queue);
            queue.count += 1;
            queue.count
        };
        lock(&self.shared.listeners).insert(number, Box::new(listener));
        Watching { shared: Arc::downgrade(&self.shared), number }
    }

    /// The messages of a mailbox as they were in this version of it.
    pub fn array(&self, mailbox: &Mailbox) -> Result<Array, StoreError> {
        if let Some(array) = mailbox.loaded() {
            return Ok(array);
        }
        let loaded = self.ask(|pay| Op::Load { mailbox: mailbox.id, pay }).wait();
        let newest = loaded.unwrap_or(Err(StoreError::Closed))?;
        Ok(mailbox.loaded().unwrap_or_else(|| newest.before(mailbox.uidnext)))
    }

    /// Marks all messages up to now as seen by a session: those from the returned UID on are `\Recent` to it.
    pub fn claim_recent(&self, mailbox: &Mailbox) -> Uid {
        let mut recent = lock(&self.shared.common.recent);
        recent.insert(mailbox.id, mailbox.uidnext).unwrap_or(mailbox.uidnext)
    }

    /// The first UID that no session has had as `\Recent`.
    pub fn recent_from(&self, mailbox: &Mailbox) -> Uid {
        let recent = lock(&self.shared.common.recent);
        recent.get(&mailbox.id).copied().unwrap_or(mailbox.uidnext)
    }

    /// Rows of messages from `first` to `last`, rising, at most `limit`.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.ready()?;
        let mut rows: BTreeMap<Uid, Row> = {
            let pending = lock(&self.shared.common.pending);
            pending.between(mailbox, first, last).map(|row| (row.uid, row.clone())).collect()
        };
        let reader = lock(&self.shared.reader);
        if let Some(index) = &*reader {
            index
                .each_row(mailbox, first, last, limit, |row| {
                    rows.entry(row.uid).or_insert(row);
                })
                .map_err(|error| StoreError::Io(error.to_string().into()))?;
        }
        Ok(rows.into_values().take(limit).collect())
    }

    /// Opens a message.
    pub fn open(&self, mailbox: &Mailbox, row: &Row) -> Result<Text, StoreError> {
        for _ in 0..3 {
            let (home, row) = match row.at {
                At::New | At::Cur => (mailbox.id, row.clone()),
                At::Elsewhere(there, uid) => {
                    match self.rows(there, uid, uid, 1)?.pop() {
                        Some(row) => (there, row),
                        // Its name has followed in the meantime.
                        None => (mailbox.id, Row { at: At::Cur, ..row.clone() }),
                    }
                }
            };
            let state = self.shared.shown.get();
            let Some(home) = state.get(home) else { return Err(StoreError::NoMessage) };
            let maildir = Dir::open(&self.shared.path.join("Maildir"))
                .map_err(|error| StoreError::io("open the Maildir", &error))?;
            let folders = super::folders::Folders::open(&maildir, &home.name)
                .map_err(|error| StoreError::io("open a mailbox", &error))?;
            if let Some((sub, name)) = find_name(&folders, &row, home.validity)
                && let Ok(file) = folders.sub(sub).read(&name)
            {
                return Text::new(file, row.size, row.file_size())
                    .map_err(|error| StoreError::io("open a message", &error));
            }
        }
        Err(StoreError::NoMessage)
    }

    /// A message's card; made from the message if it is not at hand.
    pub fn card(&self, mailbox: &Mailbox, row: &Row) -> Result<Card, StoreError> {
        let stored = self.shared.cards.read(self.shared.id, row.email_id, row.size);
        if let Some(card) = stored.and_then(|bytes| Card::decode(&bytes)) {
            return Ok(card);
        }
        let text = self.open(mailbox, row)?;
        let mut scanner = Scanner::default();
        let mut at = 0;
        while at < text.size() {
            let piece = text
                .read(at..at + 64 * 1024)
                .map_err(|error| StoreError::io("read a message", &error))?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            scanner.push(&piece);
        }
        let card = scanner.finish();
        self.shared.cards.write(self.shared.id, &[(row.email_id, row.size, card.encode())]);
        Ok(card)
    }

    /// Begins a message.
    pub fn begin(&self) -> Result<Incoming, StoreError> {
        self.ready()?;
        let unique = lock(&self.shared.unique).next(super::core::now());
        let core = lock(&self.shared.core);
        let tmp = core.as_ref().map(|core| core.tmp.clone()).ok_or(StoreError::Closed)?;
        drop(core);
        Incoming::new(&tmp, unique)
    }

    /// Bytes free on the disk.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        let free = Dir::open(&self.shared.path).and_then(|dir| dir.free_bytes());
        free.map_err(|error| StoreError::io("ask for free space", &error))
    }

    /// Places messages, all or none; paid when they are on the disk.
    pub fn commit(&self, arrivals: Vec<Arrival>, cause: Cause) -> Reply<Vec<Placed>> {
        self.ask(|pay| Op::Arrive { arrivals, cause, pay })
    }

    /// STORE.
    pub fn store_flags(&self, request: FlagsRequest) -> Reply<Stored> {
        self.ask(|pay| Op::Flags { request, pay })
    }

    /// EXPUNGE.
    pub fn expunge(&self, request: ExpungeRequest) -> Reply<UidSet> {
        self.ask(|pay| Op::Expunge { request, pay })
    }

    /// COPY and MOVE.
    pub fn transfer(&self, request: TransferRequest) -> Reply<Transferred> {
        self.ask(|pay| Op::Transfer { request, pay })
    }

    /// CREATE, RENAME, DELETE, SUBSCRIBE.
    pub fn change_mailboxes(&self, request: MailboxRequest, cause: Cause) -> Reply<()> {
        self.ask(|pay| Op::Mailbox { request, cause, pay })
    }

    /// Looks for what other programs did in a mailbox, or everywhere.
    pub fn look(&self, mailbox: Option<MailboxId>) -> Reply<()> {
        self.ask(|pay| Op::Look { mailbox, pay: Some(pay) })
    }

    /// File names and index follow now.
    pub fn settle(&self) -> Reply<()> {
        self.ask(|pay| Op::Settle { pay })
    }

    /// Stops in order: names follow, the next start lists nothing. Nothing can be done afterwards.
    pub fn close(&self) -> Reply<()> {
        self.ask(|pay| Op::Close { pay })
    }

    /// Asks what other programs did since the last call, and queues looks for it.
    pub(super) fn listen(&self) {
        match self.shared.common.expected.strangers() {
            Ok(strangers) => {
                let anywhere = strangers.anywhere.then_some(None);
                for mailbox in anywhere.into_iter().chain(strangers.mailboxes.into_iter().map(Some))
                {
                    self.push(Op::Look { mailbox, pay: None });
                }
            }
            Err(error) => log::warn!("account={} watch failed: {error}", self.shared.id),
        }
    }

    fn ask<T>(&self, op: impl FnOnce(Pay<T>) -> Op) -> Reply<T> {
        let (promise, later) = ticket();
        self.push(op(promise));
        later
    }

    fn push(&self, op: Op) {
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            // The promise is dropped, so the ticket yields nothing: the store is closing.
            return;
        }
        queue.ops.push_back(op);
        if queue.led {
            drop(queue);
            self.shared.wake.notify_one();
            return;
        }
        queue.led = true;
        drop(queue);
        let account = self.clone();
        let thread = std::thread::Builder::new().name(format!("commit-{}", self.shared.id));
        if let Err(error) = thread.spawn(move || account.lead()) {
            log::error!("account={} no thread for the committer: {error}", self.shared.id);
            let mut queue = lock(&self.shared.queue);
            queue.led = false;
            queue.ops.clear();
        }
    }

    /// Commits what waits, until nothing waits and everything has followed.
    fn lead(&self) {
        let ready = self.ready();
        loop {
            let ops: Vec<Op> = lock(&self.shared.queue).ops.drain(..).collect();
            let mut core = lock(&self.shared.core);
            let Some(core_ref) = core.as_mut().filter(|_| ready.is_ok()) else {
                let error = ready.clone().err().unwrap_or(StoreError::Closed);
                log::error!("account={} cannot be opened: {error}", self.shared.id);
                for op in ops {
                    refuse(op, &error);
                }
                drop(core);
                let mut queue = lock(&self.shared.queue);
                if queue.ops.is_empty() {
                    queue.led = false;
                    return;
                }
                continue;
            };
            let closed = self.work(core_ref, ops);
            if closed {
                *core = None;
                *lock(&self.shared.reader) = None;
                let mut queue = lock(&self.shared.queue);
                (queue.closed, queue.led) = (true, false);
                queue.ops.clear();
                return;
            }
            let due = Self::behind(core_ref, &self.shared);
            drop(core);
            let mut queue = lock(&self.shared.queue);
            if !queue.ops.is_empty() {
                continue;
            }
            let Some(due) = due else {
                queue.led = false;
                return;
            };
            let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            // Woken, late or spurious: the loop looks again.
            drop(
                self.shared.wake.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Does operations as one group where it can. True after a close.
    fn work(&self, core: &mut Core, ops: Vec<Op>) -> bool {
        let out = &*self.shared;
        let mut group = Group::default();
        let mut closing = None;
        if core.log.is_half_full() {
            core.follow_all();
        }
        for op in ops {
            match op {
                Op::Arrive { arrivals, cause, pay } => {
                    let result = core.arrive(&mut group, out, arrivals, cause);
                    promise(&mut group, result, pay);
                }
                Op::Flags { request, pay } => {
                    let result = core.store_flags(&mut group, out, &request);
                    promise(&mut group, result, pay);
                }
                Op::Expunge { request, pay } => {
                    let result = core.expunge(&mut group, out, &request);
                    promise(&mut group, result, pay);
                }
                Op::Transfer { request, pay } => {
                    let result = core.transfer(&mut group, out, &request);
                    promise(&mut group, result, pay);
                }
                Op::Mailbox { request, cause, pay } => {
                    core.commit(std::mem::take(&mut group), out);
                    let result = core.change_mailboxes(&mut group, out, request, cause);
                    promise(&mut group, result, pay);
                    core.commit(std::mem::take(&mut group), out);
                }
                Op::Load { mailbox, pay } => pay.keep(core.load(mailbox)),
                Op::Look { mailbox, pay } => {
                    core.commit(std::mem::take(&mut group), out);
                    let result = self.look_now(core, &mut group, mailbox);
                    if let Err(error) = &result {
                        log::warn!("account={} look: {error}", self.shared.id);
                    }
                    if let Some(pay) = pay {
                        promise(&mut group, result, pay);
                    }
                    core.commit(std::mem::take(&mut group), out);
                }
                Op::Settle { pay } => {
                    core.commit(std::mem::take(&mut group), out);
                    core.follow_all();
                    core.flush();
                    pay.keep(core.writable());
                }
                Op::Close { pay } => closing = Some(pay),
            }
        }
        if !group.is_empty() {
            core.commit(group, out);
        }
        let Some(pay) = closing else { return false };
        // Two seconds are enough for a thousand names; what is left stays in the log.
        let limit = Instant::now() + Duration::from_secs(2);
        while !core.follow.is_empty() && Instant::now() < limit && core.broken.is_none() {
            core.follow_some(None, FOLLOW_BATCH);
        }
        core.flush();
        core.begin_generation();
        core.mark_clean();
        pay.keep(core.writable());
        true
    }

    fn look_now(
        &self,
        core: &mut Core,
        group: &mut Group,
        mailbox: Option<MailboxId>,
    ) -> Result<(), StoreError> {
        let mailboxes = match mailbox {
            Some(mailbox) => vec![mailbox],
            None => {
                core.look_at_mailboxes(group)?;
                core.next.ids()
            }
        };
        for mailbox in mailboxes {
            if core.look(group, &*self.shared, mailbox)? == Looked::Again {
                self.push(Op::Look { mailbox: Some(mailbox), pay: None });
            }
        }
        Ok(())
    }

    /// What is due of the work behind; when to come again, or `None` if nothing waits.
    fn behind(core: &mut Core, shared: &Shared) -> Option<Instant> {
        core.raise_limits();
        let flush_due = core.flush_due();
        if core.dirty.count >= FLUSH_COUNT || flush_due.is_some_and(|due| due <= Instant::now()) {
            core.flush();
        }
        let follow_due = core.follow.oldest().map(|oldest| oldest + FOLLOW_AFTER);
        if follow_due.is_some_and(|due| due <= Instant::now()) {
            let due = Instant::now().checked_sub(FOLLOW_AFTER);
            core.follow_some(due, FOLLOW_BATCH);
            if core.follow.is_empty() && core.log.is_half_full() {
                core.begin_generation();
            }
        }
        if core.broken.is_some() {
            return None;
        }
        let next = [core.flush_due(), core.follow.oldest().map(|oldest| oldest + FOLLOW_AFTER)];
        let next = next.into_iter().flatten().min();
        if next.is_none() {
            core.rest();
            shared.shown.set(Arc::new(core.next.clone()));
        }
        // At most one batch of names a second.
        next.map(|due| due.max(Instant::now() + Duration::from_millis(10)))
    }
}

/// Pays when the group is on the disk; a refusal is paid at once.
fn promise<T: Send + 'static>(group: &mut Group, result: Result<T, StoreError>, pay: Pay<T>) {
    match result {
        Ok(value) => group.answer(Box::new(move |done| pay.keep(done.map(|()| value)))),
        Err(error) => pay.keep(Err(error)),
    }
}

fn refuse(op: Op, error: &StoreError) {
    let error = error.clone();
    match op {
        Op::Arrive { pay, .. } => pay.keep(Err(error)),
        Op::Flags { pay, .. } => pay.keep(Err(error)),
        Op::Expunge { pay, .. } => pay.keep(Err(error)),
        Op::Transfer { pay, .. } => pay.keep(Err(error)),
        Op::Load { pay, .. } => pay.keep(Err(error)),
        Op::Mailbox { pay, .. } | Op::Settle { pay } | Op::Close { pay } => pay.keep(Err(error)),
        Op::Look { pay, .. } => {
            if let Some(pay) = pay {
                pay.keep(Err(error));
            }
        }
    }
}
