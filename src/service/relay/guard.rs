//! What a server must prove before it gets mail of a domain: by the domain's signed zone (DANE, RFC 7672), else by its
//! policy (MTA-STS, RFC 8461), and by what the message itself demands (RFC 8689). Rules without clock or network.

use super::fate::Finding;
use super::sts::Sts;
use super::way::{Proof, Reported, Way};
use crate::dns::{Name, Tlsa};
use crate::mail::TlsDemand;
use crate::smtp::client::TlsUse;
use crate::smtp::{Enhanced, Host, Signed};
use crate::verify::dane::Dane;
use crate::verify::mta_sts::Mode;
use crate::verify::tls_report::{Applied, Happened, PolicyKind, TlsFailure};
use data_encoding::HEXUPPER;
use std::net::IpAddr;

/// All that is known.
#[derive(Debug)]
pub struct Known<'a> {
    /// The domain of the recipients.
    pub domain: &'a Name,
    /// One of its servers.
    pub host: &'a Host,
    /// What DNS says of that.
    pub dane: Dane,
    /// The domain's policy.
    pub sts: Option<&'a Sts>,
    /// What the messages demand.
    pub demand: TlsDemand,
}

/// A server that gets nothing, and what its domain hears of that.
#[derive(Debug)]
pub struct Kept {
    /// For history and notices.
    pub finding: Finding,
    /// For reports.
    pub happened: Option<Happened>,
}

/// What DANE and MTA-STS say of a host, before the message is asked.
struct Wanted {
    tls: TlsUse,
    proof: Proof,
    applied: Applied,
    /// What is reported on; more than is demanded while a policy is being tested.
    tested: Proof,
    server_name: Name,
}

/// How a session with one address of a host is made; or why there is none.
pub fn guard(known: &Known<'_>, address: IpAddr) -> Result<Way, Box<Kept>> {
    let wanted = wanted(known, address)?;
    let mut way = Way::straight(address, &wanted.server_name);
    (way.tls, way.proof) = match known.demand {
        TlsDemand::AsOffered => (wanted.tls, wanted.proof),
        TlsDemand::Waived => (TlsUse::IfOffered, Proof::Nothing),
        TlsDemand::Required => (TlsUse::Must, required(known, wanted.proof)?),
    };
    // What need not be safe says nothing of whether it was (RFC 8460 §5.3).
    way.reported = (known.demand != TlsDemand::Waived).then(|| Reported {
        domain: known.domain.clone(),
        applied: wanted.applied,
        proof: wanted.tested,
        host: (known.host.name.to_string(), address),
    });
    Ok(way)
}

/// RFC 8689 §4.2.1: the way to the server's name must be safe, and then its name is to be proven.
fn required(known: &Known<'_>, proof: Proof) -> Result<Proof, Box<Kept>> {
    if proof != Proof::Nothing {
        return Ok(proof);
    }
    let named = known.sts.is_some_and(|sts| sts.policy.allows(&known.host.name));
    if named || known.host.named == Signed::Yes {
        return Ok(Proof::Name);
    }
    let said = format!(
        "nothing proves that {} takes mail for {} (neither DNSSEC nor MTA-STS), and the message demands it (REQUIRETLS)",
        known.host.name, known.domain
    );
    Err(Box::new(Kept { finding: Finding::unsafe_way(known.demand, said), happened: None }))
}

fn wanted(known: &Known<'_>, address: IpAddr) -> Result<Wanted, Box<Kept>> {
    let host = known.host;
    let nothing = |tls, applied| Wanted {
        tls,
        proof: Proof::Nothing,
        applied,
        tested: Proof::Nothing,
        server_name: host.name.clone(),
    };
    let tlsa = |records: &[Tlsa]| Applied {
        kind: PolicyKind::Tlsa,
        lines: records.iter().map(line).collect(),
        hosts: Vec::new(),
    };
    let waived = known.demand == TlsDemand::Waived;
    let kept = |finding, applied: Applied, failure, reason: &str| {
        let host = Some((host.name.to_string(), address));
        let outcome = Err((failure, reason.to_owned()));
        let happened = (!waived).then_some(Happened { applied, host, outcome });
        Err(Box::new(Kept { finding, happened }))
    };
    match &known.dane {
        // DANE goes before MTA-STS (RFC 8461 §2).
        Dane::Pinned(base, records) => {
            let names = vec![base.clone(), host.name.clone(), known.domain.clone()];
            let proof = Proof::Dane(records.clone(), names);
            let (tested, applied) = (proof.clone(), tlsa(records));
            let server_name = base.clone();
            return Ok(Wanted { tls: TlsUse::Must, proof, applied, tested, server_name });
        }
        // None of them can be checked, so the policy is asked as well.
        Dane::Unproven => {}
        Dane::Unknown(failure) if !waived => {
            let said = format!(
                "DNS does not say which certificates {} has ({failure:?}), so nothing is given to it",
                host.name
            );
            let finding = Finding::withheld(Enhanced(4, 7, 5), said);
            return kept(finding, tlsa(&[]), TlsFailure::DnssecInvalid, "TLSA records");
        }
        Dane::Unknown(_) | Dane::Absent => {}
    }
    let unproven = known.dane == Dane::Unproven;
    let least = if unproven { TlsUse::Must } else { TlsUse::IfOffered };
    let Some(sts) = known.sts.filter(|sts| sts.policy.mode != Mode::None) else {
        if unproven {
            return Ok(nothing(least, tlsa(&[])));
        }
        let (kind, lines, hosts) = (PolicyKind::NoPolicyFound, Vec::new(), Vec::new());
        return Ok(nothing(TlsUse::IfOffered, Applied { kind, lines, hosts }));
    };
    let applied = sts.applied();
    let enforced = sts.policy.mode == Mode::Enforce;
    if !sts.policy.allows(&host.name) && enforced && !waived {
        let said = format!(
            "{} is not among the servers that the policy of {} allows (MTA-STS)",
            host.name, known.domain
        );
        let finding = Finding::unsafe_way(known.demand, said);
        return kept(finding, applied, TlsFailure::ValidationFailure, "mx-mismatch");
    }
    Ok(Wanted {
        tls: if enforced { TlsUse::Must } else { least },
        proof: if enforced { Proof::Name } else { Proof::Nothing },
        applied,
        tested: Proof::Name,
        server_name: host.name.clone(),
    })
}

/// A record as a report has it (RFC 8460 §4.5).
fn line(tlsa: &Tlsa) -> String {
    let data = HEXUPPER.encode(&tlsa.data);
    format!("{} {} {} {data}", tlsa.usage, tlsa.selector, tlsa.matching)
}

#[cfg(test)]
mod tests {
    use super::{
        Dane, Host, Kept, Known, Name, Proof, Signed, Sts, TlsDemand, TlsFailure, TlsUse, Way,
        guard,
    };
    use crate::base::Timestamp;
    use crate::dns::{Failure, Tlsa};
    use crate::service::relay::Kind;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn says(demand: TlsDemand, dane: &Dane, mode: &str, named: Signed) -> Result<Way, Box<Kept>> {
        let mx = name("mx.else.example");
        let (canonical, addresses) = (mx.clone(), Vec::new());
        let host = Host { preference: 1, name: mx, canonical, addresses, named, found: named };
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.else.example\nmax_age: 9\n");
        let text = text.replace("other\nmx: mx", "enforce\nmx: *.mx");
        let sts = Sts::read("1", &text, Timestamp::default()).ok();
        let domain = name("else.example");
        let known =
            Known { domain: &domain, host: &host, dane: dane.clone(), sts: sts.as_ref(), demand };
        guard(&known, [192, 0, 2, 1].into())
    }

    fn pinned() -> Dane {
        let data = vec![1; 32];
        Dane::Pinned(
            name("mx.else.example"),
            vec![Tlsa { usage: 3, selector: 1, matching: 1, data }],
        )
    }

    #[test]
    fn the_zone_goes_before_the_policy_and_the_message_before_both() {
        let shown = |demand, dane: &Dane, mode, named| match says(demand, dane, mode, named) {
            Ok(way) => {
                let tls = match way.tls {
                    TlsUse::Must => "must",
                    TlsUse::IfOffered => "may",
                    TlsUse::Never => "never",
                };
                let proof = match way.proof {
                    Proof::Nothing => "nothing",
                    Proof::Name => "name",
                    Proof::Dane(..) => "dane",
                };
                format!("{tls} {proof}")
            }
            Err(kept) => {
                let failure = kept.happened.and_then(|happened| happened.outcome.err());
                let later = kept.finding.kind == Kind::Withheld;
                format!("{} {:?}", if later { "later" } else { "never" }, failure.map(|one| one.0))
            }
        };
        let (offered, required, waived) =
            (TlsDemand::AsOffered, TlsDemand::Required, TlsDemand::Waived);
        let (yes, no) = (Signed::Yes, Signed::No);
        let unknown = Dane::Unknown(Failure::Servfail);
        let mismatch = format!("{:?}", Some(TlsFailure::ValidationFailure));
        let invalid = format!("{:?}", Some(TlsFailure::DnssecInvalid));
        for (demand, dane, mode, named, expected) in [
            (offered, &Dane::Absent, "", no, "may nothing"),
            (offered, &Dane::Absent, "", yes, "may nothing"),
            (offered, &Dane::Absent, "none", no, "may nothing"),
            (offered, &Dane::Absent, "testing", no, "may nothing"),
            (offered, &Dane::Absent, "enforce", no, "must name"),
            (offered, &Dane::Absent, "other", no, &format!("later {mismatch}")),
            (offered, &Dane::Unproven, "", yes, "must nothing"),
            (offered, &Dane::Unproven, "testing", yes, "must nothing"),
            (offered, &Dane::Unproven, "enforce", yes, "must name"),
            (offered, &Dane::Unproven, "other", yes, &format!("later {mismatch}")),
            (offered, &pinned(), "other", yes, "must dane"),
            (offered, &unknown, "enforce", yes, &format!("later {invalid}")),
            (waived, &pinned(), "enforce", yes, "may nothing"),
            (waived, &unknown, "other", yes, "may nothing"),
            (required, &Dane::Absent, "", no, "never None"),
            (required, &Dane::Absent, "none", no, "must name"),
            (required, &Dane::Absent, "testing", no, "must name"),
            (required, &Dane::Absent, "", yes, "must name"),
            (required, &Dane::Absent, "other", yes, &format!("never {mismatch}")),
            (required, &Dane::Unproven, "", yes, "must name"),
            (required, &pinned(), "", yes, "must dane"),
        ] {
            assert_eq!(
                shown(demand, dane, mode, named),
                expected,
                "{demand:?} {dane:?} {mode} {named:?}"
            );
        }
    }

    #[test]
    fn a_policy_under_test_is_reported_on() {
        let proof = |mode| {
            let way = says(TlsDemand::AsOffered, &Dane::Absent, mode, Signed::No).unwrap();
            way.reported.unwrap().proof
        };
        assert_eq!((proof("testing"), proof("none")), (Proof::Name, Proof::Nothing));
        let waived = says(TlsDemand::Waived, &Dane::Absent, "testing", Signed::No).unwrap();
        assert!(waived.reported.is_none());
    }
}
