//! What is asked of devices and their passwords over the control socket. Blocks.

use super::admin::{Admin, No};
use super::wire::{Device, NewDevice, Revoked};
use crate::net;
use crate::registry::RegistryError;
use crate::sasl::device::DevicePassword;
use openssl::rand::rand_bytes;

const DEVICE_NAME_LEN_MAX: usize = 64;
/// A household, with some patience. Each device is a comparison at a login.
const DEVICES_MAX: usize = 100;

impl Admin {
    /// The devices of someone.
    pub(super) fn device_list(&self, user: &str) -> Result<Vec<Device>, No> {
        let (_, account) = self.person(user)?;
        let devices = self.registry.devices(account)?.into_iter().map(|device| Device {
            id: device.id,
            name: device.name,
            added: device.added,
            used: device.used,
        });
        Ok(devices.collect())
    }

    /// A password for a new device: the only time that it is shown.
    pub(super) fn device_add(&self, user: &str, name: Option<String>) -> Result<NewDevice, No> {
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

    /// Takes a device its password away, and ends what it may have open.
    pub(super) fn device_revoke(&self, user: &str, id: i64) -> Result<Revoked, No> {
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
