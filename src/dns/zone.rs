//! A zone in text: the whole of DNS for a rule's test. Each line is `name KIND data` as zone files have it:
//!
//! ```text
//! example.org              MX    10 mail.example.org
//! mail.example.org         A     192.0.2.1          ; authentic
//! mail.example.org         AAAA  SERVFAIL
//! www.example.org          CNAME mail.example.org
//! gone.example.org         NXDOMAIN
//! ```
//!
//! In the place of data, or of kind and data, may stand what comes instead: `NXDOMAIN`, `NODATA`, `SERVFAIL`, `TIMEOUT`,
//! `REFUSED`, `MALFORMED`. What is not named is not there: other kinds of a name are NODATA, other names NXDOMAIN. The
//! comment `authentic` says that these records were checked; on a line of its own, that everything was, but for lines with
//! the comment `insecure`. A number and `IN` after the name are passed over.

use super::answers::{ALIASES_MAX, Answer, Answers, Failure, Found, Need, Question};
use super::name::Name;
use super::record::{Kind, Record};
use super::text::{Word, words};
use std::collections::BTreeMap;
use std::fmt;

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    answers: BTreeMap<Question, Answer>,
    /// Names where every kind has the same answer.
    wholes: BTreeMap<Name, Answer>,
    /// Names that are others' aliases, and whether that was checked.
    aliases: BTreeMap<Name, (Name, bool)>,
    /// Is what is not named here surely not there?
    authentic: bool,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneError {
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is no record", self.line)
    }
}

impl std::error::Error for ZoneError {}

impl Zone {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let mut zone = Self::default();
        let lines = || text.lines().map(words).zip(1..);
        zone.authentic = lines().any(|(read, _)| read == Some((Vec::new(), Some("authentic"))));
        for (read, line) in lines() {
            read.and_then(|(words, comment)| zone.read(&words, comment))
                .ok_or(ZoneError { line })?;
        }
        Ok(zone)
    }

    fn read(&mut self, words: &[Word], comment: Option<&str>) -> Option<()> {
        let Some((name, rest)) = words.split_first() else { return Some(()) };
        let name = Name::parse(name.plain()?)?;
        let authentic = match comment {
            Some("authentic") => true,
            Some("insecure") => false,
            Some(_) | None => self.authentic,
        };
        let is_aside = |word: &Word| {
            word.plain().is_some_and(|text| text == "IN" || text.parse::<u32>().is_ok())
        };
        let from = rest.iter().position(|word| !is_aside(word))?;
        match rest.get(from..)? {
            [whole] => {
                self.wholes.insert(name, answer(instead(whole)?, authentic));
            }
            [kind, target] if kind.plain() == Some("CNAME") => {
                self.aliases.insert(name, (Name::parse(target.plain()?)?, authentic));
            }
            [kind, data @ ..] => {
                let kind = Kind::parse(kind.plain()?)?;
                let question = Question { name: name.clone(), kind };
                match (data, data.first().and_then(instead)) {
                    ([_], Some(found)) => {
                        self.answers.insert(question, answer(found, authentic));
                    }
                    _ => self.add(question, Record::parse(kind, data)?, authentic),
                }
            }
            [] => return None,
        }
        Some(())
    }

    fn add(&mut self, question: Question, record: Record, authentic: bool) {
        let name = question.name.clone();
        let none = answer(Found::Records(Vec::new(), name), authentic);
        let answer = self.answers.entry(question).or_insert(none);
        answer.authentic |= authentic;
        if let Found::Records(records, _) = &mut answer.found {
            records.push(record);
        }
    }

    /// What a resolver would answer.
    pub fn answer(&self, question: &Question) -> Answer {
        let (mut at, mut authentic) = (question.clone(), true);
        for _ in 0..=ALIASES_MAX {
            if let Some(told) = self.answers.get(&at).or_else(|| self.wholes.get(&at.name)) {
                return Answer { authentic: authentic && told.authentic, ..told.clone() };
            }
            let Some((target, checked)) = self.aliases.get(&at.name) else {
                let no = if self.is_there(&at.name) { Found::NoData } else { Found::NoName };
                return answer(no, authentic && self.authentic);
            };
            authentic &= checked;
            at.name.clone_from(target);
        }
        answer(Found::Failed(Failure::Malformed), false)
    }

    /// A name is there too if one below it is (RFC 8020 §2).
    fn is_there(&self, name: &Name) -> bool {
        let questions = self.answers.keys().map(|question| &question.name);
        let below = |other: &Name| {
            let labels = other.as_str().strip_suffix(name.as_str());
            name.is_root()
                || labels.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
        };
        questions.chain(self.aliases.keys()).any(below)
    }

    /// Runs a rule until it can tell.
    pub fn decide<V>(&self, rule: impl Fn(&Answers) -> Result<V, Need>) -> V {
        let mut known = Answers::default();
        loop {
            match rule(&known) {
                Ok(verdict) => return verdict,
                Err(need) => {
                    for question in need.questions() {
                        known.insert(question.clone(), self.answer(question));
                    }
                }
            }
        }
    }
}

fn answer(found: Found, authentic: bool) -> Answer {
    let authentic = authentic && !matches!(found, Found::Failed(_));
    Answer { found, authentic }
}

fn instead(word: &Word) -> Option<Found> {
    Some(match word.plain()? {
        "NXDOMAIN" => Found::NoName,
        "NODATA" => Found::NoData,
        "SERVFAIL" => Found::Failed(Failure::Servfail),
        "TIMEOUT" => Found::Failed(Failure::Timeout),
        "REFUSED" => Found::Failed(Failure::Refused),
        "MALFORMED" => Found::Failed(Failure::Malformed),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Zone, ZoneError};
    use crate::dns::{Answer, Answers, Failure, Found, Kind, Name, Need, Question};

    const ZONE: &str = r#"
        ; A household.
        example.org             300 IN MX 10 mail.example.org
        example.org             MX 20 b.example.org.
        example.org             TXT "v=spf1" " -all"     ; authentic
        mail.example.org        A 192.0.2.1              ; authentic
        mail.example.org        AAAA SERVFAIL            ; authentic
        _25._tcp.mail.example.org TLSA 3 1 1 00ff
        www.example.org         CNAME mail.example.org   ; authentic
        blog.example.org        CNAME www.example.org
        round.example.org       CNAME round.example.org
        slow.example.org        TIMEOUT
        gone.example.org        NXDOMAIN                 ; authentic
        odd.example.org         TXT "SERVFAIL"
    "#;

    fn ask(zone: &Zone, name: &str, kind: Kind) -> (String, bool) {
        let question = Question { name: Name::parse(name).unwrap(), kind };
        let Answer { found, authentic } = zone.answer(&question);
        let text = match found {
            Found::Records(records, end) => {
                let records: Vec<_> = records.iter().map(ToString::to_string).collect();
                format!("{end}: {}", records.join(", "))
            }
            Found::NoData => "no data".into(),
            Found::NoName => "no name".into(),
            Found::Failed(failure) => format!("{failure:?}"),
        };
        (text, authentic)
    }

    #[test]
    fn a_zone_in_text() {
        let zone = Zone::parse(ZONE).unwrap();
        for (name, kind, found, authentic) in [
            (
                "example.org",
                Kind::Mx,
                "example.org: 10 mail.example.org., 20 b.example.org.",
                false,
            ),
            ("example.org", Kind::Txt, "example.org: \"v=spf1 -all\"", true),
            ("example.org", Kind::A, "no data", false),
            ("mail.example.org", Kind::A, "mail.example.org: 192.0.2.1", true),
            ("mail.example.org", Kind::Aaaa, "Servfail", false),
            ("_tcp.mail.example.org", Kind::Tlsa, "no data", false),
            ("tp.mail.example.org", Kind::Tlsa, "no name", false),
            ("www.example.org", Kind::A, "mail.example.org: 192.0.2.1", true),
            ("blog.example.org", Kind::A, "mail.example.org: 192.0.2.1", false),
            ("www.example.org", Kind::Mx, "no data", false),
            ("round.example.org", Kind::A, "Malformed", false),
            ("slow.example.org", Kind::A, "Timeout", false),
            ("gone.example.org", Kind::A, "no name", true),
            ("never.example.org", Kind::A, "no name", false),
            ("odd.example.org", Kind::Txt, "odd.example.org: \"SERVFAIL\"", false),
        ] {
            assert_eq!(ask(&zone, name, kind), (found.to_owned(), authentic), "{name} {kind}");
        }
    }

    #[test]
    fn a_signed_zone() {
        let zone =
            Zone::parse("; authentic\na.example A 192.0.2.1\nb.example A 192.0.2.2 ; insecure");
        let zone = zone.unwrap();
        assert!(ask(&zone, "a.example", Kind::A).1 && ask(&zone, "a.example", Kind::Mx).1);
        assert!(ask(&zone, "c.example", Kind::A).1 && !ask(&zone, "b.example", Kind::A).1);
    }

    #[test]
    fn what_is_no_record_is_told_by_its_line() {
        for (text, line) in [
            ("a", 1),
            ("a A", 1),
            ("\na A 1.2.3", 2),
            ("a B 1", 1),
            ("a TXT \"x", 1),
            ("ü A 1.1.1.1", 1),
        ] {
            assert_eq!(Zone::parse(text), Err(ZoneError { line }), "{text}");
        }
    }

    #[test]
    fn a_rule_runs_until_it_can_tell() {
        let zone = Zone::parse(ZONE).unwrap();
        let host = |known: &Answers| -> Result<bool, Need> {
            let Found::Records(records, _) =
                &known.get(&Name::parse("example.org").unwrap(), Kind::Mx)?.found
            else {
                return Ok(false);
            };
            let mail = Name::parse("mail.example.org").unwrap();
            let (a, aaaa) = (known.get(&mail, Kind::A), known.get(&mail, Kind::Aaaa));
            match (a, aaaa) {
                (Ok(a), Ok(aaaa)) => {
                    let down = aaaa.found == Found::Failed(Failure::Servfail);
                    Ok(records.len() == 2 && a.authentic && down)
                }
                (Err(a), Err(b)) => Err(a.and(b)),
                (Err(need), Ok(_)) | (Ok(_), Err(need)) => Err(need),
            }
        };
        assert!(zone.decide(host));
    }
}
