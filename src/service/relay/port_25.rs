//! Does the way straight to other servers work? Many providers of home lines shut port 25, and then nothing answers there,
//! whomever one tries.

use super::destination::Straight;
use crate::base::Timestamp;
use crate::mail::Domain;
use std::collections::BTreeSet;
use std::time::Duration;

/// Did a server of a domain answer?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// One did.
    Yes,
    /// None did.
    No,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Port25 {
    /// Domains none of whose servers answered, since one did.
    silent: BTreeSet<Domain>,
    shut_until: Option<Timestamp>,
}

/// One domain may be away; this many at once are not.
const SILENT_MAX: usize = 2;
/// After so long it is tried again.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

impl Port25 {
    /// The servers of a domain were tried.
    pub fn note(&mut self, domain: &Domain, reached: Reached, now: Timestamp) {
        match reached {
            Reached::Yes => *self = Self::default(),
            Reached::No => {
                if self.silent.len() < SILENT_MAX {
                    self.silent.insert(domain.clone());
                }
                if self.silent.len() >= SILENT_MAX {
                    if self.shut_until.is_none() {
                        log::warn!(
                            "nothing answers at port 25 anywhere: it may be shut on this line"
                        );
                    }
                    self.shut_until = Some(now + LOOK_AGAIN);
                }
            }
        }
    }

    /// What is known now.
    pub fn straight(&self, now: Timestamp) -> Straight {
        match self.shut_until {
            Some(until) if now < until => Straight::Shut,
            Some(_) | None => Straight::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Domain, LOOK_AGAIN, Port25, Reached, Straight, Timestamp};

    #[test]
    fn two_that_are_silent_are_no_accident() {
        let (mut port, now) = (Port25::default(), Timestamp::from_seconds(1_700_000_000));
        let domain = |text: &str| Domain::parse(text).unwrap();
        for _ in 0..3 {
            port.note(&domain("a.example"), Reached::No, now);
        }
        assert_eq!(port.straight(now), Straight::Open);
        port.note(&domain("b.example"), Reached::No, now);
        assert_eq!(port.straight(now), Straight::Shut);
        assert_eq!(port.straight(now + LOOK_AGAIN), Straight::Open, "it is tried again");
        port.note(&domain("a.example"), Reached::No, now + LOOK_AGAIN);
        assert_eq!(port.straight(now + LOOK_AGAIN), Straight::Shut);
        port.note(&domain("c.example"), Reached::Yes, now);
        assert_eq!(port.straight(now), Straight::Open);
        port.note(&domain("b.example"), Reached::No, now);
        assert_eq!(port.straight(now), Straight::Open);
    }
}
