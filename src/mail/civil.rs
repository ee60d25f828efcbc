//! Days of the Gregorian calendar as numbers and back. Arithmetic only.

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    /// 0 to 9999.
    year: u16,
    month: u8,
    day: u8,
}

/// As RFC 5322 §3.3 spells them.
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
pub(super) const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The number of a month from the first three letters of its name, in any case.
pub(super) fn month_number(word: &[u8]) -> Option<u8> {
    let head = word.get(..3)?;
    let at = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(head))?;
    u8::try_from(at + 1).ok()
}

impl CivilDate {
    /// A day that exists; `None` for one that does not, like 30 February.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap =
            (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        if year <= 9999 && day >= 1 && day <= days { Some(Self { year, month, day }) } else { None }
    }

    /// The day so many days after 1970-01-01, held within the years 0 to 9999.
    pub fn from_days(days: i64) -> Self {
        // Days since 0000-03-01; the year begins in March, so that the leap day is its last.
        let days = days.clamp(-719_528, 2_932_896) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(0),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// Days after 1970-01-01; negative before it.
    pub fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        era * 146_097 + of_era - 719_468
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// `Jan` to `Dec`.
    pub fn month_name(self) -> &'static str {
        MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or("Jan")
    }

    /// `Sun` to `Sat`.
    pub fn weekday_name(self) -> &'static str {
        // 1970-01-01 was a Thursday.
        let at = (self.days() + 4).rem_euclid(7);
        usize::try_from(at).ok().and_then(|at| WEEKDAYS.get(at)).copied().unwrap_or("Sun")
    }
}

#[cfg(test)]
mod tests {
    use super::CivilDate;

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(CivilDate::new(1970, 1, 1).unwrap().days(), 0);
        assert_eq!(CivilDate::new(2000, 2, 29).unwrap().days(), 11_016);
        assert_eq!(CivilDate::new(2001, 2, 29), None);
        assert_eq!(CivilDate::new(1900, 2, 29), None);
        let mut last = None;
        for days in -719_528..=2_932_896 {
            let date = CivilDate::from_days(days);
            assert_eq!(date.days(), days);
            assert!(Some(date) > last);
            last = Some(date);
        }
        assert_eq!(CivilDate::new(2024, 2, 29).unwrap().weekday_name(), "Thu");
    }
}
