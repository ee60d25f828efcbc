//! How many messages a user of this machine may send in an hour: a program that has gone wild, or that somebody broke into,
//! is not to ruin the good name of the house.

use crate::base::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What has been sent of late.
#[derive(Debug)]
pub struct LocalRate {
    most: usize,
    sent: Mutex<HashMap<u32, VecDeque<Timestamp>>>,
}

/// Messages of a user in an hour.
const MOST: usize = 100;
const PERIOD: Duration = Duration::from_hours(1);
/// More users than a machine has; their messages of an hour are some megabytes.
const USERS_MAX: usize = 5000;

impl Default for LocalRate {
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl LocalRate {
    /// Nothing has been sent; each user may send so much in an hour.
    pub fn new(most: usize) -> Self {
        Self { most, sent: Mutex::default() }
    }

    /// How many messages a user may send in an hour.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Counts one more message of this user. The error is how long it takes until there is room for it.
    pub fn spend(&self, uid: u32, now: Timestamp) -> Result<(), Duration> {
        let mut all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= USERS_MAX && !all.contains_key(&uid) {
            all.retain(|_, sent| sent.back().is_some_and(|last| now.since(*last) < PERIOD));
            if all.len() >= USERS_MAX {
                return Err(PERIOD);
            }
        }
        let sent = all.entry(uid).or_default();
        while sent.front().is_some_and(|first| now.since(*first) >= PERIOD) {
            sent.pop_front();
        }
        match sent.front() {
            Some(first) if sent.len() >= self.most => Err(PERIOD.saturating_sub(now.since(*first))),
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LocalRate, PERIOD, USERS_MAX};
    use crate::base::Timestamp;
    use std::time::Duration;

    #[test]
    fn so_many_in_an_hour_for_each_user() {
        let (rate, now) = (LocalRate::new(3), Timestamp::from_seconds(1_800_000_000));
        let minutes = |count| now + Duration::from_mins(count);
        for minute in [0, 10, 20] {
            assert_eq!(rate.spend(7, minutes(minute)), Ok(()));
        }
        assert_eq!(rate.spend(7, minutes(30)), Err(Duration::from_mins(30)));
        assert_eq!(rate.spend(8, minutes(30)), Ok(()));
        assert_eq!(rate.spend(7, minutes(60)), Ok(()));
        assert_eq!(rate.spend(7, minutes(60)), Err(Duration::from_mins(10)));
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let (rate, now) = (LocalRate::new(3), Timestamp::from_seconds(1_800_000_000));
        for uid in 0..u32::try_from(USERS_MAX).unwrap() {
            assert_eq!(rate.spend(uid, now), Ok(()));
        }
        assert_eq!(rate.spend(u32::MAX, now), Err(PERIOD));
        assert_eq!(rate.spend(0, now), Ok(()));
        assert_eq!(rate.spend(u32::MAX, now + PERIOD), Ok(()));
    }
}
