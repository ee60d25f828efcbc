//! Any bytes where a domain says how mail is to come to it, or whence it came.
#![allow(dead_code, reason = "a fuzz target uses one body, a test another")]

use pillarbox::dns::{Answer, Answers, Found, Kind, Name, Question, Record};
use pillarbox::mail::{FutureRelease, srs};
use pillarbox::verify::mta_sts::{Announced, MAX_AGE_MAX, Policy, announced};
use pillarbox::verify::tls_report::destinations;

pub fn tls_policy(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(policy) = Policy::parse(text) {
            assert!(policy.max_age <= MAX_AGE_MAX && policy.hosts().count() <= 100);
            // Who is named without a wildcard is allowed.
            for host in policy.hosts().filter(|host| !host.starts_with('*')) {
                assert!(policy.allows(&Name::parse(&host).unwrap()));
            }
        }
        if let Ok(first) = srs::back(&[7; 32], text, 20_000) {
            panic!("{text} was made without the secret: {first}");
        }
        if let Some(release) = FutureRelease::parse(text) {
            assert_eq!(FutureRelease::parse(&release.text()), Some(release));
        }
    }
    let domain = Name::parse("else.example").unwrap();
    let mut known = Answers::default();
    for labels in ["_mta-sts", "_smtp._tls"] {
        let name = domain.under(labels).unwrap();
        let found = Found::Records(vec![Record::Txt(data.to_vec())], name.clone());
        let question = Question { name, kind: Kind::Txt };
        known.insert(question, Answer { found, authentic: false });
    }
    if let Announced::Id(id) = announced(&domain, &known).unwrap() {
        assert!(!id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
    assert!(destinations(&domain, &known).unwrap().len() <= 4);
}
