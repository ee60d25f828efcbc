//! Where UNIQUE comes from: microseconds of the clock, but never below the last, since a board without a battery
//! may start in the year 2000.

use super::ids::Unique;
use crate::base::Timestamp;

/// An hour of microseconds: how far `unique-at-least` is raised ahead of what was given.
const AHEAD: u64 = 3_600_000_000;

/// Gives rising numbers below a durable limit.
#[derive(Debug)]
pub struct UniqueSource {
    last: u64,
    limit: u64,
}

impl UniqueSource {
    /// `at_least` is the account file's number: everything given before is below it.
    pub const fn new(at_least: u64) -> Self {
        Self { last: at_least, limit: at_least }
    }

    /// The next, above all before. After a quiet night the clock is past the durable limit: then the numbers go on from
    /// the last one, so that nobody waits for the limit to be raised.
    pub fn next(&mut self, now: Timestamp) -> Unique {
        let clock = u64::try_from(now.micros()).ok().filter(|&clock| clock < self.limit);
        self.last = clock.unwrap_or(0).max(self.last.saturating_add(1));
        Unique(self.last)
    }

    /// The limit to make durable before the next is given: `Some` when less than half an hour is left.
    pub fn wants_limit(&self, now: Timestamp) -> Option<u64> {
        let clock = u64::try_from(now.micros()).unwrap_or(0);
        let next = clock.max(self.last);
        (next.saturating_add(AHEAD / 2) > self.limit).then(|| next.saturating_add(AHEAD))
    }

    /// The limit is on the disk.
    pub fn raised(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, Timestamp, Unique, UniqueSource};

    #[test]
    fn a_clock_that_goes_back_gives_nothing_twice() {
        let mut source = UniqueSource::new(1_000_000);
        let late = Timestamp::from_seconds(5);
        assert_eq!(source.wants_limit(late), Some(5_000_000 + AHEAD));
        source.raised(5_000_000 + AHEAD);
        assert_eq!(source.wants_limit(late), None);
        assert_eq!(source.next(late), Unique(5_000_000));
        assert_eq!(source.next(Timestamp::from_seconds(2)), Unique(5_000_001));
        let next_day = Timestamp::from_seconds(90_000);
        assert_eq!(source.next(next_day), Unique(5_000_002), "the clock is past the limit");
        source.raised(source.wants_limit(next_day).unwrap());
        assert_eq!(source.next(next_day), Unique(90_000_000_000));
        assert_eq!(UniqueSource::new(77).next(Timestamp::from_seconds(-1)), Unique(78));
    }
}
