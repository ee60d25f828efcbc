//! When keys are made, changed over and removed: a rule over the names that there are. So it goes on after a start or a
//! power cut in the middle from what lies on the disk.

use super::key_name::KeyName;
use crate::base::Timestamp;
use crate::verify::dkim::{Algorithm, Standing};
use std::fmt;
use std::time::Duration;

/// How long a new record has to reach everyone: a "no" may be remembered for a day.
const NEXT_WAIT: Duration = Duration::from_hours(2 * 24);
/// How long a message may be on its way, and be looked at again.
const RETIRED_WAIT: Duration = Duration::from_hours(7 * 24);

/// What is to be done to the files of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A new key.
    Make(Algorithm, Standing),
    /// A key comes further in its life.
    Move(KeyName, Standing),
    /// Its time is over.
    Remove(KeyName),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(algorithm, standing) => {
                write!(f, "algorithm={} made standing={standing}", algorithm.name())
            }
            Self::Move(name, standing) => {
                write!(f, "selector={} standing={standing}", name.selector)
            }
            Self::Remove(name) => write!(f, "selector={} removed", name.selector),
        }
    }
}

/// When a key goes on by itself.
pub fn waits_until(name: &KeyName) -> Option<Timestamp> {
    match name.standing {
        Standing::Next => Some(name.since + NEXT_WAIT),
        Standing::Current => None,
        Standing::Retired => Some(name.since + RETIRED_WAIT),
    }
}

/// What is due, in the order in which it is to be done: at each moment there is a current key. `is_known` says of a
/// next key that everyone can know its record, so that it need not wait.
pub fn steps(names: &[KeyName], now: Timestamp, is_known: impl Fn(&KeyName) -> bool) -> Vec<Step> {
    let is_over = |name: &KeyName| waits_until(name).is_some_and(|until| until <= now);
    let mut steps = Vec::new();
    for algorithm in Algorithm::ALL {
        let is_due = |name: &&KeyName| is_over(name) || is_known(name);
        let mut next = newest_first(names, algorithm, Standing::Next).into_iter();
        let mut current = newest_first(names, algorithm, Standing::Current).into_iter();
        let in_use = current.next();
        match (in_use, next.next()) {
            (Some(in_use), Some(next)) if is_due(&next) => {
                steps.push(Step::Move(next.clone(), Standing::Current));
                steps.push(Step::Move(in_use.clone(), Standing::Retired));
            }
            (Some(_), _) => {}
            (None, Some(next)) => steps.push(Step::Move(next.clone(), Standing::Current)),
            (None, None) => steps.push(Step::Make(algorithm, Standing::Current)),
        }
        // A changeover was cut off.
        steps.extend(current.map(|old| Step::Move(old.clone(), Standing::Retired)));
        let retired = newest_first(names, algorithm, Standing::Retired).into_iter();
        steps.extend(retired.filter(|name| is_over(name)).cloned().map(Step::Remove));
    }
    steps
}

fn newest_first(names: &[KeyName], algorithm: Algorithm, standing: Standing) -> Vec<&KeyName> {
    let is_it = |name: &&KeyName| name.algorithm == algorithm && name.standing == standing;
    let mut found: Vec<&KeyName> = names.iter().filter(is_it).collect();
    found.sort_by_key(|name| std::cmp::Reverse((name.since, &name.selector)));
    found
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, KeyName, Standing, Step, Timestamp, steps};
    use Standing::{Current, Retired};

    const DAY: i64 = 86_400;

    fn name(text: &str) -> KeyName {
        KeyName::parse(&format!("{text}.pem")).unwrap()
    }

    /// Names of RSA keys; a current key of the other kind is there too.
    fn due(texts: &[&str], now: i64) -> Vec<Step> {
        let mut names: Vec<KeyName> = texts.iter().map(|text| name(text)).collect();
        names.push(name("e.ed25519.current.0"));
        steps(&names, Timestamp::from_seconds(now), |name| name.selector.as_str() == "seen")
    }

    #[test]
    fn the_life_of_a_key() {
        assert_eq!(due(&[], 0), [Step::Make(Algorithm::RsaSha256, Current)]);
        assert_eq!(due(&["a.rsa.current.0"], 1000 * DAY), []);
        let both = ["a.rsa.current.0", "b.rsa.next.100"];
        assert_eq!(due(&both, 99 + 2 * DAY), []);
        let over = [Step::Move(name(both[1]), Current), Step::Move(name(both[0]), Retired)];
        assert_eq!(due(&both, 100 + 2 * DAY), over);
        let seen = ["a.rsa.current.0", "seen.rsa.next.100"];
        assert_eq!(due(&seen, 100)[0], Step::Move(name(seen[1]), Current));
        let after = ["b.rsa.current.5", "a.rsa.retired.5"];
        assert_eq!(due(&after, 4 + 7 * DAY), []);
        assert_eq!(due(&after, 5 + 7 * DAY), [Step::Remove(name(after[1]))]);
    }

    #[test]
    fn what_was_cut_off_is_ended() {
        let both = ["a.rsa.current.0", "b.rsa.current.5"];
        assert_eq!(due(&both, 6), [Step::Move(name(both[0]), Retired)]);
        assert_eq!(due(&["b.rsa.next.5"], 5), [Step::Move(name("b.rsa.next.5"), Current)]);
        // A clock that was put back.
        assert_eq!(due(&["a.rsa.current.9", "b.rsa.next.9", "c.rsa.retired.9"], 0), []);
        assert_eq!(
            steps(&[], Timestamp::default(), |_| false),
            Algorithm::ALL.map(|algorithm| Step::Make(algorithm, Current))
        );
    }
}
