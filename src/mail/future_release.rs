//! When a submitted message is to leave, if not at once (RFC 4865): HOLDFOR and HOLDUNTIL of MAIL, and the field of a
//! report that repeats it. Clients control the input.

use super::civil::CivilDate;
use super::date::Date;
use crate::base::{Cursor, Timestamp};
use std::time::Duration;

/// No message is held longer.
pub const HOLD_MAX: Duration = Duration::from_hours(30 * 24);

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FutureRelease {
    /// So long after it came, in whole seconds.
    For(Duration),
    /// At this time, in whole seconds.
    Until(Timestamp),
}

const INTERVAL_LEN_MAX: usize = 9;

impl FutureRelease {
    /// Reads the value of HOLDFOR: seconds, more than none.
    pub fn parse_for(value: &[u8]) -> Option<Self> {
        let digits = value.len() <= INTERVAL_LEN_MAX && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits)?;
        let seconds = text.parse().ok().filter(|_| !text.starts_with('0'))?;
        Some(Self::For(Duration::from_secs(seconds)))
    }

    /// Reads the value of HOLDUNTIL: a time in UTC as the Internet writes it (RFC 3339).
    pub fn parse_until(value: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let mut number = |len: usize, after: u8| {
            let digits = cursor.take(len)?;
            let number = std::str::from_utf8(digits).ok()?.parse::<u16>().ok();
            let valid = digits.iter().all(u8::is_ascii_digit);
            number.filter(|_| valid && (after == 0 || cursor.eat_ignore_case(&[after])))
        };
        let (year, month, day) = (number(4, b'-')?, number(2, b'-')?, number(2, b'T')?);
        let (hour, minute, second) = (number(2, b':')?, number(2, b':')?, number(2, 0)?);
        if cursor.eat(b'.') {
            let fraction = cursor.take_while(|b| b.is_ascii_digit());
            if fraction.is_empty() {
                return None;
            }
        }
        let small = |number: u16| u8::try_from(number).ok();
        let date = CivilDate::new(year, small(month)?, small(day)?)?;
        let date = Date::from_wall(date, small(hour)?, small(minute)?, small(second)?, 0)?;
        (cursor.eat_ignore_case(b"Z") && cursor.is_empty()).then_some(Self::Until(date.at))
    }

    /// When a message that came then is to leave.
    pub fn at(self, arrived: Timestamp) -> Timestamp {
        match self {
            Self::For(wait) => arrived + wait,
            Self::Until(at) => at,
        }
    }

    /// As `Future-Release-Request` has it (§5.1.2), and the queue.
    pub fn text(self) -> String {
        match self {
            Self::For(wait) => format!("for;{}", wait.as_secs()),
            Self::Until(at) => format!("until;{}", Date { at, zone_minutes: 0 }.internet()),
        }
    }

    /// Reads that.
    pub fn parse(text: &str) -> Option<Self> {
        let (how, value) = text.split_once(';')?;
        match how {
            "for" => Self::parse_for(value.as_bytes()),
            "until" => Self::parse_until(value.as_bytes()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, FutureRelease, Timestamp};

    #[test]
    fn values_and_what_is_none() {
        let wait = FutureRelease::For(Duration::from_hours(24));
        assert_eq!(FutureRelease::parse_for(b"86400"), Some(wait));
        for odd in [&b""[..], b"0", b"01", b"-1", b"1s", b"1234567890"] {
            assert_eq!(FutureRelease::parse_for(odd), None);
        }
        let until = FutureRelease::Until(Timestamp::from_seconds(1_795_894_496));
        for same in ["2026-11-28T19:34:56Z", "2026-11-28t19:34:56.789z"] {
            assert_eq!(FutureRelease::parse_until(same.as_bytes()), Some(until), "{same}");
        }
        for odd in [
            "",
            "2026-11-28",
            "2026-11-28T19:34:56",
            "2026-11-28T19:34:56+01:00",
            "2026-02-30T00:00:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T19:34:56.Z",
            "2026-11-28T19:34:56Zx",
            "+026-11-28T19:34:56Z",
        ] {
            assert_eq!(FutureRelease::parse_until(odd.as_bytes()), None, "{odd}");
        }
        for known in [wait, until] {
            assert_eq!(FutureRelease::parse(&known.text()), Some(known));
        }
        let arrived = Timestamp::from_seconds(100);
        assert_eq!(
            (wait.at(arrived).seconds(), until.at(arrived).seconds()),
            (86_500, 1_795_894_496)
        );
    }
}
