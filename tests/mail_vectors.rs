//! Header fields and messages of other projects against `mail`. Skipped where the vectors are not there.
// A test may fail loudly, in its helpers too; each list of exceptions stands beside its use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::items_after_statements)]

use pillarbox::mail::{
    Card, Entry, Limits, Part, PartKind, Scanner, decode_text, message_ids, parse_address_list,
    parse_date,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn vectors() -> Option<PathBuf> {
    let root = std::env::var_os("PILLARBOX_VECTORS")
        .map_or_else(|| PathBuf::from("../shared/vectors"), PathBuf::from);
    if !root.is_dir() {
        println!("skipped: no test vectors at {}", root.display());
        return None;
    }
    Some(root)
}

/// The cases of one file of `headers`: the value of a field and the expected parse.
fn cases(file: &str) -> Vec<(String, Value)> {
    let Some(root) = vectors() else { return Vec::new() };
    let text = fs::read_to_string(root.join("headers").join(file)).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    cases
        .into_iter()
        .map(|case| (case["header"].as_str().unwrap().to_owned(), case["expected"].clone()))
        .collect()
}

/// Compares all cases and names those that differ, but for `ours`: fields that we read otherwise, with a reason.
fn compare(
    file: &str,
    ours: &[(&str, &str)],
    parse: impl Fn(&str) -> Value,
    expected: impl Fn(&Value) -> Value,
) {
    let mut wrong = Vec::new();
    for (header, theirs) in cases(file) {
        let (found, wanted) = (parse(&header), expected(&theirs));
        if found != wanted && !ours.iter().any(|(field, _)| header.trim().starts_with(field)) {
            wrong.push(format!("{header:?}\n   found {found}\n  wanted {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{file}: {} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn dates() {
    let parse = |header: &str| {
        parse_date(header.as_bytes()).map_or(Value::Null, |date| Value::String(date.to_string()))
    };
    let expected = |value: &Value| {
        if value.is_null() {
            return Value::Null;
        }
        let number = |name: &str| value[name].as_i64().unwrap();
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let sign = if value["tz_before_gmt"].as_bool().unwrap() { '-' } else { '+' };
        let text = format!(
            "{} {} {:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            number("day"),
            MONTHS[usize::try_from(number("month") - 1).unwrap()],
            number("year"),
            number("hour"),
            number("minute"),
            number("second"),
            number("tz_hour"),
            number("tz_minute"),
        );
        parse(&text)
    };
    const OURS: [(&str, &str); 4] = [
        ("20 11 (some", "a month has a name"),
        ("4 8 15 16", "a month has a name"),
        ("Tue, 1 Jul 2003 ((invalid)", "a comment may hold a fold"),
        ("by 2002:aa7", "the value of a Received field, not a date"),
    ];
    compare("date.json", &OURS, parse, expected);
}

#[test]
fn addresses() {
    let parse = |header: &str| {
        let entries = parse_address_list(header.as_bytes()).into_iter().map(|entry| match entry {
            Entry::Mailbox { name, mailbox, host, .. } => {
                let name = name.map_or_else(String::new, |name| decode_text(&name));
                format!("{name}|{}@{}", decode_text(&mailbox), decode_text(&host)).into()
            }
            Entry::GroupStart(name) => format!("{}:", decode_text(&name)).into(),
            Entry::GroupEnd => Value::String(";".into()),
        });
        entries.collect()
    };
    let expected = |value: &Value| {
        let mailbox = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            Value::String(format!("{}|{}", text("name"), text("address")))
        };
        let mut entries = Vec::new();
        for entry in value["List"].as_array().into_iter().flatten() {
            entries.push(mailbox(entry));
        }
        for group in value["Group"].as_array().into_iter().flatten() {
            let name = group["name"].as_str();
            entries.extend(name.map(|name| Value::String(format!("{name}:"))));
            entries.extend(group["addresses"].as_array().into_iter().flatten().map(mailbox));
            entries.extend(name.map(|_| Value::String(";".into())));
        }
        Value::Array(entries)
    };
    const OURS: [(&str, &str); 12] = [
        ("Pete(A nice", "a comment beside a name is dropped, as Dovecot does"),
        ("A Group(Some", "a comment beside a name is dropped"),
        ("(Empty list)", "a comment is no address"),
        ("Mary Smith <@node.test", "a route is not part of the address"),
        ("John Doe <jdoe@machine(", "a comment beside a name is dropped"),
        ("Nathaniel Borenstein <nsb", "a comment beside a name is dropped"),
        ("\"=?ISO-8859-1?Q =?", "the broken word is read otherwise"),
        ("\"  James", "blanks around a name are dropped"),
        ("<a@b.com> =?utf-8", "what follows an address is dropped"),
        ("Name (comment)", "a comment beside a name is dropped"),
        ("NO (posting", "a list of mailboxes, not of commands"),
        ("(Use this", "a URL is no address"),
    ];
    const URLS: [&str; 3] = ["<http:", "<mailto:", "<ftp:"];
    let ours: Vec<(&str, &str)> =
        OURS.into_iter().chain(URLS.map(|url| (url, "a URL is no address"))).collect();
    compare("address.json", &ours, parse, expected);
}

#[test]
fn ids() {
    let parse = |header: &str| {
        let ids: Vec<Value> =
            message_ids(header.as_bytes()).map(|id| decode_text(&id).into()).collect();
        if ids.is_empty() { Value::Null } else { ids.into() }
    };
    const OURS: [(&str, &str); 3] = [
        ("<1234@local.machine.example>\n\n", "what a field is was decided before"),
        ("<1234   @", "blanks in an id are folds"),
        ("m", "a word without @ is no id"),
    ];
    compare("id.json", &OURS, parse, Value::clone);
}

#[test]
fn unstructured() {
    const OURS: [(&str, &str); 2] = [
        ("FWD: \n Saying Hello \nX-Mailer", "what a field is was decided before"),
        (
            "=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=\nFrom",
            "what a field is was decided before",
        ),
    ];
    compare(
        "unstructured.json",
        &OURS,
        |header| decode_text(header.as_bytes()).into(),
        Value::clone,
    );
}

#[test]
fn content_types() {
    let parse = |header: &str| {
        let message = format!("Content-Type: {}\n\n", header.trim());
        let part = Scanner::scan(message.as_bytes()).structure;
        Value::String(
            format!("{}/{}", decode_text(&part.media_type), decode_text(&part.subtype))
                .to_lowercase(),
        )
    };
    let expected = |value: &Value| {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_lowercase();
        if text("c_type").is_empty() || text("c_subtype").is_empty() {
            // RFC 2045 §5.2: what cannot be read is plain text.
            return "text/plain".into();
        }
        format!("{}/{}", text("c_type"), text("c_subtype")).into()
    };
    const OURS: [(&str, &str); 1] = [("text/plain/format", "a subtype has no slash")];
    compare("content_type.json", &OURS, parse, expected);
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn check(part: &Part, within: std::ops::Range<u64>) {
    assert!(
        within.start <= part.header.start
            && part.header.end == part.body.start
            && part.body.end <= within.end
    );
    let mut start = part.body.start;
    match &part.kind {
        PartKind::Leaf => assert!(!part.media_type.is("multipart")),
        PartKind::Multipart(children) => {
            for child in children {
                check(child, start..part.body.end);
                start = child.body.end;
            }
        }
        PartKind::Message(_, child) => check(child, start..part.body.end),
    }
}

#[test]
fn every_message_has_one_card() {
    let Some(root) = vectors() else { return };
    let mut paths = Vec::new();
    files(&root.join("mime-corpus"), &mut paths);
    files(&root.join("bounces"), &mut paths);
    assert!(paths.len() > 400, "{}", paths.len());
    for path in paths {
        let message = fs::read(&path).unwrap();
        let card = Scanner::scan(&message);
        assert_eq!(card.size, u64::try_from(message.len()).unwrap());
        check(&card.structure, 0..card.size);
        for step in [1, 2, 3, 7, 61, 1000] {
            let mut scanner = Scanner::new(Limits::default());
            message.chunks(step).for_each(|piece| scanner.push(piece));
            assert_eq!(scanner.finish(), card, "{} in pieces of {step}", path.display());
        }
        // Reading a card back refuses all that is not 7-bit.
        assert_eq!(Card::decode(&card.encode()), Some(card), "{}", path.display());
    }
}
