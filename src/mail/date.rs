//! The date of a message (RFC 5322 §3.3 with the obsolete forms of §4.3), read as leniently as senders write it, and
//! written. The sender of a message controls the input.

use super::civil::{CivilDate, month_number};
use super::token::skip_cfws;
use crate::base::{Cursor, Timestamp};
use std::fmt;

/// A longer value is no date.
const VALUE_LEN_MAX: usize = 1000;
const DAY_SECONDS: i64 = 86_400;

/// A point in time and the zone in which its writer lived. `Display` is the form of RFC 5322.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// When.
    pub at: Timestamp,
    /// Minutes east of Greenwich, -1439 to 1439.
    pub zone_minutes: i16,
}

impl Date {
    /// A date from what a clock on the wall shows. `None` if there is no such time; second 60 is one.
    pub(super) fn from_wall(
        day: CivilDate,
        hour: u8,
        minute: u8,
        second: u8,
        zone_minutes: i16,
    ) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 60 || zone_minutes.abs() > 1439 {
            return None;
        }
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = day.days() * DAY_SECONDS + of_day - i64::from(zone_minutes) * 60;
        Some(Self { at: Timestamp::from_seconds(seconds), zone_minutes })
    }

    /// The day that the writer's calendar showed: what SENTON and SENTSINCE compare (RFC 3501 §6.4.4).
    pub fn day(self) -> CivilDate {
        CivilDate::from_days(self.wall_seconds().div_euclid(DAY_SECONDS))
    }

    /// As the Internet writes dates outside of mail (RFC 3339): `2016-04-01T00:00:00Z`, in UTC.
    pub fn internet(self) -> String {
        let utc = Self { zone_minutes: 0, ..self };
        let (day, (hour, minute, second)) = (utc.day(), utc.time_of_day());
        let (year, month) = (day.year(), day.month());
        format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day.day())
    }

    /// Hour, minute and second that the writer's clock showed.
    pub(super) fn time_of_day(self) -> (i64, i64, i64) {
        let of_day = self.wall_seconds().rem_euclid(DAY_SECONDS);
        (of_day / 3600, of_day / 60 % 60, of_day % 60)
    }

    /// `+hhmm` as a sign, hours and minutes.
    pub(super) fn zone(self) -> (char, u16, u16) {
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let minutes = self.zone_minutes.unsigned_abs();
        (sign, minutes / 60, minutes % 60)
    }

    fn wall_seconds(self) -> i64 {
        self.at.seconds().saturating_add(i64::from(self.zone_minutes) * 60)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day();
        let (hour, minute, second) = self.time_of_day();
        let (sign, zone_hours, zone_minutes) = self.zone();
        let (weekday, month) = (day.weekday_name(), day.month_name());
        write!(f, "{weekday}, {} {month} {:04} ", day.day(), day.year())?;
        write!(f, "{hour:02}:{minute:02}:{second:02} {sign}{zone_hours:02}{zone_minutes:02}")
    }
}

/// Reads the value of a Date field: with or without weekday, seconds and zone, with two-digit years, zone names and
/// comments, and in the order of C's `asctime`. `None` if a day or an hour is missing or does not exist.
pub fn parse_date(value: &[u8]) -> Option<Date> {
    let mut fields = Fields { cursor: Cursor::new(value.get(..VALUE_LEN_MAX).unwrap_or(value)) };
    let mut day = fields.number();
    if day.is_none() {
        // A weekday, right or wrong, or the month of an asctime without one.
        let word = fields.word();
        day = fields.number();
        if day.is_none() {
            let month = month_number(fields.word())?;
            return fields.asctime(month);
        }
        if month_number(word).is_some() && !fields.word_ahead() {
            return fields.asctime_from_day(month_number(word)?, day?);
        }
    }
    let month = month_number(fields.word())?;
    let year = fields.year()?;
    let (hour, minute, second) = fields.time()?;
    let zone = fields.zone()?;
    Date::from_wall(civil(year, month, day?)?, hour, minute, second, zone)
}

fn civil(year: u16, month: u8, day: u64) -> Option<CivilDate> {
    CivilDate::new(year, month, u8::try_from(day).ok()?)
}

struct Fields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Fields<'a> {
    /// Passes what may stand between two fields.
    fn gap(&mut self) {
        loop {
            skip_cfws(&mut self.cursor);
            if !matches!(self.cursor.peek(), Some(b',' | b'.' | b'-')) {
                return;
            }
            self.cursor.bump();
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.gap();
        self.cursor.number()
    }

    fn word(&mut self) -> &'a [u8] {
        self.gap();
        self.cursor.take_while(|b| b.is_ascii_alphabetic())
    }

    fn word_ahead(&mut self) -> bool {
        self.gap();
        self.cursor.peek().is_some_and(|b| b.is_ascii_alphabetic())
    }

    /// RFC 5322 §4.3: two digits below 50 are of this century; two or three others count from 1900.
    fn year(&mut self) -> Option<u16> {
        self.gap();
        let before = self.cursor.position();
        let year = u16::try_from(self.cursor.number()?).ok()?;
        match self.cursor.position() - before {
            0 | 1 => None,
            2 if year < 50 => Some(year + 2000),
            2 | 3 => Some(year + 1900),
            _ => Some(year),
        }
    }

    fn time(&mut self) -> Option<(u8, u8, u8)> {
        skip_cfws(&mut self.cursor);
        let hour = self.cursor.number()?;
        if !self.colon() {
            return None;
        }
        let minute = self.cursor.number()?;
        let second = if self.colon() { self.cursor.number()? } else { 0 };
        if self.cursor.eat(b'.') {
            self.cursor.take_while(|b| b.is_ascii_digit());
        }
        Some((u8::try_from(hour).ok()?, u8::try_from(minute).ok()?, u8::try_from(second).ok()?))
    }

    /// Passes a colon and what stands around it.
    fn colon(&mut self) -> bool {
        skip_cfws(&mut self.cursor);
        let found = self.cursor.eat(b':');
        skip_cfws(&mut self.cursor);
        found
    }

    /// Minutes east of Greenwich; 0 where none is given or its name is not known (RFC 5322 §4.3).
    fn zone(&mut self) -> Option<i16> {
        skip_cfws(&mut self.cursor);
        let negative = match self.cursor.peek() {
            Some(b'+') => false,
            Some(b'-') => true,
            _ => return Some(zone_by_name(self.word())),
        };
        self.cursor.bump();
        let digits = self.cursor.take_while(|b| b.is_ascii_digit() || b == b':');
        let mut digits: Vec<u8> = digits.iter().copied().filter(u8::is_ascii_digit).collect();
        if digits.len() == 2 {
            digits.extend_from_slice(b"00");
        }
        let number: i16 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
        if digits.len() > 4 || number % 100 > 59 || number / 100 > 23 {
            return None;
        }
        let minutes = number / 100 * 60 + number % 100;
        Some(if negative { -minutes } else { minutes })
    }

    /// `Tue Jul  1 10:52:37 2003`, after the month.
    fn asctime(&mut self, month: u8) -> Option<Date> {
        let day = self.number()?;
        self.asctime_from_day(month, day)
    }

    fn asctime_from_day(&mut self, month: u8, day: u64) -> Option<Date> {
        let (hour, minute, second) = self.time()?;
        let zone = if self.word_ahead() { self.zone()? } else { 0 };
        let year = self.year()?;
        Date::from_wall(civil(year, month, day)?, hour, minute, second, zone)
    }
}

fn zone_by_name(name: &[u8]) -> i16 {
    const ZONES: [(&str, i16); 16] = [
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
        // Not in the RFC, but written by servers of Europe and Asia.
        ("WEST", 1),
        ("BST", 1),
        ("CET", 1),
        ("MET", 1),
        ("CEST", 2),
        ("MEST", 2),
        ("EET", 2),
        ("JST", 9),
    ];
    let hit = ZONES.iter().find(|(zone, _)| name.eq_ignore_ascii_case(zone.as_bytes()));
    hit.map_or(0, |(_, hours)| hours * 60)
}

#[cfg(test)]
mod tests {
    use super::{Date, parse_date};
    use crate::base::Timestamp;

    #[test]
    fn examples_of_rfc_5322() {
        for (value, seconds, zone, written) in [
            (
                "Fri, 21 Nov 1997 09:55:06 -0600",
                880_127_706,
                -360,
                "Fri, 21 Nov 1997 09:55:06 -0600",
            ),
            (
                "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
                -27_723_480,
                -210,
                "Thu, 13 Feb 1969 23:32:00 -0330",
            ),
            ("21 Nov 97 09:55:06 GMT", 880_106_106, 0, "Fri, 21 Nov 1997 09:55:06 +0000"),
            (
                "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                880_127_706,
                -360,
                "Fri, 21 Nov 1997 09:55:06 -0600",
            ),
            ("Tue Jul  1 10:52:37 2003", 1_057_056_757, 0, "Tue, 1 Jul 2003 10:52:37 +0000"),
            ("1 Jul 2003 10:52:37 CEST", 1_057_049_557, 120, "Tue, 1 Jul 2003 10:52:37 +0200"),
        ] {
            let date = parse_date(value.as_bytes()).unwrap_or_else(|| panic!("{value}"));
            assert_eq!((date.at.seconds(), date.zone_minutes), (seconds, zone), "{value}");
            assert_eq!(date.to_string(), written);
        }
    }

    #[test]
    fn no_date_is_made_up() {
        for value in [
            "",
            "x",
            "Tue",
            "Tue, 1 Jul 2003",
            "Tue, 1 Jul 2003 25:61:00",
            "30 Feb 2003 10:00",
            "1 Jul 99999999 1:1",
            "1 Jul 2003 1:",
            "1 Jul 2003 1:1 +2500",
        ] {
            assert_eq!(parse_date(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in (-60_000_000_000..200_000_000_000_i64).step_by(7_777_777_777) {
            for zone_minutes in [-1439, -210, 0, 60, 345, 1439] {
                let date = Date { at: Timestamp::from_seconds(seconds), zone_minutes };
                assert_eq!(parse_date(date.to_string().as_bytes()), Some(date));
            }
        }
    }
}
