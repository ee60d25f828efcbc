//! What is asked of keys and DNS over the control socket. Blocks: keys are made here.

use super::admin::{Admin, No, domain};
use super::wire::{DkimKey, Zone, ZoneRecord};
use crate::base::Timestamp;
use crate::dns::{Name, Record};
use crate::mail::Domain;
use crate::net;
use crate::selfcheck::{Subject, Wanted, host_records, records};
use crate::service::{Pace, RotateError};
use crate::verify::dkim::Published;

impl Admin {
    /// So that mail of the domain can be signed when this returns.
    pub fn make_keys(&self, domain: &Domain) -> Result<(), No> {
        self.signing.add(domain, net::now()).map_err(|error| {
            No::Failed(format!(
                "{domain} is a domain of this box, but its keys could not be made, and its mail goes out unsigned. This is \
                 tried again every hour: {error}"
            ))
        })
    }

    /// The keys of a domain, or of all.
    pub fn dkim_list(&self, text: Option<&str>) -> Result<Vec<DkimKey>, No> {
        let domains = match text {
            Some(text) => vec![domain(text)?],
            None => self.signing.domains(),
        };
        let mut rows = Vec::new();
        for domain in domains {
            rows.extend(self.published(&domain)?.into_iter().map(|key| row(&domain, key)));
        }
        Ok(rows)
    }

    /// New keys for a domain. The answer is all that it has then.
    pub fn dkim_rotate(&self, text: &str, pace: Pace) -> Result<Vec<DkimKey>, No> {
        let domain = domain(text)?;
        self.signing.rotate(&domain, pace, net::now()).map_err(|error| match error {
            RotateError::NotOurs => not_ours(&domain),
            RotateError::Waiting => No::Refused(format!(
                "new keys of {domain} wait already; `pillarbox dkim list {domain}` says until when, and `pillarbox dkim \
                 rotate {domain} --now` lets them sign now"
            )),
            RotateError::Keyring(error) => No::Failed(error.to_string()),
        })?;
        self.dkim_list(Some(text))
    }

    /// The records of a domain, or of all; those of a host in none of them are by themselves.
    pub fn dns_zone(&self, text: Option<&str>) -> Result<Vec<Zone>, No> {
        let ours: Vec<Domain> =
            self.domain_list()?.iter().filter_map(|row| Domain::parse(&row.domain)).collect();
        let within = |domain: &Domain| {
            self.host == *domain || self.host.as_str().ends_with(&format!(".{domain}"))
        };
        let alone = !ours.iter().any(within);
        match text.map(domain).transpose()? {
            Some(domain) if ours.contains(&domain) => Ok(vec![self.zone(&domain, records)?]),
            Some(domain) if domain == self.host => Ok(vec![self.zone(&domain, host_records)?]),
            Some(domain) => Err(not_ours(&domain)),
            None => {
                let mut zones = Vec::new();
                for domain in ours.iter().filter(|domain| !domain.is_literal()) {
                    zones.push(self.zone(domain, records)?);
                }
                if alone && !self.host.is_literal() {
                    zones.push(self.zone(&self.host, host_records)?);
                }
                Ok(zones)
            }
        }
    }

    fn zone(&self, domain: &Domain, wanted: fn(&Subject) -> Vec<Wanted>) -> Result<Zone, No> {
        let keys = self.published(domain)?;
        let host_keys = if self.host.is_literal() { vec![] } else { self.published(&self.host)? };
        let (name, host) = (name(domain)?, name(&self.host)?);
        let subject = Subject {
            domain: &name,
            host: &host,
            keys: &keys,
            host_keys: &host_keys,
            // The box does not know yet how the world sees it.
            addresses: &[],
        };
        let record = |row: Wanted| ZoneRecord {
            tier: row.tier,
            name: row.name.to_string(),
            kind: row.kind.to_string(),
            data: row.record.as_ref().map(Record::to_string),
            text: row.text(),
            about: row.about,
        };
        let records = wanted(&subject).into_iter().map(record).collect();
        Ok(Zone { domain: domain.to_string(), host: self.host.to_string(), records })
    }

    fn published(&self, domain: &Domain) -> Result<Vec<Published>, No> {
        // Just after the start they may not be made yet.
        if self.signing.published(domain).is_some_and(|keys| keys.is_empty()) {
            self.make_keys(domain)?;
        }
        self.signing.published(domain).ok_or_else(|| not_ours(domain))
    }
}

fn row(domain: &Domain, key: Published) -> DkimKey {
    DkimKey {
        domain: domain.to_string(),
        name: format!("{}.{domain}", key.selector.labels()),
        selector: key.selector.to_string(),
        algorithm: key.algorithm.name().to_owned(),
        standing: key.standing,
        since: key.since.seconds(),
        until: key.until.map(Timestamp::seconds),
        text: key.record,
    }
}

fn not_ours(domain: &Domain) -> No {
    No::Refused(format!("{domain} is not a domain of this box; `pillarbox domain list` shows them"))
}

fn name(domain: &Domain) -> Result<Name, No> {
    let name = Name::parse(domain.as_str());
    name.ok_or_else(|| No::Refused(format!("{domain} is no name that DNS can have")))
}
