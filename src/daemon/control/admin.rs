//! Does what is asked over the control socket. Blocks: it speaks to the registry and moves folders.

use super::wire::{
    Answer, Device, NewDevice, PortAt, Request, Revoked, Status, User, UserAdded, UserRemoved,
};
use crate::base::AccountId;
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{Registry, RegistryError};
use crate::sasl::device::DevicePassword;
use crate::store::Store;
use openssl::rand::rand_bytes;
use serde::Serialize;
use std::net::SocketAddr;
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
    pub ports: Vec<(&'static str, SocketAddr)>,
    /// People and devices.
    pub registry: Arc<Registry>,
    /// Their mail.
    pub store: Arc<Store>,
    /// Ends the sessions of an account.
    pub end_sessions: Box<dyn Fn(AccountId) + Send + Sync>,
    /// How many sessions there are.
    pub count_sessions: Box<dyn Fn() -> usize + Send + Sync>,
}

/// Why something was not done.
enum No {
    Refused(String),
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
            | RegistryError::Version(_) => Self::Failed(error.to_string()),
        }
    }
}

const DEVICE_NAME_LEN_MAX: usize = 64;
/// A household, with some patience. Each device is a comparison at a login.
const DEVICES_MAX: usize = 100;

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
        let port = |&(name, address): &(&str, _)| PortAt { name: name.to_owned(), address };
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
            users.push(User { account: person.account.0, addresses: person.addresses, devices });
        }
        Ok(users)
    }

    fn user_add(&self, text: &str) -> Result<UserAdded, No> {
        let address = address(text)?;
        if !self.facts.domains.contains(address.domain()) {
            let ours: Vec<&str> = self.facts.domains.iter().map(Domain::as_str).collect();
            return Err(No::Refused(format!(
                "{} is not a domain of this box, so mail for {address} would not come here. Its domains are {}; more \
                 are added to `domains` in pillarbox.toml",
                address.domain(),
                ours.join(", ")
            )));
        }
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

    fn person(&self, text: &str) -> Result<(Address, AccountId), No> {
        let address = address(text)?;
        match self.registry.resolve(&address)? {
            Some(account) => Ok((address, account)),
            None => Err(RegistryError::Nobody(address.to_string()).into()),
        }
    }

    fn device_list(&self, user: &str) -> Result<Vec<Device>, No> {
        let (_, account) = self.person(user)?;
        let devices = self.registry.devices(account)?.into_iter().map(|device| Device {
            id: device.id,
            name: device.name,
            added: device.added,
            used: device.used,
        });
        Ok(devices.collect())
    }

    fn device_add(&self, user: &str, name: Option<String>) -> Result<NewDevice, No> {
        let (address, account) = self.person(user)?;
        let name = name.unwrap_or_else(|| "device".to_owned());
        if name.is_empty() || name.len() > DEVICE_NAME_LEN_MAX || name.contains(char::is_control) {
            return Err(No::Refused(format!(
                "a device's name has 1 to {DEVICE_NAME_LEN_MAX} bytes and no control characters"
            )));
        }
        if self.registry.devices(account)?.len() >= DEVICES_MAX {
            return Err(No::Refused(format!(
                "{address} has {DEVICES_MAX} devices, which is the most; revoke those that are no longer used"
            )));
        }
        let mut bits = [0; 10];
        rand_bytes(&mut bits).map_err(RegistryError::Keys)?;
        let password = DevicePassword::from_random(bits);
        let id = self.registry.add_device(&address, &name, &password, net::now())?;
        log::info!("control account={account} device={id} added");
        Ok(NewDevice { id, name, password: password.spelled().reveal().clone() })
    }

    fn device_revoke(&self, user: &str, id: i64) -> Result<Revoked, No> {
        let (address, account) = self.person(user)?;
        if !self.registry.revoke_device(account, id)? {
            return Err(No::Refused(format!(
                "{address} has no device {id}; `pillarbox device list {address}` shows them"
            )));
        }
        // Sessions do not know by which device they logged in: all end, and those that still may come back.
        (self.end_sessions)(account);
        log::info!("control account={account} device={id} revoked");
        Ok(Revoked { id })
    }
}

fn address(text: &str) -> Result<Address, No> {
    Address::parse(text.as_bytes())
        .map_err(|error| No::Refused(format!("{}: {error}", crate::base::Quoted(text.as_bytes()))))
}

fn value(done: impl Serialize) -> Result<serde_json::Value, No> {
    serde_json::to_value(done).map_err(|error| No::Failed(format!("answer: {error}")))
}
