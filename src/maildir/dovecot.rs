//! The small text files that Dovecot keeps beside its messages in a Maildir: `dovecot-keywords`, `subscriptions` and
//! `dovecot-uidlist` (https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/). Another program wrote what is
//! read here, so a line that is not understood is passed over: what is lost is a keyword or a subscription, no message.

use super::ids::{Uid, UidValidity};
use super::utf7;
use std::collections::BTreeMap;

/// The names of a folder's keyword letters: `a` is number 0. Letters beyond `z` do not stand in file names.
pub fn parse_keywords(text: &str) -> BTreeMap<u8, String> {
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        let number = number.parse().ok().filter(|number| *number < 26)?;
        (!name.is_empty()).then(|| (number, name.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The text of `dovecot-keywords`.
pub fn keywords_text(keywords: &BTreeMap<u8, String>) -> String {
    keywords.iter().map(|(number, name)| format!("{number} {name}\n")).collect()
}

/// Subscribed names, levels parted by `/`. Version 2 parts levels by tabs, version 1 by the separator of its
/// layout: `.`, or `/` where there is one.
pub fn parse_subscriptions_of_others(text: &str) -> Vec<String> {
    let (separator, names) = match text.strip_prefix("V\t2\n") {
        Some(names) => ('\t', names),
        None => ('.', text),
    };
    let name = |line: &str| {
        let separator = if line.contains('/') { '/' } else { separator };
        line.split(separator).map(decode_level).collect::<Vec<_>>().join("/")
    };
    names.lines().filter(|line| !line.is_empty()).map(name).collect()
}

/// The text of `subscriptions` in version 2, for names with levels parted by `/`.
pub fn subscriptions_text_for_others<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let line = |name: &str| utf7::encode(name, |_| false).replace('/', "\t") + "\n";
    std::iter::once("V\t2\n\n".to_owned()).chain(names.map(line)).collect()
}

/// A level of a folder's name: modified UTF-7, or as it stands where it is not that (`UTF-8` in `mail_location`).
pub fn decode_level(level: &str) -> String {
    utf7::decode(level.as_bytes()).unwrap_or_else(|| level.to_owned())
}

/// The first line of `dovecot-uidlist`, version 3.
pub fn uidlist_head(validity: UidValidity, uidnext: Uid) -> String {
    format!("3 V{validity} N{uidnext}\n")
}

/// A message's line of it. `base` is the file's name before `:2,`.
pub fn uidlist_line(uid: Uid, base: &str) -> String {
    format!("{uid} :{base}\n")
}

#[cfg(test)]
mod tests {
    use super::{
        keywords_text, parse_keywords, parse_subscriptions_of_others, subscriptions_text_for_others,
    };

    #[test]
    fn keywords_are_read_as_dovecot_writes_them() {
        let keywords = parse_keywords("0 $Forwarded\n1 Blau\nx\n26 too far\n3 \n");
        assert_eq!(keywords[&1], "Blau");
        assert_eq!(keywords.len(), 2);
        assert_eq!(parse_keywords(&keywords_text(&keywords)), keywords);
    }

    #[test]
    fn subscriptions_of_both_versions_and_layouts() {
        let text = "V\t2\n\nEntw&APw-rfe\nWork\t2025\n";
        let names = parse_subscriptions_of_others(text);
        assert_eq!(names, ["Entwürfe", "Work/2025"]);
        assert_eq!(subscriptions_text_for_others(names.iter().map(String::as_str)), text);
        assert_eq!(parse_subscriptions_of_others("Entw&APw-rfe\nWork.2025\n"), names);
        assert_eq!(parse_subscriptions_of_others("Entwürfe\nWork/2025\n"), names);
    }
}
