//! Where mail for a domain goes (RFC 5321 §5.1, RFC 7505), by what DNS says: a rule over known answers. Whoever controls
//! the domain controls these.

use super::families::Families;
use crate::dns::{Answers, Failure, Found, Kind, Mx, Name, Need, Record};
use std::net::IpAddr;

/// The verdict on a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// At least one host with an address, the best first.
    Hosts(Vec<Host>),
    /// It takes no mail, and that will not change by itself.
    NoMail(NoMail),
    /// Its hosts have IPv6 addresses only, and we use none.
    OnlySix,
    /// Nobody knows now.
    Later(Failure),
}

/// A host that takes mail for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Lower is tried first; among equals the order is to be drawn.
    pub preference: u16,
    /// Its name.
    pub name: Name,
    /// Its name after aliases (CNAME); mostly the same.
    pub canonical: Name,
    /// IPv6 first.
    pub addresses: Vec<IpAddr>,
    /// Was the way from the domain to the name signed?
    pub named: Signed,
    /// Was the whole way signed, to its addresses as well? Only then TLSA records count (RFC 7672 §2.2).
    pub found: Signed,
}

/// Has somebody whom we trust checked the signatures of a zone (RFC 4035)?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Yes.
    Yes,
    /// No: it has none, or nobody whom we trust has looked.
    No,
}

impl From<bool> for Signed {
    fn from(authentic: bool) -> Self {
        if authentic { Self::Yes } else { Self::No }
    }
}

/// Why a domain takes no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMail {
    /// There is no such domain.
    NoDomain,
    /// It says so itself (RFC 7505).
    NullMx,
    /// The hosts that it names have no addresses.
    NoAddress,
    /// We are the best of its hosts, and it is none of our domains.
    Ourselves,
}

/// A domain has not more hosts; the rest is left out.
const HOSTS_MAX: usize = 20;
/// Of each host.
const ADDRESSES_MAX: usize = 10;

/// Where mail for `domain` goes from a host named `ours`.
pub fn route(
    domain: &Name,
    ours: &Name,
    families: Families,
    known: &Answers,
) -> Result<Route, Need> {
    let answer = known.get(domain, Kind::Mx)?;
    let mut hosts = match &answer.found {
        Found::Records(records, _) => exchanges(records),
        // RFC 5321 §5.1: a host that has no MX takes its own mail.
        Found::NoData => vec![Mx { preference: 0, exchange: domain.clone() }],
        Found::NoName => return Ok(Route::NoMail(NoMail::NoDomain)),
        Found::Failed(failure) => return Ok(Route::Later(*failure)),
    };
    if let [only] = hosts.as_slice()
        && only.exchange.is_root()
    {
        return Ok(Route::NoMail(NoMail::NullMx));
    }
    hosts.retain(|host| !host.exchange.is_root());
    // We are one of several: what is not better than we is us, or waits for us.
    if let Some(own) = hosts.iter().find(|host| host.exchange == *ours).map(|own| own.preference) {
        hosts.retain(|host| host.preference < own);
        if hosts.is_empty() {
            return Ok(Route::NoMail(NoMail::Ourselves));
        }
    }
    hosts.truncate(HOSTS_MAX);
    with_addresses(&hosts, answer.authentic, families, known)
}

/// The addresses of one host, whatever mail its domain takes.
pub fn host(name: &Name, families: Families, known: &Answers) -> Result<Route, Need> {
    let only = Mx { preference: 0, exchange: name.clone() };
    with_addresses(&[only], false, families, known)
}

fn exchanges(records: &[Record]) -> Vec<Mx> {
    let mx = |record: &Record| match record {
        Record::Mx(mx) => Some(mx.clone()),
        _ => None,
    };
    let mut hosts: Vec<Mx> = records.iter().filter_map(mx).collect();
    hosts.sort_by_key(|host| host.preference);
    hosts
}

fn with_addresses(
    hosts: &[Mx],
    signed: bool,
    families: Families,
    known: &Answers,
) -> Result<Route, Need> {
    let (mut need, mut found, mut failure) = (Need::default(), Vec::new(), None);
    let kinds: &[Kind] = match families {
        Families::Four => &[Kind::A],
        Families::FourAndSix => &[Kind::Aaaa, Kind::A],
    };
    for host in hosts {
        let (mut addresses, mut authentic) = (Vec::new(), signed);
        let mut canonical = host.exchange.clone();
        for &kind in kinds {
            match known.get(&host.exchange, kind) {
                Err(missing) => need = need.and(missing),
                Ok(answer) => {
                    // Whoever keeps an answer back must not make a signed way look unsigned (RFC 7672 §2.1.2).
                    let has_failed = matches!(answer.found, Found::Failed(_));
                    authentic &= answer.authentic || has_failed;
                    match &answer.found {
                        Found::Records(records, end) => {
                            canonical = end.clone();
                            addresses.extend(records.iter().filter_map(address));
                        }
                        Found::Failed(why) => failure = Some(*why),
                        Found::NoData | Found::NoName => {}
                    }
                }
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        if !addresses.is_empty() {
            let (preference, name) = (host.preference, host.exchange.clone());
            let (named, whole) = (signed.into(), authentic.into());
            found.push(Host { preference, name, canonical, addresses, named, found: whole });
        }
    }
    match (need.is_empty(), found.is_empty(), failure) {
        (false, ..) => Err(need),
        (true, false, _) => Ok(Route::Hosts(found)),
        (true, true, Some(failure)) => Ok(Route::Later(failure)),
        (true, true, None) if families == Families::Four && has_six(hosts, known)? => {
            Ok(Route::OnlySix)
        }
        (true, true, None) => Ok(Route::NoMail(NoMail::NoAddress)),
    }
}

fn has_six(hosts: &[Mx], known: &Answers) -> Result<bool, Need> {
    let mut need = Need::default();
    for host in hosts {
        match known.get(&host.exchange, Kind::Aaaa) {
            Err(missing) => need = need.and(missing),
            Ok(answer) if matches!(answer.found, Found::NoData | Found::NoName) => {}
            Ok(_) => return Ok(true),
        }
    }
    if need.is_empty() { Ok(false) } else { Err(need) }
}

const fn address(record: &Record) -> Option<IpAddr> {
    match record {
        Record::A(address) => Some(IpAddr::V4(*address)),
        Record::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// Draws the order among hosts of one preference (RFC 5321 §5.1), by random numbers.
pub fn draw(hosts: &mut [Host], mut random: impl FnMut() -> u64) {
    let mut drawn: Vec<(u16, u64, Host)> =
        hosts.iter().map(|host| (host.preference, random(), host.clone())).collect();
    drawn.sort_by_key(|(preference, number, _)| (*preference, *number));
    for (place, (_, _, host)) in hosts.iter_mut().zip(drawn) {
        *place = host;
    }
}

#[cfg(test)]
mod tests {
    use super::{Families, Host, NoMail, Route, Signed, draw, route};
    use crate::dns::{Answer, Answers, Failure, Found, Kind, Mx, Name, Need, Question, Record};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn known(entries: Vec<(&str, Kind, Found)>) -> Answers {
        let mut answers = Answers::default();
        for (of, kind, found) in entries {
            answers.insert(Question { name: name(of), kind }, Answer { found, authentic: true });
        }
        answers
    }

    fn mx(list: &[(u16, &str)]) -> Found {
        let record = |(preference, host): &(u16, &str)| {
            Record::Mx(Mx { preference: *preference, exchange: name(host) })
        };
        Found::Records(list.iter().map(record).collect(), name("else.example"))
    }

    fn a(text: &str) -> Found {
        Found::Records(vec![Record::A(text.parse().unwrap())], name("x"))
    }

    fn decide(entries: Vec<(&str, Kind, Found)>) -> Result<Route, Need> {
        route(&name("else.example"), &name("mail.example.org"), Families::Four, &known(entries))
    }

    #[test]
    fn what_is_missing_is_asked_for_together() {
        let missing = |need: Need| need.questions().count();
        assert_eq!(missing(decide(vec![]).unwrap_err()), 1);
        let two = mx(&[(10, "a.else.example"), (20, "b.else.example")]);
        assert_eq!(missing(decide(vec![("else.example", Kind::Mx, two)]).unwrap_err()), 2);
    }

    #[test]
    fn hosts_in_order_and_a_domain_without_mx() {
        let entries = vec![
            (
                "else.example",
                Kind::Mx,
                mx(&[(20, "b.else.example"), (10, "a.else.example"), (5, "gone.else.example")]),
            ),
            ("a.else.example", Kind::A, a("192.0.2.1")),
            ("b.else.example", Kind::A, a("192.0.2.2")),
            ("gone.else.example", Kind::A, Found::NoName),
        ];
        let Ok(Route::Hosts(hosts)) = decide(entries) else { panic!("no hosts") };
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["a.else.example", "b.else.example"]);
        let entries = vec![
            ("else.example", Kind::Mx, Found::NoData),
            ("else.example", Kind::A, a("192.0.2.1")),
        ];
        assert!(matches!(decide(entries), Ok(Route::Hosts(hosts)) if hosts.len() == 1));
    }

    #[test]
    fn no_mail_for_ever_and_no_mail_now_are_told_apart() {
        let only = |found| decide(vec![("else.example", Kind::Mx, found)]);
        assert_eq!(only(Found::NoName), Ok(Route::NoMail(NoMail::NoDomain)));
        assert_eq!(only(mx(&[(0, ".")])), Ok(Route::NoMail(NoMail::NullMx)));
        let failed = Found::Failed(Failure::Servfail);
        assert_eq!(only(failed.clone()), Ok(Route::Later(Failure::Servfail)));
        let host_with = |found, six| {
            decide(vec![
                ("else.example", Kind::Mx, mx(&[(1, "a.else.example")])),
                ("a.else.example", Kind::A, found),
                ("a.else.example", Kind::Aaaa, six),
            ])
        };
        let host = |found| host_with(found, Found::NoData);
        let six = Found::Records(vec![Record::Aaaa("2001:db8::1".parse().unwrap())], name("x"));
        assert_eq!(host_with(Found::NoData, six), Ok(Route::OnlySix));
        assert_eq!(host(Found::NoData), Ok(Route::NoMail(NoMail::NoAddress)));
        assert_eq!(host(failed), Ok(Route::Later(Failure::Servfail)));
    }

    #[test]
    fn an_answer_that_is_kept_back_does_not_make_a_signed_way_unsigned() {
        let mut known = known(vec![
            ("else.example", Kind::Mx, mx(&[(1, "a.else.example")])),
            ("a.else.example", Kind::A, a("192.0.2.1")),
        ]);
        let failed = Answer { found: Found::Failed(Failure::Servfail), authentic: false };
        known.insert(Question { name: name("a.else.example"), kind: Kind::Aaaa }, failed);
        let (domain, ours) = (name("else.example"), name("mail.example.org"));
        let Ok(Route::Hosts(hosts)) = route(&domain, &ours, Families::FourAndSix, &known) else {
            panic!("no hosts")
        };
        assert_eq!((hosts[0].named, hosts[0].found), (Signed::Yes, Signed::Yes));
    }

    #[test]
    fn we_never_send_to_ourselves() {
        let of = |list: &[(u16, &str)]| {
            decide(vec![
                ("else.example", Kind::Mx, mx(list)),
                ("a.else.example", Kind::A, a("192.0.2.1")),
            ])
        };
        let ours = "mail.example.org";
        assert_eq!(of(&[(10, ours)]), Ok(Route::NoMail(NoMail::Ourselves)));
        assert_eq!(of(&[(10, ours), (10, "a.else.example")]), Ok(Route::NoMail(NoMail::Ourselves)));
        assert!(
            matches!(of(&[(10, ours), (5, "a.else.example")]), Ok(Route::Hosts(hosts)) if hosts.len() == 1)
        );
    }

    #[test]
    fn equals_are_drawn() {
        let host = |preference, text| Host {
            preference,
            name: name(text),
            canonical: name(text),
            addresses: vec![],
            named: Signed::No,
            found: Signed::No,
        };
        let mut hosts = [host(1, "a"), host(1, "b"), host(2, "c")];
        let mut numbers = [9, 3, 1].into_iter();
        draw(&mut hosts, || numbers.next().unwrap());
        assert_eq!(hosts.map(|host| host.name.to_string()), ["b", "a", "c"]);
    }
}
