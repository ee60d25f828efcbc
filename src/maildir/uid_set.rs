//! A set of UIDs as ranges, in the text form of IMAP's `uid-set` (RFC 4315 §4: `1:3,7`), which the change log uses
//! too. Whoever writes the log controls the text; a set from a client has been resolved before it comes here.

use super::ids::Uid;
use std::fmt;
use std::ops::RangeInclusive;

/// Sorted ranges that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The set of one.
    pub fn one(uid: Uid) -> Self {
        Self { ranges: vec![(uid.0, uid.0)] }
    }

    /// All from `first` to `last`, both included; empty if `last` is smaller.
    pub fn range(first: Uid, last: Uid) -> Self {
        let ranges = if first <= last { vec![(first.0, last.0)] } else { Vec::new() };
        Self { ranges }
    }

    /// Adds one. Cheap at the end, so add in rising order where you can.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid..=uid);
    }

    /// Adds all of a range.
    pub fn insert_range(&mut self, range: RangeInclusive<Uid>) {
        let (first, last) = (range.start().0, range.end().0);
        if first > last {
            return;
        }
        match self.ranges.last_mut() {
            Some(end) if first > end.1 => {
                if first == end.1 + 1 {
                    end.1 = last;
                } else {
                    self.ranges.push((first, last));
                }
            }
            None => self.ranges.push((first, last)),
            Some(_) => {
                self.ranges.push((first, last));
                self.normalise();
            }
        }
    }

    fn normalise(&mut self) {
        self.ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(self.ranges.len());
        for &(first, last) in &self.ranges {
            match merged.last_mut() {
                Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
                Some(_) | None => merged.push((first, last)),
            }
        }
        self.ranges = merged;
    }

    /// Is it in?
    pub fn contains(&self, uid: Uid) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= uid.0);
        after
            .checked_sub(1)
            .and_then(|at| self.ranges.get(at))
            .is_some_and(|&(_, last)| uid.0 <= last)
    }

    /// The last of the range that this one is in.
    pub fn range_end(&self, uid: Uid) -> Option<Uid> {
        let after = self.ranges.partition_point(|&(first, _)| first <= uid.0);
        let &(_, last) = self.ranges.get(after.checked_sub(1)?)?;
        (uid.0 <= last).then_some(Uid(last))
    }

    /// Is any from `first` to `last` in?
    pub fn touches(&self, first: Uid, last: Uid) -> bool {
        let from = self.ranges.partition_point(|&(_, end)| end < first.0);
        self.ranges.get(from).is_some_and(|&(start, _)| start <= last.0)
    }

    /// The ranges, rising.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (Uid, Uid)> + '_ {
        self.ranges.iter().map(|&(first, last)| (Uid(first), Uid(last)))
    }

    /// The members, rising.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        let (mut mine, mut theirs) =
            (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&(first, last)), Some(&&(start, end))) = (mine.peek(), theirs.peek()) {
            if first.max(start) <= last.min(end) {
                both.insert_range(Uid(first.max(start))..=Uid(last.min(end)));
            }
            if last < end {
                mine.next()
            } else {
                theirs.next()
            };
        }
        both
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        let mut theirs = other.ranges.iter().copied().peekable();
        for &(first, last) in &self.ranges {
            let mut from = Some(first);
            while let Some(start) = from.filter(|&start| start <= last) {
                while theirs.next_if(|&(_, end)| end < start).is_some() {}
                let hole = theirs.peek().copied().filter(|&(begin, _)| begin <= last);
                let Some((begin, end)) = hole else {
                    rest.insert_range(Uid(start)..=Uid(last));
                    break;
                };
                if start < begin {
                    rest.insert_range(Uid(start)..=Uid(begin - 1));
                }
                from = end.checked_add(1);
            }
        }
        rest
    }

    /// How many members.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    /// No member?
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges.
    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// Cuts the set in pieces whose text is at most `text_max` bytes (at least one range each).
    pub fn pieces(&self, text_max: usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut piece = Self::default();
        let mut text_len = 0;
        for &range in &self.ranges {
            let range_len = RangeText(range).to_string().len() + 1;
            if text_len + range_len > text_max && !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
                text_len = 0;
            }
            text_len += range_len;
            piece.ranges.push(range);
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
        pieces
    }

    /// Cuts off the first `count` members: those, and the rest.
    pub fn split_at(&self, count: u64) -> (Self, Self) {
        let (mut head, mut tail, mut left) = (Self::default(), Self::default(), count);
        for &(first, last) in &self.ranges {
            let len = u64::from(last - first) + 1;
            match u32::try_from(left) {
                Ok(0) => tail.ranges.push((first, last)),
                Ok(some) if left < len => {
                    head.ranges.push((first, first + some - 1));
                    tail.ranges.push((first + some, last));
                }
                Ok(_) | Err(_) => head.ranges.push((first, last)),
            }
            left = left.saturating_sub(len);
        }
        (head, tail)
    }

    /// Reads the text form; `None` if it is not exactly that, rising and without overlap.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for range in text.split(',') {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            let (first, last) = (number(first)?, number(last)?);
            if first == 0 || last < first || set.ranges.last().is_some_and(|&(_, end)| first <= end)
            {
                return None;
            }
            set.insert_range(Uid(first)..=Uid(last));
        }
        Some(set)
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut numbers: Vec<u32> = uids.into_iter().map(|uid| uid.0).collect();
        numbers.sort_unstable();
        let mut set = Self::default();
        for uid in numbers {
            if set.ranges.last().is_none_or(|&(_, last)| uid > last) {
                set.insert(Uid(uid));
            }
        }
        set
    }
}

struct RangeText((u32, u32));

impl fmt::Display for RangeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.0;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}:{last}") }
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, &range) in self.ranges.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            RangeText(range).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Uid, UidSet};

    fn set(text: &str) -> UidSet {
        UidSet::parse(text).unwrap()
    }

    #[test]
    fn both_and_only_one() {
        let (low, high) = (set("1:10,20,30:40"), set("5:7,10:35,4294967295"));
        assert_eq!(low.intersection(&high), set("5:7,10,20,30:35"));
        assert_eq!(high.intersection(&low), set("5:7,10,20,30:35"));
        assert_eq!(low.difference(&high), set("1:4,8:9,36:40"));
        assert_eq!(high.difference(&low), set("11:19,21:29,4294967295"));
        let all = set("1:4294967295");
        assert_eq!(all.difference(&all), UidSet::default());
        assert_eq!(all.difference(&high), set("1:4,8:9,36:4294967294"));
        assert_eq!(all.difference(&UidSet::default()), all);
        assert_eq!(all.intersection(&UidSet::default()), UidSet::default());
    }

    #[test]
    fn text_and_set_agree() {
        for text in ["1", "1:3", "1:3,5,7:4294967295"] {
            assert_eq!(set(text).to_string(), text);
        }
        for bad in ["", "0", "3:1", "1,1", "1:3,2", "a", "1:", "+1", "1,,2", "4294967296"] {
            assert_eq!(UidSet::parse(bad), None, "{bad}");
        }
        let mixed: UidSet = [5, 1, 2, 3, 5, 9].into_iter().map(Uid).collect();
        assert_eq!(mixed.to_string(), "1:3,5,9");
        assert_eq!(mixed.len(), 5);
        assert!(mixed.touches(Uid(4), Uid(5)) && !mixed.touches(Uid(6), Uid(8)));
        assert!(!mixed.touches(Uid(10), Uid(99)) && mixed.touches(Uid(2), Uid(2)));
        assert!(mixed.contains(Uid(2)) && !mixed.contains(Uid(4)) && !mixed.contains(Uid(10)));
    }

    #[test]
    fn inserting_out_of_order_merges() {
        let mut some = set("5:6,10");
        some.insert(Uid(8));
        some.insert_range(Uid(1)..=Uid(4));
        some.insert(Uid(9));
        assert_eq!(some.to_string(), "1:6,8:10");
    }

    #[test]
    fn pieces_and_halves_are_the_whole() {
        let whole = set("1:3,5,7:9,100:200");
        let (head, tail) = whole.split_at(5);
        assert_eq!((head.to_string(), tail.to_string()), ("1:3,5,7".into(), "8:9,100:200".into()));
        let pieces = whole.pieces(8);
        let all: UidSet = pieces.iter().flat_map(UidSet::iter).collect();
        assert_eq!(all, whole);
        assert!(pieces.len() > 1);
    }
}
