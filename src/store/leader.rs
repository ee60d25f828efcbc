//! The committer of one account: what waits in the queue is done by one thread, which ends when nothing waits and
//! everything has followed. Opening, recovery included, happens at the first use that needs it.

use super::cards::Cards;
use super::commit::{Group, Publish, Shown};
use super::core::{Common, Core};
use super::error::StoreError;
use super::event::Event;
use super::flush::FLUSH_COUNT;
use super::follow::FOLLOW_BATCH;
use super::index::{Index, remove_of};
use super::look::Looked;
use super::mailbox::Mailboxes;
use super::op::{Op, Pay};
use crate::base::AccountId;
use crate::maildir::{Dir, MailboxId, UniqueSource};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Called with what happened, from the committer's thread.
pub(super) type Listener = Box<dyn Fn(&Arc<[Event]>) + Send + Sync>;

/// An account, as its sessions and its committer share it.
pub(super) struct Shared {
    pub id: AccountId,
    pub path: PathBuf,
    pub cards: Arc<Cards>,
    pub common: Arc<Common>,
    pub unique: Arc<Mutex<UniqueSource>>,
    pub shown: Shown,
    /// Set once the account is open. Whoever reads or begins a message needs no more than this, and so never waits for
    /// a sync.
    pub opened: OnceLock<Opened>,
    pub reader: Mutex<Option<Index>>,
    pub listeners: Mutex<BTreeMap<u64, Listener>>,
    /// Bytes that the account may hold; `u64::MAX`: as many as the disk.
    pub quota: AtomicU64,
    /// Messages that it may hold; `u64::MAX`: any number.
    pub message_quota: AtomicU64,
    core: Mutex<Option<Core>>,
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// Folders of an open account.
pub(super) struct Opened {
    pub maildir: Dir,
    pub tmp: Dir,
}

#[derive(Default)]
struct Queue {
    ops: VecDeque<Op>,
    led: bool,
    closed: bool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Shared {
    pub fn new(id: AccountId, path: PathBuf, cards: Arc<Cards>) -> Self {
        Self {
            id,
            path,
            cards,
            common: Arc::default(),
            unique: Arc::new(Mutex::new(UniqueSource::new(0))),
            shown: Shown::default(),
            opened: OnceLock::new(),
            reader: Mutex::new(None),
            listeners: Mutex::default(),
            quota: AtomicU64::new(u64::MAX),
            message_quota: AtomicU64::new(u64::MAX),
            core: Mutex::new(None),
            queue: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Opens the account if that has not been done. Blocks then: recovery may list and read files.
    pub fn ready(&self) -> Result<&Opened, StoreError> {
        if lock(&self.queue).closed {
            return Err(StoreError::Closed);
        }
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let mut core = lock(&self.core);
        if core.is_none() {
            let opened = match self.open_core() {
                Err(StoreError::IndexDamaged(why)) => {
                    log::warn!("account={} index.db is damaged ({why}), made anew", self.id);
                    remove_of(&self.path);
                    self.open_core()
                }
                opened => opened,
            };
            *core = Some(opened?);
            *lock(&self.reader) = Index::reader(&self.path).ok();
        }
        let core = core.as_ref().ok_or(StoreError::Closed)?;
        let folders = || Opened { maildir: core.maildir.clone(), tmp: core.tmp.clone() };
        Ok(self.opened.get_or_init(folders))
    }

    fn open_core(&self) -> Result<Core, StoreError> {
        let Self { id, path, cards, common, unique, .. } = self;
        let (mut new, looks) =
            Core::open(*id, path, cards.clone(), common.clone(), unique.clone())?;
        let mut group = Group::default();
        for mailbox in looks {
            let looked = new.look(&mut group, self, mailbox);
            if matches!(looked, Ok(Looked::Again) | Err(StoreError::NoSpace)) {
                common.expected.again(mailbox);
            } else {
                looked?;
            }
        }
        new.commit(group, self);
        new.writable()?;
        Ok(new)
    }

    /// A damaged index is of no use at the next start either.
    pub fn index_is_damaged(&self, why: &str) {
        log::error!(
            "account={} index.db is damaged ({why}): some mail cannot be shown until a restart makes it anew; no mail is lost",
            self.id
        );
        remove_of(&self.path);
    }

    /// Queues an operation; if nobody commits, a thread begins to.
    pub fn push(self: &Arc<Self>, op: Op) {
        let mut queue = lock(&self.queue);
        if queue.closed {
            // The promise is dropped, so the ticket yields nothing: the store is closing.
            return;
        }
        queue.ops.push_back(op);
        if queue.led {
            drop(queue);
            self.wake.notify_one();
            return;
        }
        queue.led = true;
        drop(queue);
        let account = self.clone();
        let thread = std::thread::Builder::new().name(format!("commit-{}", self.id));
        let lead = move || {
            if catch_unwind(AssertUnwindSafe(|| account.lead())).is_err() {
                account.fell();
            }
        };
        if let Err(error) = thread.spawn(lead) {
            log::error!("account={} no thread for the committer: {error}", self.id);
            let mut queue = lock(&self.queue);
            queue.led = false;
            queue.ops.clear();
        }
    }

    /// A fault of ours ended the committer: what it had in hand is not believed, so nothing more is written.
    fn fell(&self) {
        if let Some(core) = lock(&self.core).as_mut() {
            core.break_down("committer", &"a fault of this program ended it");
        }
        let mut queue = lock(&self.queue);
        queue.led = false;
        queue.ops.clear();
    }

    /// Commits what waits, until nothing waits and everything has followed.
    fn lead(self: &Arc<Self>) {
        let ready = self.ready().map(|_| ());
        loop {
            let ops: Vec<Op> = lock(&self.queue).ops.drain(..).collect();
            let mut core = lock(&self.core);
            let Some(core_ref) = core.as_mut().filter(|_| ready.is_ok()) else {
                let error = ready.clone().err().unwrap_or(StoreError::Closed);
                log::error!("account={} cannot be opened: {error}", self.id);
                for op in ops {
                    refuse(op, &error);
                }
                drop(core);
                let mut queue = lock(&self.queue);
                if queue.ops.is_empty() {
                    queue.led = false;
                    return;
                }
                continue;
            };
            if let Some(pay) = self.work(core_ref, ops) {
                let stopped = core_ref.writable();
                *core = None;
                *lock(&self.reader) = None;
                let mut queue = lock(&self.queue);
                (queue.closed, queue.led) = (true, false);
                queue.ops.clear();
                drop(queue);
                // Paid last: whoever waits for it may open the folder again at once.
                pay.keep(stopped);
                return;
            }
            let due = self.behind(core_ref);
            drop(core);
            let mut queue = lock(&self.queue);
            if !queue.ops.is_empty() {
                continue;
            }
            let Some(due) = due else {
                queue.led = false;
                return;
            };
            let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            // Woken, late or spurious: the loop looks again.
            drop(self.wake.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Does operations as one group where it can. After a close, what is to be paid when all is put down.
    fn work(&self, core: &mut Core, ops: Vec<Op>) -> Option<Pay<()>> {
        let out = self;
        let mut group = Group::default();
        let mut closing = None;
        if !core.follow.folder_moves.is_empty()
            && let Err(error) = core.move_folders()
        {
            log::error!("account={} {error}", self.id);
        }
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
                Op::Expunged { mailbox, since, pay } => {
                    pay.keep(core.expunged_since(mailbox, since));
                }
                Op::Look { mailbox, pay } => {
                    core.commit(std::mem::take(&mut group), out);
                    let result = self.look_now(core, &mut group, mailbox);
                    if let Err(error) = &result {
                        log::warn!("account={} look: {error}", self.id);
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
                    pay.keep(core.caught_up());
                }
                Op::Close { pay } => closing = Some(pay),
            }
        }
        if !group.is_empty() {
            core.commit(group, out);
        }
        let pay = closing?;
        // Two seconds are enough for a thousand names; what is left stays in the log.
        let limit = Instant::now() + Duration::from_secs(2);
        while !core.follow.is_empty() && Instant::now() < limit && core.broken.is_none() {
            if !core.follow_some(None, FOLLOW_BATCH) || !core.follow.folder_moves.is_empty() {
                break;
            }
        }
        core.flush();
        core.begin_generation();
        core.mark_clean();
        Some(pay)
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
                core.look_at_mailboxes(group, self)?;
                core.next.ids()
            }
        };
        for mailbox in mailboxes {
            let looked = core.look(group, self, mailbox);
            if matches!(looked, Ok(Looked::Again) | Err(StoreError::NoSpace)) {
                self.common.expected.again(mailbox);
            }
            looked?;
        }
        Ok(())
    }

    /// What is due of the work behind; when to come again, or `None` if nothing waits.
    fn behind(&self, core: &mut Core) -> Option<Instant> {
        core.raise_limits();
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= Instant::now());
        if core.dirty.count >= FLUSH_COUNT || is_due(core.flush_due()) {
            core.flush();
        }
        if is_due(core.follow.due()) {
            core.follow_due();
        }
        if core.broken.is_some() {
            return None;
        }
        let next = [core.flush_due(), core.follow.due()].into_iter().flatten().min();
        if next.is_none() {
            core.rest();
            self.shown.set(Arc::new(core.next.clone()));
        }
        next
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
        Op::Expunged { pay, .. } => pay.keep(Err(error)),
        Op::Mailbox { pay, .. } | Op::Settle { pay } | Op::Close { pay } => pay.keep(Err(error)),
        Op::Look { pay, .. } => {
            if let Some(pay) = pay {
                pay.keep(Err(error));
            }
        }
    }
}
