//! A reply from a DNS server is read; what it says can be written as a zone and read again.

use pillarbox::dns::{Found, Kind, Name, Outcome, Question, Reply, Told, Zone, read_reply};

const KINDS: [&str; 10] = ["A", "AAAA", "MX", "TXT", "PTR", "TLSA", "SRV", "CAA", "NS", "SOA"];

pub fn dns_reply(data: &[u8]) {
    let id = data.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    for kind in KINDS {
        let kind = Kind::parse(kind).unwrap();
        let question = Question { name: Name::parse("a.example").unwrap(), kind };
        let Reply::Told(Told { outcome, .. }) = read_reply(data, id, &question) else { continue };
        let Outcome::Found(Found::Records(records, _)) = outcome else { continue };
        assert!(!records.is_empty());
        let lines: Vec<_> =
            records.iter().map(|record| format!("a.example {kind} {record}")).collect();
        let zone = Zone::parse(&lines.join("\n")).unwrap();
        let Found::Records(again, _) = zone.answer(&question).found else { panic!("{lines:?}") };
        assert_eq!(again, records);
    }
}
