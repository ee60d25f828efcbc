//! Sets of messages as a client names them (RFC 3501 §9: `sequence-set`), by sequence number or by UID, or as what the
//! last search found (RFC 5182), and which messages of a view they mean.

use crate::base::Cursor;
use crate::maildir::{Uid, UidSet};
use crate::store::{Array, Entry};
use std::sync::Arc;

/// What the numbers of a set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Places in the mailbox, from 1.
    Sequence,
    /// Unique identifiers.
    Uid,
}

/// A set as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Ranges(Vec<(Bound, Bound)>),
    /// `$`
    Saved,
}

/// A set whose `*` or `$` has got its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Rising, without overlap.
    Ranges(Numbers, Vec<(u32, u32)>),
    /// Shared, so that many `$` in one command take no more memory than one.
    Saved(Arc<UidSet>),
}

impl Resolved {
    /// Is this message in it?
    pub fn contains(&self, seq: u32, uid: Uid) -> bool {
        let (number, ranges) = match self {
            Self::Saved(saved) => return saved.contains(uid),
            Self::Ranges(Numbers::Sequence, ranges) => (seq, ranges),
            Self::Ranges(Numbers::Uid, ranges) => (uid.0, ranges),
        };
        let after = ranges.partition_point(|&(first, _)| first <= number);
        let range = after.checked_sub(1).and_then(|at| ranges.get(at));
        range.is_some_and(|&(_, last)| number <= last)
    }
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Number(u32),
    /// `*`: the largest there is.
    Last,
}

/// A sequence number that no message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchNumber;

impl SequenceSet {
    /// Reads a set; `None` if none comes next.
    pub fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.eat(b'$') {
            return Some(Self(Form::Saved));
        }
        let mut ranges = Vec::new();
        loop {
            let first = bound(cursor)?;
            let last = if cursor.eat(b':') { bound(cursor)? } else { first };
            ranges.push((first, last));
            if !cursor.eat(b',') {
                return Some(Self(Form::Ranges(ranges)));
            }
        }
    }

    /// The messages of a view that it means, as UIDs. A sequence number above all is a fault of the client; a UID is not.
    pub fn uids(
        &self,
        view: &Array,
        saved: &UidSet,
        numbers: Numbers,
    ) -> Result<UidSet, NoSuchNumber> {
        let Form::Ranges(ranges) = &self.0 else { return Ok(saved.clone()) };
        match numbers {
            Numbers::Uid => {
                let last = view.last().map_or(Uid(0), |entry| entry.uid);
                Ok(self.given_uids(last, saved))
            }
            Numbers::Sequence => {
                let mut uids = UidSet::default();
                for (first, last) in merged(ranges, view.len()) {
                    if last > view.len() {
                        return Err(NoSuchNumber);
                    }
                    let count = (last - first) as usize + 1;
                    for (_, entry) in view.iter_from(first).take(count) {
                        uids.insert(entry.uid);
                    }
                }
                Ok(uids)
            }
        }
    }

    /// The UIDs that it names, where `*` is this one.
    pub fn given_uids(&self, last: Uid, saved: &UidSet) -> UidSet {
        let Form::Ranges(ranges) = &self.0 else { return saved.clone() };
        let mut uids = UidSet::default();
        for (first, last) in merged(ranges, last.0) {
            uids.insert_range(Uid(first)..=Uid(last));
        }
        uids
    }

    /// The same without a look at each message: it takes no more memory than the text did.
    pub fn resolve(
        &self,
        view: &Array,
        saved: &Arc<UidSet>,
        numbers: Numbers,
    ) -> Result<Resolved, NoSuchNumber> {
        let Form::Ranges(ranges) = &self.0 else { return Ok(Resolved::Saved(saved.clone())) };
        let largest = match numbers {
            Numbers::Sequence => view.len(),
            Numbers::Uid => view.last().map_or(0, |entry| entry.uid.0),
        };
        let ranges = merged(ranges, largest);
        let beyond = ranges.last().is_some_and(|&(_, last)| last > largest);
        if numbers == Numbers::Sequence && beyond {
            return Err(NoSuchNumber);
        }
        Ok(Resolved::Ranges(numbers, ranges))
    }
}

/// The ranges in rising order, without overlap. Whatever is written with `*` ends at `largest`, so that `9:*` means
/// the last message where there are fewer, and nothing where there is none.
// Differs: RFC 3501 §9 asks for BAD for `*` in an empty mailbox; clients send `1:*` there and mean all of none.
fn merged(ranges: &[(Bound, Bound)], largest: u32) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = (ranges.iter())
        .filter_map(|range| match *range {
            (Bound::Number(a), Bound::Number(b)) => Some((a.min(b), a.max(b))),
            _ if largest == 0 => None,
            (Bound::Number(a), Bound::Last) | (Bound::Last, Bound::Number(a)) => {
                Some((a.min(largest), largest))
            }
            (Bound::Last, Bound::Last) => Some((largest, largest)),
        })
        .collect();
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

fn bound(cursor: &mut Cursor<'_>) -> Option<Bound> {
    if cursor.eat(b'*') {
        return Some(Bound::Last);
    }
    let number = u32::try_from(cursor.number()?).ok()?;
    (number > 0).then_some(Bound::Number(number))
}

/// Those of a set that a view has, rising, from a UID on, with their sequence numbers.
pub fn members<'a>(
    view: &'a Array,
    uids: &'a UidSet,
    from: Uid,
) -> impl Iterator<Item = (u32, Entry)> + 'a {
    uids.ranges().filter(move |&(_, last)| last >= from).flat_map(move |(first, last)| {
        view.iter_from(view.seq_from(first.max(from)))
            .take_while(move |(_, entry)| entry.uid <= last)
    })
}

#[cfg(test)]
mod tests {
    use super::{NoSuchNumber, Numbers, SequenceSet};
    use crate::base::Cursor;
    use crate::maildir::{Flags, ModSeq, Uid, UidSet};
    use crate::store::{Array, Entry};
    use std::sync::Arc;

    fn set(text: &str) -> Option<SequenceSet> {
        let mut cursor = Cursor::new(text.as_bytes());
        SequenceSet::read(&mut cursor).filter(|_| cursor.is_empty())
    }

    fn view(uids: &[u32]) -> Array {
        let entry = |&uid| Entry { uid: Uid(uid), flags: Flags::default(), modseq: ModSeq(1) };
        uids.iter().map(entry).collect()
    }

    fn meant(text: &str, numbers: Numbers, uids: &[u32]) -> Result<String, NoSuchNumber> {
        let (set, view) = (set(text).unwrap(), view(uids));
        let saved = Arc::new(UidSet::parse("4,9").unwrap());
        let meant = set.uids(&view, &saved, numbers);
        match (set.resolve(&view, &saved, numbers), &meant) {
            (Ok(resolved), Ok(meant)) => {
                for (seq, entry) in view.iter() {
                    let contains = resolved.contains(seq, entry.uid);
                    assert_eq!(contains, meant.contains(entry.uid), "{text}");
                }
            }
            (resolved, meant) => assert!(resolved.is_err() && meant.is_err(), "{text}"),
        }
        meant.map(|uids| uids.to_string())
    }

    #[test]
    fn numbers_mean_messages() {
        let view = [3, 4, 9, 12];
        for (text, by_sequence, by_uid) in [
            ("2", "4", "2"),
            // RFC 3501 §9: 2,4:7,9,12:* of 15 messages; here the larger may come first, and overlap.
            ("4:2,3", "4,9,12", "2:4"),
            ("*", "12", "12"),
            ("3:*", "9,12", "3:12"),
            ("9:*", "12", "9:12"),
            ("20:*", "12", "12"),
            ("*:1", "3:4,9,12", "1:12"),
            ("$", "4,9", "4,9"),
        ] {
            assert_eq!(meant(text, Numbers::Sequence, &view), Ok(by_sequence.into()), "{text}");
            assert_eq!(meant(text, Numbers::Uid, &view), Ok(by_uid.into()), "{text}");
        }
        assert_eq!(meant("5", Numbers::Sequence, &view), Err(NoSuchNumber));
        assert_eq!(meant("1:5", Numbers::Sequence, &view), Err(NoSuchNumber));
        assert_eq!(meant("1:*", Numbers::Sequence, &[]), Ok(String::new()));
        assert_eq!(meant("1", Numbers::Sequence, &[]), Err(NoSuchNumber));
        assert_eq!(meant("1:*", Numbers::Uid, &[]), Ok(String::new()));
    }

    #[test]
    fn malformed_sets_are_none() {
        for bad in
            ["", "0", "1:", ":1", "1,,2", "1:0", "4294967296", "a", "1,", "$,1", "1,$", "$:*"]
        {
            assert_eq!(set(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_large_set_out_of_order_is_cheap() {
        let text: Vec<String> = (1..60_000).rev().map(|n| (n * 2).to_string()).collect();
        let set = set(&text.join(",")).unwrap();
        assert_eq!(
            set.uids(&view(&[1]), &UidSet::default(), Numbers::Uid).unwrap().range_count(),
            59_999
        );
    }
}
