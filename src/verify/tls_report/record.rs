//! Where a domain wants its reports (RFC 8460 §3): a rule over known answers. Whoever controls the zone wrote it.

use crate::dns::{Answers, Found, Kind, Name, Need, Record};
use crate::mail::Address;

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// By mail.
    Mail(Address),
    /// By POST to this URL, which begins with `https://`.
    Https(String),
}

const DESTINATIONS_MAX: usize = 4;
const URL_LEN_MAX: usize = 1000;

/// Where reports on a domain go; nowhere, if it does not ask for any or nobody knows.
pub fn destinations(domain: &Name, known: &Answers) -> Result<Vec<Destination>, Need> {
    let Some(name) = domain.under("_smtp._tls") else { return Ok(Vec::new()) };
    let records = match &known.get(&name, Kind::Txt)?.found {
        Found::Records(records, _) => records,
        Found::NoData | Found::NoName | Found::Failed(_) => return Ok(Vec::new()),
    };
    let text = |record: &Record| match record {
        Record::Txt(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    };
    let fields = records.iter().filter_map(text).filter_map(|text| {
        let rest = text.strip_prefix("v=TLSRPTv1")?.trim_start_matches([' ', '\t']);
        rest.strip_prefix(';').map(str::to_owned)
    });
    let texts: Vec<String> = fields.collect();
    // With two of them it is not said which one counts.
    let [only] = texts.as_slice() else { return Ok(Vec::new()) };
    let mut fields = only.split(';').map(|field| field.trim_matches([' ', '\t']));
    let rua = fields.find_map(|field| field.strip_prefix("rua=")).unwrap_or_default();
    Ok(rua.split(',').filter_map(|uri| destination(uri.trim())).take(DESTINATIONS_MAX).collect())
}

fn destination(uri: &str) -> Option<Destination> {
    let scheme = |name: &str| {
        let start = uri.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| uri.get(name.len()..)).flatten()
    };
    if let Some(rest) = scheme("mailto:") {
        let address = percent_decoded(rest.split('?').next().unwrap_or_default())?;
        return Address::parse(&address).ok().map(Destination::Mail);
    }
    let rest = scheme("https://")?;
    let valid = uri.len() <= URL_LEN_MAX && uri.bytes().all(|b| b.is_ascii_graphic());
    (valid && !rest.is_empty()).then(|| Destination::Https(format!("https://{rest}")))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        decoded.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        decoded.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::{Destination, destinations};
    use crate::dns::{Name, Zone};

    fn says(zone: &str) -> Vec<String> {
        let known = Zone::parse(zone).unwrap();
        let name = Name::parse("example.com").unwrap();
        let shown = |one: Destination| match one {
            Destination::Mail(address) => address.to_string(),
            Destination::Https(url) => url,
        };
        known.decide(|known| destinations(&name, known)).into_iter().map(shown).collect()
    }

    #[test]
    fn the_examples_and_what_does_not_count() {
        let txt = |text: &str| format!("_smtp._tls.example.com TXT \"{text}\"\n");
        // §3.1
        let mailto = txt("v=TLSRPTv1;rua=mailto:reports@example.com");
        assert_eq!(says(&mailto), ["reports@example.com"]);
        let https = "https://reporting.example.com/v1/tlsrpt";
        assert_eq!(says(&txt(&format!("v=TLSRPTv1; rua={https}"))), [https]);
        let several = "v=TLSRPTv1 ; x=1; rua=MAILTO:a%2bb@example.com?x=y , HTTPS://r.example/a";
        assert_eq!(says(&txt(several)), ["a+b@example.com", "https://r.example/a"]);
        for odd in [
            "v=TLSRPTv1",
            "v=TLSRPTv1; rua=http://r.example",
            "v=TLSRPTv1; rua=mailto:",
            "v=TLSRPTv1; rua=mailto:a%2@x",
            "v=TLSRPTv1; rua=https://",
            "v=TLSRPTv2; rua=mailto:a@example.com",
        ] {
            assert!(says(&txt(odd)).is_empty(), "{odd}");
        }
        assert!(says(&(mailto.clone() + &txt("v=TLSRPTv1; rua=mailto:b@example.com"))).is_empty());
        assert_eq!(says(&(mailto + &txt("v=spf1"))), ["reports@example.com"]);
        let many = ["mailto:a@example.com"; 9].join(",");
        assert_eq!(says(&txt(&format!("v=TLSRPTv1; rua={many}"))).len(), 4);
    }
}
