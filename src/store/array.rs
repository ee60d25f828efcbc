//! A mailbox's messages in memory: UID, flags and MODSEQ, 16 bytes each, in chunks that versions share. A session keeps the
//! version that its client knows; what differs from the newest is found without looking at chunks that both have.

use crate::maildir::{Flags, ModSeq, Uid, UidSet};
use std::sync::Arc;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Rising along the array.
    pub uid: Uid,
    /// System flags and keywords.
    pub flags: Flags,
    /// Of its last change.
    pub modseq: ModSeq,
}

const CHUNK: usize = 512;

/// All messages of a mailbox by rising UID. A clone costs nothing and never changes: it is a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Array {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    chunks: Vec<Arc<Vec<Entry>>>,
    /// How many messages stand before each chunk.
    starts: Vec<u32>,
    len: u32,
}

/// What a newer array has that an older one has not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Sequence numbers in the old array (from 1), rising, and the UIDs there.
    pub gone: Vec<(u32, Uid)>,
    /// In both, with other flags or another MODSEQ; as they are now.
    pub changed: Vec<Entry>,
    /// Above every UID of the old array.
    pub arrived: u32,
}

impl Array {
    /// How many messages.
    pub fn len(&self) -> u32 {
        self.inner.len
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.inner.len == 0
    }

    /// By sequence number, from 1.
    pub fn at(&self, seq: u32) -> Option<Entry> {
        let index = seq.checked_sub(1)?;
        let chunk = self.inner.starts.partition_point(|&start| start <= index).checked_sub(1)?;
        let start = self.inner.starts.get(chunk)?;
        self.inner.chunks.get(chunk)?.get((index - start) as usize).copied()
    }

    /// The sequence number and entry of a UID.
    pub fn find(&self, uid: Uid) -> Option<(u32, Entry)> {
        let seq = self.seq_from(uid);
        self.at(seq).filter(|entry| entry.uid == uid).map(|entry| (seq, entry))
    }

    /// The sequence number of the first message with this UID or a higher one; `len() + 1` if there is none.
    pub fn seq_from(&self, uid: Uid) -> u32 {
        let ends_before = |chunk: &Arc<Vec<Entry>>| chunk.last().is_some_and(|e| e.uid < uid);
        let at = self.inner.chunks.partition_point(ends_before);
        match (self.inner.chunks.get(at), self.inner.starts.get(at)) {
            (Some(chunk), Some(start)) => {
                start + count(chunk.partition_point(|entry| entry.uid < uid)) + 1
            }
            _ => self.inner.len + 1,
        }
    }

    /// The message with the highest UID.
    pub fn last(&self) -> Option<Entry> {
        self.at(self.inner.len)
    }

    /// All from a sequence number on, with their numbers.
    pub fn iter_from(&self, seq: u32) -> impl Iterator<Item = (u32, Entry)> + '_ {
        let index = seq.saturating_sub(1);
        let first = self.inner.starts.partition_point(|&s| s <= index).saturating_sub(1);
        let skip = index - self.inner.starts.get(first).copied().unwrap_or(0).min(index);
        let chunks = self.inner.chunks.get(first..).unwrap_or_default();
        let entries = chunks.iter().flat_map(|chunk| chunk.iter().copied());
        (seq.max(1)..).zip(entries.skip(skip as usize))
    }

    /// All, with their sequence numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Entry)> + '_ {
        self.iter_from(1)
    }

    /// Those of a set that are there, rising. The set may be far larger than the mailbox (`1:*`).
    pub fn within<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = Entry> + 'a {
        uids.ranges().flat_map(|(first, last)| {
            let entries = self.iter_from(self.seq_from(first)).map(|(_, entry)| entry);
            entries.take_while(move |entry| entry.uid <= last)
        })
    }

    /// Appends one whose UID is above all others.
    pub fn push(&mut self, entry: Entry) {
        let inner = Arc::make_mut(&mut self.inner);
        match inner.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(entry),
            Some(_) | None => {
                inner.chunks.push(Arc::new(vec![entry]));
                inner.starts.push(inner.len);
            }
        }
        inner.len += 1;
    }

    /// Sets flags and MODSEQ of those that `edit` gives new ones; returns how many it changed.
    pub fn edit(&mut self, uids: &UidSet, mut edit: impl FnMut(Entry) -> Option<Entry>) -> u32 {
        let mut edited = 0;
        let inner = Arc::make_mut(&mut self.inner);
        for (first, last) in uids.ranges() {
            let from = inner.chunks.partition_point(|c| c.last().is_some_and(|e| e.uid < first));
            for chunk in inner.chunks.get_mut(from..).unwrap_or_default() {
                if chunk.first().is_none_or(|entry| entry.uid > last) {
                    break;
                }
                let start = chunk.partition_point(|entry| entry.uid < first);
                let end = chunk.partition_point(|entry| entry.uid <= last);
                for at in start..end {
                    let Some(new) = chunk.get(at).copied().and_then(&mut edit) else { continue };
                    if let Some(place) = Arc::make_mut(chunk).get_mut(at) {
                        *place = new;
                        edited += 1;
                    }
                }
            }
        }
        edited
    }

    /// Takes messages away; returns those that were there.
    pub fn remove(&mut self, uids: &UidSet) -> Vec<Entry> {
        let mut removed = Vec::new();
        let inner = Arc::make_mut(&mut self.inner);
        for chunk in &mut inner.chunks {
            let (first, last) = (chunk.first().map(|e| e.uid), chunk.last().map(|e| e.uid));
            if first.zip(last).is_some_and(|(first, last)| uids.touches(first, last)) {
                Arc::make_mut(chunk).retain(|entry| {
                    let hit = uids.contains(entry.uid);
                    if hit {
                        removed.push(*entry);
                    }
                    !hit
                });
            }
        }
        inner.chunks.retain(|chunk| !chunk.is_empty());
        inner.len = 0;
        inner.starts.clear();
        for chunk in &inner.chunks {
            inner.starts.push(inner.len);
            inner.len += count(chunk.len());
        }
        removed
    }

    /// The array as it was when `uidnext` was the next UID, if only arrivals came since.
    #[must_use]
    pub fn before(&self, uidnext: Uid) -> Self {
        if self.last().is_none_or(|last| last.uid < uidnext) {
            return self.clone();
        }
        self.iter().map(|(_, entry)| entry).take_while(|entry| entry.uid < uidnext).collect()
    }

    /// Is somebody else holding this array?
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    /// What `newer` has that `self` has not.
    pub fn differences(&self, newer: &Self) -> Differences {
        let mut differences = Differences::default();
        if Arc::ptr_eq(&self.inner, &newer.inner) {
            return differences;
        }
        let (mut old, mut new) = (Walk::new(&self.inner), Walk::new(&newer.inner));
        loop {
            if old.skip_common(&mut new) {
                continue;
            }
            match (old.peek(), new.peek()) {
                (None, None) => return differences,
                (Some((seq, before)), now) if now.is_none_or(|(_, e)| e.uid > before.uid) => {
                    differences.gone.push((seq, before.uid));
                    old.advance();
                }
                (Some((_, before)), Some((_, now))) if before.uid == now.uid => {
                    if before != now {
                        differences.changed.push(now);
                    }
                    old.advance();
                    new.advance();
                }
                (_, Some(_)) => {
                    differences.arrived += 1;
                    new.advance();
                }
                (Some(_), None) => old.advance(),
            }
        }
    }
}

impl FromIterator<Entry> for Array {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut array = Self::default();
        for entry in entries {
            array.push(entry);
        }
        array
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A place in an array.
struct Walk<'a> {
    inner: &'a Inner,
    chunk: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    const fn new(inner: &'a Inner) -> Self {
        Self { inner, chunk: 0, at: 0 }
    }

    fn peek(&self) -> Option<(u32, Entry)> {
        let entry = self.inner.chunks.get(self.chunk)?.get(self.at)?;
        Some((self.inner.starts.get(self.chunk)? + count(self.at) + 1, *entry))
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.inner.chunks.get(self.chunk).is_some_and(|chunk| self.at >= chunk.len()) {
            (self.chunk, self.at) = (self.chunk + 1, 0);
        }
    }

    fn skip_common(&mut self, other: &mut Self) -> bool {
        if self.at != 0 || other.at != 0 {
            return false;
        }
        match (self.inner.chunks.get(self.chunk), other.inner.chunks.get(other.chunk)) {
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                self.chunk += 1;
                other.chunk += 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Array, Entry, Flags, ModSeq, Uid, UidSet};

    fn entry(uid: u32, flags: Flags, modseq: u64) -> Entry {
        Entry { uid: Uid(uid), flags, modseq: ModSeq(modseq) }
    }

    fn even(upto: u32) -> Array {
        (1..=upto / 2).map(|n| entry(n * 2, Flags::default(), 1)).collect()
    }

    #[test]
    fn numbers_and_uids_find_each_other() {
        let array = even(4000);
        assert_eq!(array.len(), 2000);
        assert_eq!(array.at(1).unwrap().uid, Uid(2));
        assert_eq!(array.at(2000).unwrap().uid, Uid(4000));
        assert_eq!(array.at(0), None);
        assert_eq!(array.at(2001), None);
        assert_eq!(array.find(Uid(2048)).unwrap().0, 1024);
        assert_eq!(array.find(Uid(2047)), None);
        assert_eq!((array.seq_from(Uid(1)), array.seq_from(Uid(4001))), (1, 2001));
        assert_eq!(
            array.iter_from(1999).map(|(s, e)| (s, e.uid.0)).collect::<Vec<_>>(),
            [(1999, 3998), (2000, 4000)]
        );
        assert_eq!(array.iter().count(), 2000);
        assert_eq!(array.before(Uid(5)).len(), 2);
        assert_eq!(Array::default().iter().count(), 0);
    }

    #[test]
    fn a_snapshot_stays_while_the_array_goes_on() {
        let mut array = even(4000);
        let old = array.clone();
        let set = UidSet::parse("1:10,1500:1504").unwrap();
        assert_eq!(array.remove(&set).len(), 8);
        let flagged = array.edit(&UidSet::parse("3000:3003,4000").unwrap(), |e| {
            Some(Entry { flags: Flags::SEEN, modseq: ModSeq(9), ..e })
        });
        assert_eq!(flagged, 3);
        array.push(entry(4001, Flags::default(), 10));
        let differences = old.differences(&array);
        let gone: Vec<(u32, u32)> = differences.gone.iter().map(|&(s, u)| (s, u.0)).collect();
        assert_eq!(
            gone,
            [(1, 2), (2, 4), (3, 6), (4, 8), (5, 10), (750, 1500), (751, 1502), (752, 1504)]
        );
        assert_eq!(
            differences.changed.iter().map(|e| e.uid.0).collect::<Vec<_>>(),
            [3000, 3002, 4000]
        );
        assert_eq!(differences.arrived, 1);
        assert_eq!((old.len(), array.len()), (2000, 1993));
        assert_eq!(old.differences(&old.clone()), super::Differences::default());
        assert_eq!(array.at(array.len()).unwrap().uid, Uid(4001));
    }

    #[test]
    fn emptied_and_filled_again() {
        let mut array = even(10);
        let old = array.clone();
        array.remove(&UidSet::parse("1:99").unwrap());
        assert!(array.is_empty() && array.last().is_none());
        array.push(entry(12, Flags::default(), 2));
        assert_eq!(old.differences(&array).gone.len(), 5);
        assert_eq!(old.differences(&array).arrived, 1);
    }
}
