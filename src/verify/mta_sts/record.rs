//! The record that says that a domain has a policy, and which (RFC 8461 §3.1): a rule over known answers. Whoever controls
//! the zone wrote it.

use crate::dns::{Answers, Found, Kind, Name, Need, Record};

/// What a domain says of its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// There is one; the id changes with it.
    Id(String),
    /// It has none, or says so in a way that does not count.
    Absent,
    /// Nobody knows now.
    Unknown,
}

const ID_LEN_MAX: usize = 32;

/// Has the domain a policy? What was fetched before still holds for its time if not (§3.3).
pub fn announced(domain: &Name, known: &Answers) -> Result<Announced, Need> {
    let Some(name) = domain.under("_mta-sts") else { return Ok(Announced::Absent) };
    let records = match &known.get(&name, Kind::Txt)?.found {
        Found::Records(records, _) => records,
        Found::NoData | Found::NoName => return Ok(Announced::Absent),
        Found::Failed(_) => return Ok(Announced::Unknown),
    };
    let text = |record: &Record| match record {
        Record::Txt(text) => String::from_utf8(text.clone()).ok().filter(|text| is_sts(text)),
        _ => None,
    };
    let texts: Vec<String> = records.iter().filter_map(text).collect();
    // With two of them it is not said which one counts.
    let [only] = texts.as_slice() else { return Ok(Announced::Absent) };
    Ok(id(only).map_or(Announced::Absent, Announced::Id))
}

fn is_sts(text: &str) -> bool {
    let rest = text.strip_prefix("v=STSv1");
    rest.is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(';'))
}

/// `v=STSv1; id=20160831085700Z;`. The first `id` counts (§3.2 says so of the policy, and of the record with it).
fn id(text: &str) -> Option<String> {
    let mut fields = text.split(';').map(|field| field.trim_matches([' ', '\t']));
    let id = fields.find_map(|field| field.strip_prefix("id="))?;
    let valid =
        (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Announced, announced};
    use crate::dns::{Name, Zone};

    fn says(zone: &str) -> Announced {
        let known = Zone::parse(zone).unwrap();
        known.decide(|known| announced(&Name::parse("example.com").unwrap(), known))
    }

    #[test]
    fn one_record_with_an_id_counts() {
        let txt = |text: &str| format!("_mta-sts.example.com TXT \"{text}\"\n");
        let id = |text: &str| Announced::Id(text.to_owned());
        // §3.1
        assert_eq!(says(&txt("v=STSv1; id=20160831085700Z;")), id("20160831085700Z"));
        assert_eq!(says(&txt("v=STSv1;id=1")), id("1"));
        assert_eq!(says(&txt("v=STSv1 ;\tx-y.z=a,b; id=A1 ; id=B2")), id("A1"));
        assert_eq!(says(&(txt("v=STSv1; id=1") + &txt("v=spf1 -all"))), id("1"));
        assert_eq!(
            says("_mta-sts.example.com CNAME a.example\na.example TXT \"v=STSv1\" \"; id=7\"\n"),
            id("7")
        );
        for odd in [
            "v=STSv1",
            "v=STSv1;",
            "v=STSv1; id=",
            "v=STSv1; id=a-b",
            "v=stsv1; id=1",
            "v=STSv12; id=1",
            "id=1; v=STSv1",
        ] {
            assert_eq!(says(&txt(odd)), Announced::Absent, "{odd}");
        }
        assert_eq!(says(&txt(&format!("v=STSv1; id={}", "a".repeat(33)))), Announced::Absent);
        assert_eq!(says(&(txt("v=STSv1; id=1") + &txt("v=STSv1; id=2"))), Announced::Absent);
        assert_eq!(says(""), Announced::Absent);
    }
}
