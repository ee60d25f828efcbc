//! How much a device may send to others in a day. A stolen password sends thousands; a family never does. What is over is
//! held, not lost: so much of it leaves on each of the next days, and its owner is told at once.

use crate::base::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Recipients elsewhere that a device has without being held up.
pub const RECIPIENTS_A_DAY: u32 = 300;

const SECONDS_A_DAY: i64 = 86_400;

/// What devices have sent lately. A start forgets it.
#[derive(Debug)]
pub struct Allowance {
    a_day: u64,
    devices: Mutex<HashMap<i64, Sent>>,
}

/// What a device has sent and is not yet through with.
#[derive(Debug, Clone, Copy)]
struct Sent {
    recipients: u64,
    /// Since then a day's allowance has been taken off.
    since: Timestamp,
}

/// When a message may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Now.
    Now,
    /// Not before then; the first message of this device that is held.
    FirstUntil(Timestamp),
    /// Not before then.
    Until(Timestamp),
}

/// A part of a device's allowance that is given back, unless it is kept.
#[derive(Debug)]
pub struct Taken {
    allowance: Arc<Allowance>,
    device: i64,
    count: usize,
}

impl Taken {
    /// The message is safe.
    pub fn keep(mut self) {
        self.count = 0;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.allowance.give_back(self.device, self.count);
    }
}

impl Allowed {
    /// The time, if it is not now.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::FirstUntil(at) | Self::Until(at) => Some(at),
        }
    }
}

impl Allowance {
    /// So many recipients a day.
    pub fn new(a_day: u32) -> Self {
        Self { a_day: u64::from(a_day.max(1)), devices: Mutex::default() }
    }

    /// How many recipients a day.
    pub const fn a_day(&self) -> u64 {
        self.a_day
    }

    /// What was taken is given back: the message did not come.
    fn give_back(&self, device: i64, recipients: usize) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = devices.get_mut(&device) {
            sent.recipients = sent.recipients.saturating_sub(recipients as u64);
        }
    }

    /// A device sends to so many; what is not kept in the end is given back.
    pub fn take(
        self: &Arc<Self>,
        device: i64,
        recipients: usize,
        now: Timestamp,
    ) -> (Allowed, Taken) {
        let taken = Taken { allowance: self.clone(), device, count: recipients };
        (self.count(device, recipients, now), taken)
    }

    fn count(&self, device: i64, recipients: usize, now: Timestamp) -> Allowed {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = devices.entry(device).or_insert(Sent { recipients: 0, since: now });
        let days = (now.seconds() - sent.since.seconds()).max(0) / SECONDS_A_DAY;
        let days = u64::try_from(days).unwrap_or(0);
        if days > 0 {
            sent.recipients = sent.recipients.saturating_sub(days.saturating_mul(self.a_day));
            sent.since = if sent.recipients == 0 { now } else { sent.since + whole_days(days) };
        }
        let was_over = sent.recipients > self.a_day;
        sent.recipients = sent.recipients.saturating_add(recipients as u64);
        if sent.recipients <= self.a_day {
            return Allowed::Now;
        }
        let until = sent.since + whole_days((sent.recipients - 1) / self.a_day);
        if was_over { Allowed::Until(until) } else { Allowed::FirstUntil(until) }
    }
}

fn whole_days(days: u64) -> Duration {
    Duration::from_hours(days.saturating_mul(24))
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Allowed, Arc, Timestamp};

    #[test]
    fn a_burst_is_spread_over_days() {
        let allowance = Arc::new(Allowance::new(10));
        let take = |device, count, now| {
            let (allowed, taken) = allowance.take(device, count, now);
            taken.keep();
            allowed
        };
        let at = |days: i64| Timestamp::from_seconds(1_700_000_000 + days * 86_400);
        assert_eq!(take(1, 10, at(0)), Allowed::Now);
        assert_eq!(take(1, 1, at(0)), Allowed::FirstUntil(at(1)));
        assert_eq!(take(1, 9, at(0)), Allowed::Until(at(1)));
        assert_eq!(take(1, 1, at(0)), Allowed::Until(at(2)));
        assert_eq!(take(2, 10, at(0)), Allowed::Now, "another device");
        // On the next day the rest of yesterday's comes first.
        assert_eq!(take(1, 1, at(1)), Allowed::Until(at(2)));
        assert_eq!(take(1, 1, at(9)), Allowed::Now);
        assert_eq!(take(1, 30, at(9)), Allowed::FirstUntil(at(12)), "one message is one");
    }
    #[test]
    fn what_is_not_kept_is_given_back() {
        let allowance = Arc::new(Allowance::new(10));
        let now = Timestamp::from_seconds(1_700_000_000);
        for _ in 0..5 {
            drop(allowance.take(1, 60, now));
        }
        let (allowed, taken) = allowance.take(1, 10, now);
        assert_eq!(allowed, Allowed::Now);
        taken.keep();
        let (allowed, _) = allowance.take(1, 1, now);
        assert!(matches!(allowed, Allowed::FirstUntil(_)), "{allowed:?}");
    }
}
