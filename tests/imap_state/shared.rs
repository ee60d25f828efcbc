//! What all sessions together have seen, and what cannot be true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

pub type Flags = BTreeSet<String>;
/// A mailbox by its place in `NAMES`, and a UID.
pub type Place = (usize, u32);

/// A message as two sessions must agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub uid: u32,
    pub flags: Flags,
    pub modseq: u64,
}

/// What all sessions together have seen.
#[derive(Default)]
pub struct Shared {
    ids: AtomicU64,
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    contents: BTreeMap<Place, Vec<u8>>,
    copies: Vec<(Place, Place)>,
    gone: BTreeSet<Place>,
    flags: BTreeMap<(Place, u64), Flags>,
    recent: BTreeMap<Place, u64>,
}

impl Shared {
    /// A number that nothing else has.
    pub fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::SeqCst)
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    /// A message never becomes another one.
    pub fn content(&self, place: Place, content: &[u8]) {
        let mut facts = self.facts();
        let known = facts.contents.entry(place).or_insert_with(|| content.to_vec());
        assert_eq!(known, content, "{place:?} is another message now");
    }

    /// The same MODSEQ means the same flags, in every session.
    pub fn flags(&self, place: Place, modseq: u64, flags: &Flags) {
        let mut facts = self.facts();
        let known = facts.flags.entry((place, modseq)).or_insert_with(|| flags.clone());
        assert_eq!(known, flags, "{place:?} at MODSEQ {modseq} has two sets of flags");
    }

    /// RFC 3501 §2.3.2: the first session to be told of it, and no other.
    pub fn recent(&self, place: Place, instance: u64) {
        let first = *self.facts().recent.entry(place).or_insert(instance);
        assert_eq!(first, instance, "{place:?} is recent in two sessions");
    }

    /// It was expunged, and never comes back.
    pub fn gone(&self, place: Place) {
        self.facts().gone.insert(place);
    }

    /// A copy has the content of what it was made of.
    pub fn copied(&self, from: Place, to: Place) {
        let mut facts = self.facts();
        facts.copies.push((from, to));
        let content = facts.contents.get(&from).cloned();
        drop(facts);
        if let Some(content) = content {
            self.content(to, &content);
        }
    }

    pub fn check_end(&self, fresh: &[Vec<Known>]) {
        let facts = self.facts();
        for (from, to) in &facts.copies {
            if let (Some(a), Some(b)) = (facts.contents.get(from), facts.contents.get(to)) {
                assert_eq!(a, b, "the copy of {from:?} at {to:?} is another message");
            }
        }
        for (at, all) in fresh.iter().enumerate() {
            for known in all {
                assert!(!facts.gone.contains(&(at, known.uid)), "{known:?} was expunged");
            }
        }
    }
}
