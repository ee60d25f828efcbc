//! Where mail goes, as it is asked for over the control socket: aliases, and domains. Blocks.

use super::admin::{Admin, No, address, domain, lmtp_server};
use super::wire::{AliasTo, DomainRow};
use crate::mail::{Address, Domain};

impl Admin {
    pub(super) fn alias_list(&self) -> Result<Vec<AliasTo>, No> {
        let aliases = self.registry.aliases()?.into_iter();
        let mut rows: Vec<AliasTo> =
            aliases.map(|alias| AliasTo { alias: alias.address, users: alias.people }).collect();
        for forward in self.registry.all_forwards()? {
            match rows.iter_mut().find(|row| row.alias == forward.address) {
                Some(row) => row.users.extend(forward.targets),
                None => rows.push(AliasTo { alias: forward.address, users: forward.targets }),
            }
        }
        rows.sort_by(|a, b| a.alias.cmp(&b.alias));
        Ok(rows)
    }

    fn alias(&self, alias: &Address) -> Result<AliasTo, No> {
        let name = alias.to_string().to_lowercase();
        let left = self.alias_list()?.into_iter().find(|row| row.alias == name);
        Ok(left.unwrap_or(AliasTo { alias: name, users: Vec::new() }))
    }

    pub(super) fn alias_add(&self, alias: &str, user: &str) -> Result<AliasTo, No> {
        let (alias, user) = (address(alias)?, address(user)?);
        self.must_be_ours(&alias)?;
        if self.is_ours(user.domain())? {
            self.registry.add_alias(&alias, &user)?;
        } else if self.queue.is_none() {
            let why = "nothing leaves this machine, so no mail goes on to other servers";
            return Err(No::Refused(why.to_owned()));
        } else {
            self.registry.add_forward(&alias, &user)?;
        }
        log::info!("control alias={alias} to={user} added");
        self.alias(&alias)
    }

    pub(super) fn alias_remove(&self, alias: &str, user: Option<&str>) -> Result<AliasTo, No> {
        let alias = address(alias)?;
        let user = user.map(address).transpose()?;
        let onward = self.registry.remove_forward(&alias, user.as_ref())?;
        let here = match &user {
            Some(user) if !self.is_ours(user.domain())? => false,
            user => self.registry.remove_alias(&alias, user.as_ref())?,
        };
        if !here && !onward {
            let to = user.map_or_else(String::new, |user| format!(" to {user}"));
            return Err(No::Refused(format!(
                "there is no alias {alias}{to}; `pillarbox alias list` shows them"
            )));
        }
        log::info!("control alias={alias} removed");
        self.alias(&alias)
    }

    /// Those of the settings and those that were added.
    pub fn domain_list(&self) -> Result<Vec<DomainRow>, No> {
        let added = self.registry.domains()?;
        let fixed = |name: &str| self.facts.domains.iter().any(|domain| domain.as_str() == name);
        let mut rows: Vec<DomainRow> = (added.into_iter())
            .map(|row| DomainRow {
                in_settings: fixed(&row.domain),
                domain: row.domain,
                catch_all: row.catch_all,
                lmtp: row.lmtp,
            })
            .collect();
        for domain in &self.facts.domains {
            if rows.iter().all(|row| row.domain != domain.as_str()) {
                let domain = domain.to_string();
                rows.push(DomainRow { domain, catch_all: None, lmtp: None, in_settings: true });
            }
        }
        rows.sort_by(|a, b| a.domain.cmp(&b.domain));
        Ok(rows)
    }

    fn domain_row(&self, domain: &Domain) -> Result<DomainRow, No> {
        let row = self.domain_list()?.into_iter().find(|row| row.domain == domain.as_str());
        let domain = domain.to_string();
        let gone = DomainRow { domain, catch_all: None, lmtp: None, in_settings: false };
        Ok(row.unwrap_or(gone))
    }

    pub(super) fn domain_add(
        &self,
        text: &str,
        catch_all: Option<&str>,
        lmtp: Option<&str>,
    ) -> Result<DomainRow, No> {
        let domain = domain(text)?;
        let catch_all = catch_all.map(address).transpose()?;
        let lmtp = lmtp.map(lmtp_server).transpose()?;
        self.registry.add_domain(&domain, catch_all.as_ref())?;
        self.registry.set_lmtp_of_domain(&domain, lmtp.as_ref())?;
        log::info!("control domain={domain} added");
        self.make_keys(&domain)?;
        self.domain_row(&domain)
    }

    pub(super) fn domain_remove(&self, text: &str) -> Result<DomainRow, No> {
        let domain = domain(text)?;
        let inside = |address: &String| address.ends_with(&format!("@{domain}"));
        if let Some(user) =
            self.user_list()?.into_iter().flat_map(|user| user.addresses).find(inside)
        {
            return Err(No::Refused(format!(
                "{user} has an address in {domain}; mail for it would be refused. Remove the user first"
            )));
        }
        if !self.registry.remove_domain(&domain)? {
            let why = if self.facts.domains.contains(&domain) {
                "stands in pillarbox.toml; take it out there and restart"
            } else {
                "is not a domain of this box; `pillarbox domain list` shows them"
            };
            return Err(No::Refused(format!("{domain} {why}")));
        }
        log::info!("control domain={domain} removed");
        if domain != self.host && !self.facts.domains.contains(&domain) {
            self.signing.forget(&domain);
        }
        self.domain_row(&domain)
    }

    fn is_ours(&self, domain: &Domain) -> Result<bool, No> {
        let settled = self.facts.domains.contains(domain) || *domain == self.host;
        Ok(settled || self.registry.is_ours(domain)?)
    }
}
