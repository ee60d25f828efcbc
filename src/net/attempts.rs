//! Failed logins, counted by where they come from and by whose name they use, so that guessing gets slower the longer it
//! goes on, over however many connections. Only failures wait: a right password always gets in at once.

use crate::base::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Failures of late.
#[derive(Debug, Default)]
pub struct Attempts {
    failures: Mutex<HashMap<Key, Failures>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Peer(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// So many failures cost nothing: a person mistypes, a phone has an old password.
const FREE: u32 = 5;
const WAIT_MAX: Duration = Duration::from_secs(30);
/// After so long without a failure, all is forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(15);
const KEYS_MAX: usize = 10_000;
const NAME_LEN_MAX: usize = 254;

impl Attempts {
    /// A login failed; how long its answer should wait.
    pub fn failed(&self, peer: IpAddr, name: &str, now: Timestamp) -> Duration {
        let name = name.chars().take(NAME_LEN_MAX).collect::<String>().to_ascii_lowercase();
        let mut all = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() + 2 > KEYS_MAX {
            all.retain(|_, failures| now.since(failures.last) < FORGET_AFTER);
        }
        if all.len() + 2 > KEYS_MAX {
            // So many at once are nobody's mistakes; those that went on longest stay.
            all.retain(|_, failures| failures.count > FREE);
        }
        if all.len() + 2 > KEYS_MAX {
            all.clear();
        }
        let mut most = 0;
        for key in [Key::Peer(network(peer)), Key::Name(name)] {
            let failures = all.entry(key).or_insert(Failures { count: 0, last: now });
            if now.since(failures.last) >= FORGET_AFTER {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
            most = most.max(failures.count);
        }
        match most.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(5)).min(WAIT_MAX),
        }
    }
}

/// Whoever has an IPv6 address has all of its /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, KEYS_MAX};
    use crate::base::Timestamp;
    use std::net::IpAddr;
    use std::time::Duration;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn guessing_gets_slower_by_place_and_by_name_and_is_forgotten() {
        let (attempts, now) = (Attempts::default(), Timestamp::from_seconds(1_800_000_000));
        let here = peer("192.0.2.1");
        let waits: Vec<u64> =
            (0..12).map(|n| attempts.failed(here, &format!("u{n}"), now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        // From elsewhere, but under one name; IPv6 neighbours are one place.
        for n in 0..5 {
            assert_eq!(
                attempts.failed(peer(&format!("198.51.100.{n}")), "Ann@x", now).as_secs(),
                0
            );
        }
        assert_eq!(attempts.failed(peer("2001:db8::1"), "ann@X", now).as_secs(), 1);
        for n in 0..4 {
            attempts.failed(peer(&format!("2001:db8::{n}")), &format!("v{n}"), now);
        }
        assert_eq!(attempts.failed(peer("2001:db8::ffff"), "w", now).as_secs(), 1);
        let later = now + Duration::from_mins(15);
        assert_eq!(attempts.failed(here, "u0", later), Duration::ZERO);
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let (attempts, now) = (Attempts::default(), Timestamp::from_seconds(1_800_000_000));
        for n in 0..u32::try_from(KEYS_MAX).unwrap() * 2 {
            attempts.failed(IpAddr::V4(n.into()), &n.to_string(), now);
        }
        assert!(attempts.failures.lock().unwrap().len() <= KEYS_MAX);
    }
}
