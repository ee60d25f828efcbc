//! The records that a domain ought to have: what to show to people, and what to judge DNS by. Their sentences are for
//! whoever types them into a form and has never heard of them.

use super::policy::{policy, policy_id};
use super::wanted::{Tier, Wanted};
use crate::base::Timestamp;
use crate::dns::{Kind, Mx, Name, Record, Srv};
use crate::mail::CivilDate;
use crate::verify::dkim::{Algorithm, Published, Standing};
use std::net::IpAddr;

/// Whose records, and what they depend on.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The domain of the addresses, or the host alone.
    pub domain: &'a Name,
    /// The name of the box.
    pub host: &'a Name,
    /// The keys of the domain.
    pub keys: &'a [Published],
    /// Those of the host, for what the box itself sends.
    pub host_keys: &'a [Published],
    /// The public addresses of the box, as far as they are known.
    pub addresses: &'a [IpAddr],
}

/// The records of a domain, those that matter most first. Those of the host are with them if it is the domain or stands
/// below it.
pub fn records(subject: &Subject) -> Vec<Wanted> {
    let Subject { domain, host, .. } = subject;
    let mut rows = Rows { all: Vec::new() };
    if *host == *domain || host.as_str().ends_with(&format!(".{domain}")) {
        rows.addresses(subject);
    }
    rows.mail(subject);
    rows.keys(domain, subject.keys, About::Mail);
    rows.reports(domain);
    rows.transport(subject);
    rows.programs(subject);
    if host != domain && host.as_str().ends_with(&format!(".{domain}")) {
        rows.host_alone(subject);
    }
    rows.all.sort_by_key(|row| row.tier);
    rows.all
}

/// The records of a host that stands in no domain of the box.
pub fn host_records(subject: &Subject) -> Vec<Wanted> {
    let mut rows = Rows { all: Vec::new() };
    rows.addresses(subject);
    rows.host_alone(subject);
    rows.all.sort_by_key(|row| row.tier);
    rows.all
}

/// Whose mail a key is for.
#[derive(Clone, Copy)]
enum About {
    Mail,
    Host,
}

struct Rows {
    all: Vec<Wanted>,
}

impl Rows {
    /// A name that would be too long for DNS has no record.
    fn add(&mut self, tier: Tier, name: Option<Name>, record: Record, about: String) {
        let kind = match &record {
            Record::A(_) => Kind::A,
            Record::Aaaa(_) => Kind::Aaaa,
            Record::Mx(_) => Kind::Mx,
            Record::Txt(_) => Kind::Txt,
            Record::Ptr(_) => Kind::Ptr,
            Record::Tlsa(_) => Kind::Tlsa,
            Record::Srv(_) => Kind::Srv,
            Record::Caa(..) => Kind::Caa,
            Record::Ns(_) => Kind::Ns,
            Record::Soa(..) => Kind::Soa,
        };
        let record = Some(record);
        self.all.extend(name.map(|name| Wanted { tier, name, kind, record, about }));
    }

    fn text(&mut self, tier: Tier, name: Option<Name>, text: &str, about: String) {
        self.add(tier, name, Record::Txt(text.as_bytes().to_vec()), about);
    }

    fn addresses(&mut self, of: &Subject) {
        let about = [
            (Kind::A, "The IPv4 address of the box, as the world sees it."),
            (Kind::Aaaa, "The IPv6 address of the box, if it has one that stays."),
        ];
        for (kind, about) in about {
            let known = of.addresses.iter().map(|address| match address {
                IpAddr::V4(address) => (Kind::A, Record::A(*address)),
                IpAddr::V6(address) => (Kind::Aaaa, Record::Aaaa(*address)),
            });
            let mut records: Vec<_> =
                known.filter(|(its, _)| *its == kind).map(|(_, record)| Some(record)).collect();
            if records.is_empty() {
                records.push(None);
            }
            self.all.extend(records.into_iter().map(|record| Wanted {
                tier: Tier::Must,
                name: of.host.clone(),
                kind,
                record,
                about: about.to_owned(),
            }));
        }
    }

    /// RFC 5321 §5.1 and RFC 7208.
    fn mail(&mut self, of: &Subject) {
        let (domain, host) = (of.domain, of.host);
        let mx = Record::Mx(Mx { preference: 10, exchange: host.clone() });
        let about = format!("Mail for {domain} comes to this box.");
        self.add(Tier::Must, Some(domain.clone()), mx, about);
        let about = format!(
            "Mail from {domain} comes from this box. Others look twice at what comes from elsewhere."
        );
        self.text(Tier::Must, Some(domain.clone()), "v=spf1 mx ~all", about);
    }

    /// RFC 6376 §3.6.2.
    fn keys(&mut self, owner: &Name, keys: &[Published], whose: About) {
        for key in keys {
            let tier = match (whose, key.algorithm) {
                (About::Mail, Algorithm::RsaSha256) => Tier::Must,
                (About::Mail, Algorithm::Ed25519Sha256) | (About::Host, _) => Tier::Expert,
            };
            let what = match (whose, key.algorithm) {
                (About::Host, _) => {
                    format!("A key for what the box itself sends, as {owner}.")
                }
                (About::Mail, Algorithm::RsaSha256) => {
                    format!("A key (DKIM) by which others see that mail from {owner} is yours.")
                }
                (About::Mail, Algorithm::Ed25519Sha256) => {
                    "The same with a newer kind of key, which not everyone can read yet.".to_owned()
                }
            };
            let when = match (key.standing, key.until.map(day)) {
                (Standing::Current, _) => String::new(),
                (Standing::Next, Some(day)) => format!(" It will be used from {day}."),
                (Standing::Next, None) => " It will be used soon.".to_owned(),
                (Standing::Retired, Some(day)) => {
                    format!(" It is used no more; take the record away after {day}.")
                }
                (Standing::Retired, None) => " It is used no more.".to_owned(),
            };
            self.text(tier, owner.under(&key.selector.labels()), &key.record, what + &when);
        }
    }

    /// RFC 7489 §6.3 and RFC 8460 §3.
    fn reports(&mut self, domain: &Name) {
        let text = format!("v=DMARC1; p=none; rua=mailto:dmarc@{domain}");
        let about = format!(
            "Asks others to report on mail that says it is from {domain}, and to treat it as before. The reports need an \
             address: pillarbox alias add dmarc@{domain} YOU"
        );
        self.text(Tier::Must, domain.under("_dmarc"), &text, about);
        let text = format!("v=TLSRPTv1; rua=mailto:tlsrpt@{domain}");
        let about = format!(
            "Asks others to report when they could not encrypt mail for {domain}. The reports need an address: pillarbox \
             alias add tlsrpt@{domain} YOU"
        );
        self.text(Tier::Good, domain.under("_smtp._tls"), &text, about);
    }

    /// RFC 8461 §3.1 and RFC 8659 §4.
    fn transport(&mut self, of: &Subject) {
        let domain = of.domain;
        let text = format!("v=STSv1; id={}", policy_id(&policy(of.host)));
        let about = format!(
            "Says that there is a rule for encrypting mail to {domain}. It works once mta-sts.{domain} serves the rule, \
             which this version of the box does not do yet."
        );
        self.text(Tier::Good, domain.under("_mta-sts"), &text, about);
        let issue = Record::Caa(0, "issue".to_owned(), b"letsencrypt.org".to_vec());
        let about = format!(
            "Only Let's Encrypt may make certificates for {domain}. Leave it out if yours come from someone else."
        );
        self.add(Tier::Good, Some(domain.clone()), issue, about);
    }

    /// RFC 6186 §3 and RFC 8314 §5.1.
    fn programs(&mut self, of: &Subject) {
        for (tier, labels, priority, port, about) in [
            (Tier::Good, "_imaps._tcp", 0, 993, "Tells mail programs where to read mail."),
            (Tier::Good, "_submissions._tcp", 0, 465, "Tells mail programs where to send mail."),
            (Tier::Expert, "_pop3s._tcp", 10, 995, "Tells mail programs where to fetch mail."),
        ] {
            let srv = Srv { priority, weight: 1, port, target: of.host.clone() };
            self.add(tier, of.domain.under(labels), Record::Srv(srv), about.to_owned());
        }
        // The root says that there is no such service (RFC 2782).
        let Some(root) = Name::parse(".") else { return };
        for labels in ["_imap._tcp", "_submission._tcp", "_pop3._tcp"] {
            let none = Srv { priority: 0, weight: 0, port: 0, target: root.clone() };
            let about =
                "Tells mail programs to use the way above, which is encrypted from the start.";
            self.add(Tier::Expert, of.domain.under(labels), Record::Srv(none), about.to_owned());
        }
    }

    /// What the box sends in its own name.
    fn host_alone(&mut self, of: &Subject) {
        let about = "What the box itself sends comes from its own address only.".to_owned();
        self.text(Tier::Expert, Some(of.host.clone()), "v=spf1 a -all", about);
        self.keys(of.host, of.host_keys, About::Host);
    }
}

fn day(at: Timestamp) -> String {
    let day = CivilDate::from_days(at.seconds().div_euclid(86_400));
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::{
        Algorithm, Name, Published, Standing, Subject, Tier, Timestamp, host_records, records,
    };
    use crate::verify::dkim::Selector;

    fn key(selector: &str, algorithm: Algorithm, standing: Standing) -> Published {
        Published {
            selector: Selector::parse(selector).unwrap(),
            algorithm,
            standing,
            since: Timestamp::from_seconds(0),
            until: Some(Timestamp::from_seconds(1_795_824_000)),
            record: format!("v=DKIM1; k={}; p=AAAA", algorithm.key_type()),
        }
    }

    fn lines(subject: &Subject) -> Vec<String> {
        let line = |row: &super::Wanted| {
            let data = row.record.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
            format!("{} {} {} {data}", row.tier, row.name, row.kind)
        };
        let rows = records(subject);
        let sorted: Vec<Tier> = rows.iter().map(|row| row.tier).collect();
        assert!(sorted.is_sorted() && rows.iter().all(|row| row.about.len() > 10));
        rows.iter().map(line).collect()
    }

    #[test]
    fn a_domain_and_its_host() {
        let (domain, host) = (Name::parse("example.org"), Name::parse("mail.example.org"));
        let (domain, host) = (domain.unwrap(), host.unwrap());
        let keys = [
            key("r2", Algorithm::RsaSha256, Standing::Next),
            key("r1", Algorithm::RsaSha256, Standing::Current),
            key("e1", Algorithm::Ed25519Sha256, Standing::Current),
            key("r0", Algorithm::RsaSha256, Standing::Retired),
        ];
        let host_keys = [key("h1", Algorithm::RsaSha256, Standing::Current)];
        let addresses = ["192.0.2.1".parse().unwrap()];
        let subject = Subject {
            domain: &domain,
            host: &host,
            keys: &keys,
            host_keys: &host_keys,
            addresses: &addresses,
        };
        assert_eq!(
            lines(&subject),
            [
                "must mail.example.org A 192.0.2.1",
                "must mail.example.org AAAA ?",
                "must example.org MX 10 mail.example.org.",
                "must example.org TXT \"v=spf1 mx ~all\"",
                "must r2._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=AAAA\"",
                "must r1._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=AAAA\"",
                "must r0._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=AAAA\"",
                "must _dmarc.example.org TXT \"v=DMARC1; p=none; rua=mailto:dmarc@example.org\"",
                "good _smtp._tls.example.org TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@example.org\"",
                "good _mta-sts.example.org TXT \"v=STSv1; id=ID\"",
                "good example.org CAA 0 issue \"letsencrypt.org\"",
                "good _imaps._tcp.example.org SRV 0 1 993 mail.example.org.",
                "good _submissions._tcp.example.org SRV 0 1 465 mail.example.org.",
                "expert e1._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=AAAA\"",
                "expert _pop3s._tcp.example.org SRV 10 1 995 mail.example.org.",
                "expert _imap._tcp.example.org SRV 0 0 0 .",
                "expert _submission._tcp.example.org SRV 0 0 0 .",
                "expert _pop3._tcp.example.org SRV 0 0 0 .",
                "expert mail.example.org TXT \"v=spf1 a -all\"",
                "expert h1._domainkey.mail.example.org TXT \"v=DKIM1; k=rsa; p=AAAA\"",
            ]
            .map(|line| line.replace("ID", &super::policy_id(&super::policy(&host))))
        );
        let about: Vec<String> = records(&subject).into_iter().map(|row| row.about).collect();
        assert!(about[4].ends_with("It will be used from 2026-11-28."), "{}", about[4]);
        assert!(about[6].ends_with("take the record away after 2026-11-28."), "{}", about[6]);
    }

    #[test]
    fn a_host_elsewhere_or_the_same() {
        let (domain, other) = (Name::parse("example.org"), Name::parse("box.example.net"));
        let (domain, other) = (domain.unwrap(), other.unwrap());
        let none =
            Subject { domain: &domain, host: &other, keys: &[], host_keys: &[], addresses: &[] };
        assert!(lines(&none).iter().all(|line| !line.contains(" box.example.net ")));
        assert_eq!(host_records(&none).len(), 3);
        let same = Subject { host: &domain, ..none };
        let spf = |line: &&String| line.contains("v=spf1");
        assert_eq!(lines(&same).iter().filter(spf).count(), 1);
        assert_eq!(lines(&same)[0], "must example.org A ?");
    }
}
