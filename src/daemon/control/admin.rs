//! Does what is asked over the control socket. Blocks: it speaks to the registry and moves folders.

use super::wire::{
    AliasTo, Answer, DomainRow, MessageQuota, PortAt, Quota, Request, Status, User, UserAdded,
    UserRemoved,
};
use crate::base::AccountId;
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{Registry, RegistryError, Standing};
use crate::service::{Queue, Signing};
use crate::store::Store;
use openssl::rand::rand_bytes;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What does not change while the server runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The folder of everything.
    pub data: PathBuf,
    /// In these people have addresses.
    pub domains: Vec<Domain>,
}

/// Everything that an administrator's wish needs.
pub struct Admin {
    /// See there.
    pub facts: Facts,
    /// Our name.
    pub host: Domain,
    /// Seconds since 1970.
    pub started: i64,
    /// Names and places.
    pub ports: Vec<(&'static str, String)>,
    /// People and devices.
    pub registry: Arc<Registry>,
    /// Their mail.
    pub store: Arc<Store>,
    /// Keys of the domains.
    pub signing: Arc<Signing>,
    /// What leaves; `None`: nothing does.
    pub queue: Option<Arc<Queue>>,
    /// Ends the sessions of an account.
    pub end_sessions: Box<dyn Fn(AccountId) + Send + Sync>,
    /// How many sessions there are.
    pub count_sessions: Box<dyn Fn() -> usize + Send + Sync>,
}

/// Why something was not done.
pub enum No {
    /// It may not be, or there is nothing to do it to.
    Refused(String),
    /// A fault of ours.
    Failed(String),
}

impl From<RegistryError> for No {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::AddressTaken(_) | RegistryError::Nobody(_) => {
                Self::Refused(error.to_string())
            }
            RegistryError::Database(_)
            | RegistryError::Keys(_)
            | RegistryError::Lost(_)
            | RegistryError::Damaged(..)
            | RegistryError::Io(..)
            | RegistryError::Version(_) => Self::Failed(error.to_string()),
        }
    }
}

impl Admin {
    /// Does it. Blocks.
    pub fn perform(&self, request: Request) -> Answer {
        let done = match request {
            Request::Status => self.status().and_then(value),
            Request::UserList => self.user_list().and_then(value),
            Request::UserAdd { address } => self.user_add(&address).and_then(value),
            Request::UserRemove { address } => self.user_remove(&address).and_then(value),
            Request::DeviceList { user } => self.device_list(&user).and_then(value),
            Request::DeviceAdd { user, name } => self.device_add(&user, name).and_then(value),
            Request::DeviceRevoke { user, id } => self.device_revoke(&user, id).and_then(value),
            Request::UserSet { address, enabled, quota, message_quota } => {
                self.user_set(&address, enabled, quota, message_quota).and_then(value)
            }
            Request::AliasList => self.alias_list().and_then(value),
            Request::AliasAdd { alias, user } => self.alias_add(&alias, &user).and_then(value),
            Request::AliasRemove { alias, user } => {
                self.alias_remove(&alias, user.as_deref()).and_then(value)
            }
            Request::DomainList => self.domain_list().and_then(value),
            Request::DomainAdd { domain, catch_all } => {
                self.domain_add(&domain, catch_all.as_deref()).and_then(value)
            }
            Request::DomainRemove { domain } => self.domain_remove(&domain).and_then(value),
            Request::DkimList { domain } => self.dkim_list(domain.as_deref()).and_then(value),
            Request::DkimRotate { domain, pace } => self.dkim_rotate(&domain, pace).and_then(value),
            Request::DnsZone { domain } => self.dns_zone(domain.as_deref()).and_then(value),
            Request::QueueList => self.queue_list().and_then(value),
            Request::QueueShow { id } => self.queue_show(&id).and_then(value),
            Request::QueueRetry { id } => self.queue_retry(id.as_deref()).and_then(value),
            Request::QueueHold { id } => self.queue_hold(&id).and_then(value),
            Request::QueueDrop { id } => self.queue_drop(&id).and_then(value),
            // What follows the answer is not done here (`follow_up`).
            Request::Import { user, .. } | Request::Export { user } => {
                self.person(&user).and_then(|(_, account)| value(account.0))
            }
        };
        match done {
            Ok(value) => Answer::Done(value),
            Err(No::Refused(why)) => Answer::Refused(why),
            Err(No::Failed(why)) => {
                log::error!("control {why}");
                Answer::Failed(why)
            }
        }
    }

    fn status(&self) -> Result<Status, No> {
        let (mut users, mut devices) = (0, 0);
        for person in self.registry.people()? {
            users += 1;
            devices += self.registry.devices(person.account)?.len();
        }
        let free = rustix::fs::statvfs(&self.facts.data)
            .map_err(|error| No::Failed(format!("{}: {error}", self.facts.data.display())))?;
        let port = |(name, address): &(&str, String)| PortAt {
            name: (*name).to_owned(),
            address: address.clone(),
        };
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started,
            data: self.facts.data.clone(),
            host: self.host.to_string(),
            ports: self.ports.iter().map(port).collect(),
            users,
            devices,
            sessions: (self.count_sessions)(),
            free_bytes: free.f_bavail.saturating_mul(free.f_frsize),
        })
    }

    fn user_list(&self) -> Result<Vec<User>, No> {
        let mut users = Vec::new();
        for person in self.registry.people()? {
            let devices = self.registry.devices(person.account)?.len();
            let enabled = person.standing == Standing::Enabled;
            let (account, addresses) = (person.account.0, person.addresses);
            let used = self.store.account(person.account).mailboxes();
            // An account that cannot be opened is still somebody's.
            let (used, messages) =
                used.map_or((0, 0), |mailboxes| (mailboxes.bytes(), mailboxes.messages()));
            let (quota, message_quota) = (person.quota, person.message_quota);
            users.push(User {
                account,
                addresses,
                devices,
                enabled,
                quota,
                used,
                message_quota,
                messages,
            });
        }
        Ok(users)
    }

    fn user_add(&self, text: &str) -> Result<UserAdded, No> {
        let address = address(text)?;
        self.must_be_ours(&address)?;
        if address.detail().is_some() {
            return Err(No::Refused(format!(
                "{address} belongs to {}@{} by its +: nobody can be added with it",
                address.user(),
                address.domain()
            )));
        }
        let mut salt = [0; 16];
        rand_bytes(&mut salt).map_err(RegistryError::Keys)?;
        let account = self.registry.add_person(&address, salt, net::now())?;
        log::info!("control user={address} account={account} added");
        Ok(UserAdded { account: account.0, address: address.to_string() })
    }

    fn must_be_ours(&self, address: &Address) -> Result<(), No> {
        let mut ours: Vec<String> = self.domain_list()?.into_iter().map(|row| row.domain).collect();
        if ours.iter().any(|domain| domain == address.domain().as_str()) {
            return Ok(());
        }
        ours.sort();
        Err(No::Refused(format!(
            "{} is not a domain of this box, so mail for {address} would not come here. Its domains are {}; `pillarbox \
             domain add {}` makes it one",
            address.domain(),
            ours.join(", "),
            address.domain()
        )))
    }

    fn user_set(
        &self,
        text: &str,
        enabled: Option<bool>,
        quota: Option<Quota>,
        message_quota: Option<MessageQuota>,
    ) -> Result<User, No> {
        let (address, account) = self.person(text)?;
        if let Some(enabled) = enabled {
            let standing = if enabled { Standing::Enabled } else { Standing::Disabled };
            self.registry.set_standing(account, standing)?;
            if !enabled {
                (self.end_sessions)(account);
            }
        }
        if let Some(quota) = quota {
            let bytes = match quota {
                Quota::None => None,
                Quota::Bytes(bytes) => Some(bytes),
            };
            self.registry.set_quota(account, bytes)?;
            self.store.account(account).set_quota(bytes);
        }
        if let Some(quota) = message_quota {
            let messages = match quota {
                MessageQuota::None => None,
                MessageQuota::Messages(messages) => Some(messages),
            };
            self.registry.set_message_quota(account, messages)?;
            self.store.account(account).set_message_quota(messages);
        }
        log::info!(
            "control user={address} enabled={enabled:?} quota={quota:?} message_quota={message_quota:?}"
        );
        let users = self.user_list()?;
        let user = users.into_iter().find(|user| user.account == account.0);
        user.ok_or_else(|| RegistryError::Nobody(address.to_string()).into())
    }

    fn alias_list(&self) -> Result<Vec<AliasTo>, No> {
        let aliases = self.registry.aliases()?.into_iter();
        Ok(aliases.map(|alias| AliasTo { alias: alias.address, users: alias.people }).collect())
    }

    fn alias(&self, alias: &Address) -> Result<AliasTo, No> {
        let name = alias.to_string().to_lowercase();
        let left = self.alias_list()?.into_iter().find(|row| row.alias == name);
        Ok(left.unwrap_or(AliasTo { alias: name, users: Vec::new() }))
    }

    fn alias_add(&self, alias: &str, user: &str) -> Result<AliasTo, No> {
        let (alias, user) = (address(alias)?, address(user)?);
        self.must_be_ours(&alias)?;
        self.registry.add_alias(&alias, &user)?;
        log::info!("control alias={alias} to={user} added");
        self.alias(&alias)
    }

    fn alias_remove(&self, alias: &str, user: Option<&str>) -> Result<AliasTo, No> {
        let alias = address(alias)?;
        let user = user.map(address).transpose()?;
        if !self.registry.remove_alias(&alias, user.as_ref())? {
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
            })
            .collect();
        for domain in &self.facts.domains {
            if rows.iter().all(|row| row.domain != domain.as_str()) {
                let domain = domain.to_string();
                rows.push(DomainRow { domain, catch_all: None, in_settings: true });
            }
        }
        rows.sort_by(|a, b| a.domain.cmp(&b.domain));
        Ok(rows)
    }

    fn domain_row(&self, domain: &Domain) -> Result<DomainRow, No> {
        let row = self.domain_list()?.into_iter().find(|row| row.domain == domain.as_str());
        let gone = DomainRow { domain: domain.to_string(), catch_all: None, in_settings: false };
        Ok(row.unwrap_or(gone))
    }

    fn domain_add(&self, text: &str, catch_all: Option<&str>) -> Result<DomainRow, No> {
        let domain = domain(text)?;
        let catch_all = catch_all.map(address).transpose()?;
        self.registry.add_domain(&domain, catch_all.as_ref())?;
        log::info!("control domain={domain} added");
        self.make_keys(&domain)?;
        self.domain_row(&domain)
    }

    fn domain_remove(&self, text: &str) -> Result<DomainRow, No> {
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

    /// First nobody can log in or get mail any more, then the mail is moved: cut off between, it lies where it was.
    fn user_remove(&self, text: &str) -> Result<UserRemoved, No> {
        let address = address(text)?;
        let left = self.registry.remove_person(&address)?;
        (self.end_sessions)(left.account);
        log::info!("control user={address} account={} removed", left.account);
        let mail = self.store.put_aside(left.account).map_err(|error| {
            No::Failed(format!(
                "{address} is removed and can no longer log in, but the mail could not be moved aside and lies in {}: {error}",
                self.facts.data.join("accounts").join(left.account.to_string()).display()
            ))
        })?;
        let (account, addresses, devices) = (left.account.0, left.addresses, left.devices);
        Ok(UserRemoved { account, addresses, devices, mail })
    }

    pub(super) fn person(&self, text: &str) -> Result<(Address, AccountId), No> {
        let address = address(text)?;
        match self.registry.resolve(&address)? {
            Some(account) => Ok((address, account)),
            None => Err(RegistryError::Nobody(address.to_string()).into()),
        }
    }
}

fn address(text: &str) -> Result<Address, No> {
    Address::parse(text.as_bytes())
        .map_err(|error| No::Refused(format!("{}: {error}", crate::base::Quoted(text.as_bytes()))))
}

/// Reads what is to be a domain.
pub fn domain(text: &str) -> Result<Domain, No> {
    let named = Domain::parse(text).filter(|domain| !domain.as_str().starts_with('['));
    named.ok_or_else(|| {
        No::Refused(format!("{} is no domain", crate::base::Quoted(text.as_bytes())))
    })
}

fn value(done: impl Serialize) -> Result<serde_json::Value, No> {
    serde_json::to_value(done).map_err(|error| No::Failed(format!("answer: {error}")))
}
