//! What is acknowledged and on the disk, but not yet in the index or in the file names. On a full disk it may stay so for
//! long while everything else goes on, so a row of the index counts only with what the index has not been told.

use super::array::Entry;
use super::row::{At, Row};
use crate::maildir::{Flags, MailboxId, ModSeq, Uid, UidSet};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Rows that the index does not have yet. Readers look here first, then in the index.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: BTreeMap<(MailboxId, Uid), Row>,
}

impl Pending {
    pub fn row(&self, id: MailboxId, uid: Uid) -> Option<&Row> {
        self.rows.get(&(id, uid))
    }

    pub fn row_mut(&mut self, id: MailboxId, uid: Uid) -> Option<&mut Row> {
        self.rows.get_mut(&(id, uid))
    }

    pub fn of(&self, id: MailboxId) -> impl Iterator<Item = &Row> {
        self.rows.range((id, Uid(0))..=(id, Uid(u32::MAX))).map(|(_, row)| row)
    }

    pub fn between(&self, id: MailboxId, first: Uid, last: Uid) -> impl Iterator<Item = &Row> {
        let last = last.max(first);
        self.rows.range((id, first)..=(id, last)).map(|(_, row)| row)
    }

    pub fn insert(&mut self, id: MailboxId, row: Row) {
        self.rows.insert((id, row.uid), row);
    }

    pub fn remove(&mut self, id: MailboxId, uid: Uid) -> Option<Row> {
        self.rows.remove(&(id, uid))
    }

    pub fn all(&self) -> impl Iterator<Item = (MailboxId, &Row)> {
        self.rows.iter().map(|(&(id, _), row)| (id, row))
    }

    /// Takes out what the index can have: rows whose file lies in their own mailbox.
    pub fn settled(&self) -> BTreeMap<MailboxId, Vec<Row>> {
        let mut settled: BTreeMap<MailboxId, Vec<Row>> = BTreeMap::new();
        for (id, row) in self.all().filter(|(_, row)| !matches!(row.at, At::Elsewhere(..))) {
            settled.entry(id).or_default().push(row.clone());
        }
        settled
    }

    /// The first message of a mailbox whose row the index cannot have yet.
    pub fn first_unsettled(&self, id: MailboxId) -> Option<Uid> {
        self.of(id).find(|row| matches!(row.at, At::Elsewhere(..))).map(|row| row.uid)
    }

    pub fn forget_settled(&mut self) {
        self.rows.retain(|_, row| matches!(row.at, At::Elsewhere(..)));
    }

    pub fn forget_mailbox(&mut self, mailbox: MailboxId) {
        self.rows.retain(|&(id, _), _| id != mailbox);
    }
}

/// A mailbox's folder that must get another place. Its line is durable.
#[derive(Debug, Clone)]
pub(super) enum FolderMove {
    /// The mailbox has another name; these are the folders' names.
    Renamed { from: String, to: String },
    /// The mailbox is gone; what is left of it goes from `tmp/`.
    Removed { from: String, temporary: String },
}

/// Names that must follow.
#[derive(Debug, Default)]
pub(super) struct Follow {
    /// Messages whose file must get another name, and when they last changed.
    pub renames: BTreeMap<(MailboxId, Uid), Instant>,
    /// Files to unlink, by the place that their present name belongs to, and since when.
    pub doomed: BTreeMap<(MailboxId, Uid), Instant>,
    /// Mailboxes with names that are not synced and that no rename or unlink of ours will sync: links of copies, and
    /// what other programs removed.
    pub unsynced: BTreeSet<MailboxId>,
    /// Folders that a rename or removal of a mailbox must still move, in order.
    pub folder_moves: Vec<FolderMove>,
    /// At the last try the disk had no room for a name.
    pub no_room: bool,
    /// No change that waits is older than this.
    oldest: Option<Instant>,
    /// When the next batch may come.
    not_before: Option<Instant>,
}

/// How long after a message's last change its name follows: what is read, answered and moved within it is renamed once.
pub(super) const FOLLOW_AFTER: Duration = Duration::from_secs(30);
/// Between two batches.
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);

impl Follow {
    pub fn is_empty(&self) -> bool {
        self.renames.is_empty()
            && self.doomed.is_empty()
            && self.unsynced.is_empty()
            && self.folder_moves.is_empty()
    }

    /// UIDs that have a row in a mailbox but no message any more: expunged or moved, the name has not followed.
    pub fn shadow(&self, id: MailboxId, pending: &Pending) -> BTreeSet<Uid> {
        let range = (id, Uid(0))..=(id, Uid(u32::MAX));
        let moved = pending.all().filter_map(|(_, row)| match row.at {
            At::Elsewhere(mailbox, uid) if mailbox == id => Some(uid),
            At::Elsewhere(..) | At::New | At::Cur => None,
        });
        self.doomed.range(range).map(|(&(_, uid), _)| uid).chain(moved).collect()
    }

    /// A message's name must follow.
    pub fn rename(&mut self, key: (MailboxId, Uid), at: Instant) {
        self.oldest.get_or_insert(at);
        self.renames.insert(key, at);
    }

    /// A file must go.
    pub fn doom(&mut self, key: (MailboxId, Uid), at: Instant) {
        self.oldest.get_or_insert(at);
        self.doomed.insert(key, at);
    }

    /// When the next batch is due; it may find that nothing has waited long enough yet.
    pub fn due(&self) -> Option<Instant> {
        let due = self.oldest? + FOLLOW_AFTER;
        Some(self.not_before.map_or(due, |pause| due.max(pause)))
    }

    /// A batch is done: what waits now is counted anew.
    pub fn batch_done(&mut self) {
        self.oldest = self.renames.values().chain(self.doomed.values()).min().copied();
        self.not_before = Some(Instant::now() + FOLLOW_PAUSE);
    }
}

/// What the index must be told. Of a message whose row is in `Pending` nothing stands in `flags` and `named`.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// New flags of rows that the index has.
    pub flags: BTreeMap<MailboxId, BTreeMap<Uid, Entry>>,
    /// Names that have followed.
    pub named: BTreeMap<MailboxId, BTreeMap<Uid, Flags>>,
    /// Rows whose file is gone.
    pub removed: BTreeMap<MailboxId, UidSet>,
    /// For QRESYNC.
    pub expunged: Vec<(MailboxId, UidSet, ModSeq)>,
    /// Mailboxes whose counters changed.
    pub folders: BTreeSet<MailboxId>,
    /// Mailboxes that are gone.
    pub deleted: BTreeSet<MailboxId>,
    /// Cards for LMDB: EMAILID, the file's size, and the card.
    pub cards: Vec<(crate::maildir::Unique, u64, Vec<u8>)>,
    /// How many changes wait, and since when.
    pub count: usize,
    pub since: Option<Instant>,
}

impl Dirty {
    /// Something of a mailbox changed.
    pub fn folder(&mut self, id: MailboxId) {
        self.folders.insert(id);
        self.count += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    /// A row of the index as it is once the index has been told; `None` if the message's file is gone.
    pub fn newest(&self, id: MailboxId, mut row: Row) -> Option<Row> {
        if self.removed.get(&id).is_some_and(|removed| removed.contains(row.uid)) {
            return None;
        }
        if let Some(entry) = self.flags.get(&id).and_then(|flags| flags.get(&row.uid)) {
            (row.flags, row.modseq) = (entry.flags, entry.modseq);
        }
        if let Some(&flags) = self.named.get(&id).and_then(|named| named.get(&row.uid)) {
            (row.name_flags, row.at) = (flags, At::Cur);
        }
        Some(row)
    }

    /// The row of a message is in `Pending` now, with all that was to be told.
    pub fn forget_changes(&mut self, id: MailboxId, uid: Uid) {
        self.flags.get_mut(&id).and_then(|flags| flags.remove(&uid));
        self.named.get_mut(&id).and_then(|named| named.remove(&uid));
    }

    /// Nothing waits?
    pub fn is_empty(&self) -> bool {
        self.since.is_none()
    }
}
