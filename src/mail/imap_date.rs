//! Dates as IMAP writes them (RFC 3501 §9: `date-time` and `date`). The client controls the input.

use super::civil::{CivilDate, month_number};
use super::date::Date;
use crate::base::Cursor;

impl Date {
    /// `17-Jul-1996 02:44:25 -0700`, the day padded with a space to two places; without quotes.
    pub fn imap_date_time(self) -> String {
        let day = self.day();
        let (hour, minute, second) = self.time_of_day();
        let (sign, zone_hours, zone_minutes) = self.zone();
        format!(
            "{:2}-{}-{:04} {hour:02}:{minute:02}:{second:02} {sign}{zone_hours:02}{zone_minutes:02}",
            day.day(),
            day.month_name(),
            day.year()
        )
    }

    /// Reads `date-time` without its quotes. `None` if it is not one or names no real time.
    pub fn parse_imap_date_time(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let day = dashed_day(&mut cursor)?;
        let hour = after(&mut cursor, b' ')?;
        let minute = after(&mut cursor, b':')?;
        let second = after(&mut cursor, b':')?;
        if !cursor.eat(b' ') {
            return None;
        }
        let negative = match cursor.bump()? {
            b'+' => false,
            b'-' => true,
            _ => return None,
        };
        if cursor.rest().len() != 4 {
            return None;
        }
        let zone = i16::try_from(cursor.number()?).ok()?;
        if !cursor.is_empty() || zone % 100 > 59 {
            return None;
        }
        let minutes = zone / 100 * 60 + zone % 100;
        Self::from_wall(day, hour, minute, second, if negative { -minutes } else { minutes })
    }
}

impl CivilDate {
    /// Reads IMAP's `date`, `1-Feb-1994`, without its quotes.
    pub fn parse_imap(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let day = dashed_day(&mut cursor)?;
        cursor.is_empty().then_some(day)
    }
}

fn dashed_day(cursor: &mut Cursor) -> Option<CivilDate> {
    cursor.eat(b' ');
    let day = u8::try_from(cursor.number()?).ok()?;
    let month = cursor.eat(b'-').then(|| cursor.take(3))?.and_then(month_number)?;
    let year = cursor
        .eat(b'-')
        .then(|| cursor.take(4))?
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    CivilDate::new(u16::try_from(Cursor::new(year).number()?).ok()?, month, day)
}

fn after(cursor: &mut Cursor, separator: u8) -> Option<u8> {
    if !cursor.eat(separator) {
        return None;
    }
    u8::try_from(cursor.number()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{CivilDate, Date};

    #[test]
    fn examples_of_rfc_3501() {
        for text in [
            "17-Jul-1996 02:44:25 -0700",
            " 7-Feb-1994 21:52:25 -0800",
            "29-Feb-2000 00:00:00 +0530",
        ] {
            assert_eq!(Date::parse_imap_date_time(text.as_bytes()).unwrap().imap_date_time(), text);
        }
        assert_eq!(CivilDate::parse_imap(b"1-Feb-1994"), CivilDate::new(1994, 2, 1));
        for text in [
            "",
            "1-Feb-94",
            "31-Feb-1994",
            "1-Feb-1994 ",
            "1-Foo-1994",
            "+1-Feb-1994",
            "1-Feb-+994",
            "1-Feb-19a4",
        ] {
            assert_eq!(CivilDate::parse_imap(text.as_bytes()), None, "{text}");
        }
        for text in [
            "17-Jul-1996 02:44:25",
            "17-Jul-1996 24:44:25 -0700",
            "17-Jul-1996 02:44:25 -07000",
            "17-Jul-1996 02:44:25 -7",
        ] {
            assert_eq!(Date::parse_imap_date_time(text.as_bytes()), None, "{text}");
        }
    }
}
