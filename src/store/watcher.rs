//! Tells our own work in a watched folder from another program's. What we are about to do is noted first; an event
//! that was not noted means that somebody else was there.

use super::folders::{Folders, Sub};
use crate::maildir::{Dir, MailboxId, Seen, Watch, WatchId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An account's watches and what is expected of them.
#[derive(Debug, Default)]
pub(super) struct Expected {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    watch: Option<Watch>,
    /// Whose `cur/` or `new/` a watch is; `None`: the Maildir itself.
    places: HashMap<WatchId, Option<(MailboxId, Sub)>>,
    ids: HashMap<(MailboxId, Sub), WatchId>,
    notes: HashMap<(WatchId, bool, Vec<u8>), u32>,
    /// To be looked at once more.
    again: BTreeSet<MailboxId>,
}

/// Where another program has been.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strangers {
    /// In these mailboxes.
    pub mailboxes: BTreeSet<MailboxId>,
    /// Among the mailboxes themselves, or anywhere: the queue ran over.
    pub anywhere: bool,
}

impl Expected {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to watch a Maildir.
    pub fn begin(&self, maildir: &Dir) -> std::io::Result<()> {
        let watch = Watch::new()?;
        let id = watch.add(maildir)?;
        let mut state = self.lock();
        state.places.insert(id, None);
        state.watch = Some(watch);
        Ok(())
    }

    /// Watches a mailbox.
    pub fn add(&self, mailbox: MailboxId, folders: &Folders) -> std::io::Result<()> {
        let mut state = self.lock();
        let State { watch: Some(watch), places, ids, .. } = &mut *state else { return Ok(()) };
        for sub in [Sub::Cur, Sub::New] {
            let id = watch.add(folders.sub(sub))?;
            places.insert(id, Some((mailbox, sub)));
            ids.insert((mailbox, sub), id);
        }
        Ok(())
    }

    /// A mailbox is gone.
    pub fn remove(&self, mailbox: MailboxId) {
        let mut state = self.lock();
        for sub in [Sub::Cur, Sub::New] {
            if let Some(id) = state.ids.remove(&(mailbox, sub)) {
                state.places.remove(&id);
                if let Some(watch) = &state.watch {
                    watch.remove(id);
                }
            }
        }
    }

    fn note(&self, mailbox: MailboxId, sub: Sub, came: bool, name: &[u8]) {
        let mut state = self.lock();
        if let Some(&id) = state.ids.get(&(mailbox, sub)) {
            *state.notes.entry((id, came, name.to_vec())).or_default() += 1;
        }
    }

    /// We are about to put a name there.
    pub fn came(&self, mailbox: MailboxId, sub: Sub, name: &[u8]) {
        self.note(mailbox, sub, true, name);
    }

    /// We are about to take a name away there.
    pub fn went(&self, mailbox: MailboxId, sub: Sub, name: &[u8]) {
        self.note(mailbox, sub, false, name);
    }

    /// A mailbox changed while it was looked at: it is named by the next call of `strangers`, not at once, so that a busy
    /// stranger cannot keep the committer busy.
    pub fn again(&self, mailbox: MailboxId) {
        self.lock().again.insert(mailbox);
    }

    /// What others did since the last call. Does not wait.
    pub fn strangers(&self) -> std::io::Result<Strangers> {
        let mut state = self.lock();
        let mailboxes = std::mem::take(&mut state.again);
        let mut strangers = Strangers { mailboxes, anywhere: false };
        let State { watch: Some(watch), places, notes, .. } = &mut *state else {
            return Ok(strangers);
        };
        loop {
            let seen = watch.wait(Duration::ZERO)?;
            if seen.is_empty() {
                return Ok(strangers);
            }
            for event in seen {
                let key = match event {
                    Seen::Came(id, name) => (id, true, name),
                    Seen::Went(id, name) => (id, false, name),
                    Seen::Everything => {
                        notes.clear();
                        strangers.anywhere = true;
                        continue;
                    }
                };
                let noted = notes.get_mut(&key);
                if let Some(count) = noted {
                    *count -= 1;
                    if *count == 0 {
                        notes.remove(&key);
                    }
                    continue;
                }
                match places.get(&key.0) {
                    Some(&Some((mailbox, _))) => {
                        strangers.mailboxes.insert(mailbox);
                    }
                    // In the Maildir itself only a folder of a mailbox counts; our small files come and go there.
                    Some(None) if key.2.starts_with(b".") => strangers.anywhere = true,
                    Some(None) | None => {}
                }
            }
        }
    }
}
