//! Does what is asked over the control socket. Blocks: it speaks to the registry and moves folders.

use super::wire::{
    Answer, Kept, MessageQuota, PathShown, PortAt, Quota, Request, Status, User, UserAdded,
    UserRemoved,
};
use crate::base::{AccountId, Endpoint};
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{PathRecord, Registry, RegistryError, Standing};
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
            | RegistryError::NoRoom(_)
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
            Request::UserSet { address, enabled, quota, message_quota, kept } => self
                .user_set(&address, enabled, quota, message_quota, kept.as_ref())
                .and_then(value),
            Request::AliasList => self.alias_list().and_then(value),
            Request::AliasAdd { alias, user } => self.alias_add(&alias, &user).and_then(value),
            Request::AliasRemove { alias, user } => {
                self.alias_remove(&alias, user.as_deref()).and_then(value)
            }
            Request::DomainList => self.domain_list().and_then(value),
            Request::DomainAdd { domain, catch_all, lmtp } => {
                self.domain_add(&domain, catch_all.as_deref(), lmtp.as_deref()).and_then(value)
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
        let path =
            |PathRecord { path, worked, failed, why }| PathShown { path, worked, failed, why };
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
            paths: self.registry.paths()?.into_iter().map(path).collect(),
        })
    }

    pub(super) fn user_list(&self) -> Result<Vec<User>, No> {
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
                lmtp: person.lmtp,
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

    pub(super) fn must_be_ours(&self, address: &Address) -> Result<(), No> {
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
        kept: Option<&Kept>,
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
        if let Some(kept) = kept {
            let server = match kept {
                Kept::Here => None,
                Kept::Behind(text) => Some(lmtp_server(text)?),
            };
            self.registry.set_lmtp_of_person(account, server.as_ref())?;
        }
        log::info!(
            "control user={address} enabled={enabled:?} quota={quota:?} message_quota={message_quota:?} kept={kept:?}"
        );
        let users = self.user_list()?;
        let user = users.into_iter().find(|user| user.account == account.0);
        user.ok_or_else(|| RegistryError::Nobody(address.to_string()).into())
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

/// Reads what is to be an address.
pub fn address(text: &str) -> Result<Address, No> {
    Address::parse(text.as_bytes())
        .map_err(|error| No::Refused(format!("{}: {error}", crate::base::Quoted(text.as_bytes()))))
}

/// Reads where a server behind us listens.
pub fn lmtp_server(text: &str) -> Result<Endpoint, No> {
    Endpoint::address_or_socket(text).ok_or_else(|| {
        No::Refused(format!(
            "{} is no place of an LMTP server: an address with a port, like 192.0.2.7:24, or the path of a socket, like \
             /run/dovecot/lmtp",
            crate::base::Quoted(text.as_bytes())
        ))
    })
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
