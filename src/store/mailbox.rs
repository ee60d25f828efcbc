//! What is known of an account's mailboxes at one moment. Every change makes a new version; who holds an old one keeps
//! seeing what was then.

use super::array::Array;
use super::error::StoreError;
use crate::maildir::{AccountText, Flags, MailboxId, MailboxName, ModSeq, Role, Uid, UidValidity};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

/// A mailbox at one moment. The counters are kept, never counted.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Outlives a rename.
    pub id: MailboxId,
    /// Its name now.
    pub name: MailboxName,
    /// Its special use.
    pub role: Option<Role>,
    /// UIDVALIDITY.
    pub validity: UidValidity,
    /// UIDNEXT.
    pub uidnext: Uid,
    /// HIGHESTMODSEQ.
    pub modseq: ModSeq,
    /// Expunged UIDs are known one by one for changes after this.
    pub known_since: ModSeq,
    /// How many messages.
    pub count: u32,
    /// How many without `\Seen`.
    pub unseen: u32,
    /// Sequence number of the first without `\Seen`.
    pub first_unseen: Option<u32>,
    /// RFC822.SIZE of all together.
    pub bytes: u64,
    /// UIDs are given below this only; it is durable in `pillarbox-folder`.
    pub(super) uid_limit: Uid,
    /// The messages, once somebody has needed them. Versions that differ by arrivals only share a cell, so it may hold
    /// messages at or above this version's `uidnext`.
    pub(super) cell: Arc<OnceLock<Array>>,
}

impl Mailbox {
    /// The messages of this version, if they are in memory.
    pub(super) fn loaded(&self) -> Option<Array> {
        self.cell.get().map(|array| array.before(self.uidnext))
    }

    /// Puts a changed array in place, with the counters that follow from it.
    pub(super) fn set_array(&mut self, array: Array) {
        self.count = array.len();
        self.first_unseen =
            array.iter().find(|(_, e)| !e.flags.contains(Flags::SEEN)).map(|(seq, _)| seq);
        let cell = OnceLock::new();
        // A new cell is empty, so this cannot fail.
        let _ = cell.set(array);
        self.cell = Arc::new(cell);
    }
}

/// An account's mailboxes at one moment.
#[derive(Debug, Clone, Default)]
pub struct Mailboxes {
    by_id: BTreeMap<MailboxId, Arc<Mailbox>>,
    by_name: BTreeMap<MailboxName, MailboxId>,
    /// Keywords and their letters.
    pub text: Arc<AccountText>,
    /// Subscribed names; a name may have no mailbox.
    pub subscriptions: Arc<BTreeSet<MailboxName>>,
    /// Of the account's last change.
    pub modseq: ModSeq,
}

impl Mailboxes {
    /// By id.
    pub fn get(&self, id: MailboxId) -> Option<&Arc<Mailbox>> {
        self.by_id.get(&id)
    }

    /// By name.
    pub fn named(&self, name: &MailboxName) -> Option<&Arc<Mailbox>> {
        self.by_name.get(name).and_then(|id| self.by_id.get(id))
    }

    /// By special use.
    pub fn with_role(&self, role: Role) -> Option<&Arc<Mailbox>> {
        self.by_id.values().find(|mailbox| mailbox.role == Some(role))
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// Has it mailboxes below?
    pub fn has_children(&self, name: &MailboxName) -> bool {
        // `Work-2` may stand between `Work` and `Work/a`: look at every name with this front.
        let front = |n: &MailboxName| n.as_str().starts_with(name.as_str());
        self.by_name
            .range((Bound::Excluded(name), Bound::Unbounded))
            .map(|(other, _)| other)
            .take_while(|other| front(other))
            .any(|other| other.is_below(name))
    }

    /// RFC822.SIZE of everything.
    pub fn bytes(&self) -> u64 {
        self.by_id.values().map(|mailbox| mailbox.bytes).sum()
    }

    /// How many messages there are in all.
    pub fn messages(&self) -> u64 {
        self.by_id.values().map(|mailbox| u64::from(mailbox.count)).sum()
    }

    pub(super) fn insert(&mut self, mailbox: Mailbox) {
        if let Some(before) = self.by_id.get(&mailbox.id) {
            self.by_name.remove(&before.name);
        }
        self.by_name.insert(mailbox.name.clone(), mailbox.id);
        self.by_id.insert(mailbox.id, Arc::new(mailbox));
    }

    pub(super) fn remove(&mut self, id: MailboxId) -> Option<Arc<Mailbox>> {
        let mailbox = self.by_id.remove(&id)?;
        self.by_name.remove(&mailbox.name);
        Some(mailbox)
    }

    /// For a change that leaves the name alone.
    pub(super) fn edit(&mut self, id: MailboxId) -> Result<&mut Mailbox, StoreError> {
        self.by_id.get_mut(&id).map(Arc::make_mut).ok_or(StoreError::NoMailbox)
    }

    pub(super) fn ids(&self) -> Vec<MailboxId> {
        self.by_id.keys().copied().collect()
    }
}
