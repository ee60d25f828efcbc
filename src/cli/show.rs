//! What a person or a program reads: data on stdout, talk on stderr, and how times, sizes and lists look.

use super::command::Stop;
use serde::Serialize;
use std::io::Write;
use time::OffsetDateTime;

/// Data goes to stdout. Whoever closed the pipe does not want to know.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
}

/// Talk goes to stderr.
pub fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One line of JSON.
pub fn json(value: &impl Serialize) -> Result<(), Stop> {
    data(&serde_json::to_string(value)?);
    Ok(())
}

/// Columns under their names, wide enough for what stands in them. Names come from people: control characters are not
/// shown.
pub fn table(names: &[&str], rows: &[Vec<String>]) -> String {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&names).chain(rows).collect();
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (column, cell) in line.iter().enumerate() {
            let cell: String = cell.chars().filter(|c| !c.is_control()).collect();
            shown.push_str(&format!("{cell:<width$}  ", width = width(column)));
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

/// `2026-03-01 17:05 UTC`.
pub fn moment(seconds: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(t) => {
            let (month, day, hour, minute) = (u8::from(t.month()), t.day(), t.hour(), t.minute());
            format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC", t.year())
        }
        Err(_) => seconds.to_string(),
    }
}

/// `3.2 GiB`.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10 / 1024;
    for (place, unit) in units.iter().enumerate() {
        if tenths < 10240 || place + 1 == units.len() {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1024;
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::{moment, size, table};

    #[test]
    fn times_sizes_and_lists() {
        assert_eq!(moment(1_700_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(moment(i64::MAX), i64::MAX.to_string());
        assert_eq!(size(0), "0.0 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(size(1_500_000), "1.4 MiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB".replace("16777216.0", "16777215.9"));
        let rows = [
            vec!["1".to_owned(), "ann's \x1b[1mphone".to_owned()],
            vec!["10".to_owned(), String::new()],
        ];
        assert_eq!(table(&["id", "name"], &rows), "id  name\n1   ann's [1mphone\n10\n");
    }
}
