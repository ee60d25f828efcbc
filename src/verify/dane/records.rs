//! Which TLSA records hold for a mail server (RFC 7672 §2.2.3, §3.1): a rule over known answers. Whoever controls the
//! zone wrote them.

use crate::dns::{Answers, Failure, Found, Kind, Name, Need, Record, Tlsa};

/// What DNS says of TLS to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dane {
    /// Nothing that counts.
    Absent,
    /// There must be TLS, and nothing that we could check proves the server.
    Unproven,
    /// There must be TLS, and one of these must fit. The name is the one they stand at: to be asked for (SNI) and checked.
    Pinned(Name, Vec<Tlsa>),
    /// It cannot be known now: the server is not to be used.
    Unknown(Failure),
}

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const FULL: u8 = 0;
const SHA2_256: u8 = 1;
const SHA2_512: u8 = 2;
/// More are not compared.
const RECORDS_MAX: usize = 32;

/// The records of a server's port 25. `canonical` is its name after aliases (CNAME), mostly the same. Only to be asked where
/// the way to the server's addresses is signed (§2.2.2): others' name servers may choke on the question.
pub fn dane(host: &Name, canonical: &Name, known: &Answers) -> Result<Dane, Need> {
    let names = [canonical, host];
    let names = names.iter().take(if host == canonical { 1 } else { 2 });
    for name in names {
        let Some(place) = name.under("_25._tcp") else { continue };
        let answer = known.get(&place, Kind::Tlsa)?;
        match &answer.found {
            Found::Records(records, _) if answer.authentic => {
                let mut usable = usable(records);
                usable.truncate(RECORDS_MAX);
                return Ok(if usable.is_empty() {
                    Dane::Unproven
                } else {
                    Dane::Pinned((*name).clone(), usable)
                });
            }
            Found::Records(..) | Found::NoData | Found::NoName => {}
            Found::Failed(failure) => return Ok(Dane::Unknown(*failure)),
        }
    }
    Ok(Dane::Absent)
}

/// Those that we can check. PKIX-TA and PKIX-EE count for nothing in mail (§3.1.3). Of several digests of the same kind the
/// strongest counts (RFC 7671 §9).
fn usable(records: &[Record]) -> Vec<Tlsa> {
    let tlsa = |record: &Record| match record {
        Record::Tlsa(tlsa) if is_known(tlsa) => Some(tlsa.clone()),
        _ => None,
    };
    let all: Vec<Tlsa> = records.iter().filter_map(tlsa).collect();
    let is_weaker = |one: &Tlsa| {
        let alike = |other: &&Tlsa| (other.usage, other.selector) == (one.usage, one.selector);
        one.matching == SHA2_256 && all.iter().filter(alike).any(|other| other.matching == SHA2_512)
    };
    all.iter().filter(|one| !is_weaker(one)).cloned().collect()
}

fn is_known(tlsa: &Tlsa) -> bool {
    let len = tlsa.data.len();
    let fits = match tlsa.matching {
        FULL => len > 0,
        SHA2_256 => len == 32,
        SHA2_512 => len == 64,
        _ => false,
    };
    fits && matches!(tlsa.usage, DANE_TA | DANE_EE) && matches!(tlsa.selector, 0 | 1)
}

#[cfg(test)]
mod tests {
    use super::{Dane, dane};
    use crate::dns::{Answer, Answers, Failure, Found, Kind, Name, Question, Record, Tlsa};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn tlsa(usage: u8, selector: u8, matching: u8, len: usize) -> Record {
        Record::Tlsa(Tlsa { usage, selector, matching, data: vec![7; len] })
    }

    fn known(entries: &[(&str, bool, Found)]) -> Answers {
        let mut answers = Answers::default();
        for (at, authentic, found) in entries {
            let question = Question { name: name(at), kind: Kind::Tlsa };
            answers.insert(question, Answer { found: found.clone(), authentic: *authentic });
        }
        answers
    }

    fn records(all: &[Record]) -> Found {
        Found::Records(all.to_vec(), name("x"))
    }

    #[test]
    fn only_signed_records_that_can_be_checked_pin() {
        let mx = name("mx.example");
        let at = "_25._tcp.mx.example";
        let says = |authentic, found| dane(&mx, &mx, &known(&[(at, authentic, found)])).unwrap();
        let pinned = |records: &[Record]| match says(true, self::records(records)) {
            Dane::Pinned(_, all) => all.iter().map(|one| (one.usage, one.matching)).collect(),
            other => vec![(0, u8::from(other == Dane::Unproven))],
        };
        assert_eq!(pinned(&[tlsa(3, 1, 1, 32), tlsa(2, 0, 0, 9)]), [(3, 1), (2, 0)]);
        assert_eq!(pinned(&[tlsa(3, 1, 1, 32), tlsa(3, 1, 2, 64)]), [(3, 2)], "the strongest");
        assert_eq!(pinned(&[tlsa(3, 0, 1, 32), tlsa(3, 1, 2, 64)]), [(3, 1), (3, 2)]);
        for odd in [(0, 0, 1, 32), (1, 1, 1, 32), (4, 1, 1, 32), (3, 2, 1, 32), (3, 1, 3, 32)] {
            assert_eq!(pinned(&[tlsa(odd.0, odd.1, odd.2, odd.3)]), [(0, 1)], "{odd:?}");
        }
        assert_eq!(pinned(&[tlsa(3, 1, 1, 31)]), [(0, 1)], "too short");
        assert_eq!(says(false, records(&[tlsa(3, 1, 1, 32)])), Dane::Absent);
        assert_eq!(says(true, Found::NoName), Dane::Absent);
        let failure = Failure::Servfail;
        assert_eq!(says(true, Found::Failed(failure)), Dane::Unknown(failure));
    }

    #[test]
    fn behind_an_alias_its_end_counts_before_its_beginning() {
        let (host, end) = (name("mx.example"), name("real.example"));
        let (first, second) = ("_25._tcp.real.example", "_25._tcp.mx.example");
        let pin = || records(&[tlsa(3, 1, 1, 32)]);
        let base =
            |entries: &[(&str, bool, Found)]| match dane(&host, &end, &known(entries)).unwrap() {
                Dane::Pinned(base, _) => base.to_string(),
                other => format!("{other:?}"),
            };
        assert_eq!(base(&[(first, true, pin())]), "real.example");
        assert_eq!(base(&[(first, true, Found::NoData), (second, true, pin())]), "mx.example");
        let failed = Found::Failed(Failure::Timeout);
        assert_eq!(base(&[(first, true, failed)]), "Unknown(Timeout)");
        let need = dane(&host, &end, &Answers::default()).unwrap_err();
        assert_eq!(need.questions().next().unwrap().name, name(first));
    }
}
