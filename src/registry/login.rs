//! Who logs in: a device's password, or its keys (SCRAM), held against what stands in the registry. Whoever asks may be
//! anyone.

use super::error::RegistryError;
use super::people::Registry;
use crate::base::{AccountId, Timestamp};
use crate::mail::Address;
use crate::sasl::device::{DevicePassword, Verifier};
use crate::sasl::{Credentials, Proof, ScramKeys, ScramSecrets};
use openssl::sha::sha256;
use rusqlite::{Connection, OptionalExtension, params};

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// Whose mail it is.
    pub account: AccountId,
    /// The address, for logs.
    pub name: String,
    /// The device whose password or key it was.
    pub device: i64,
}

/// `used` is kept to the hour: a phone that logs in each minute must not write each minute.
const USED_GRAIN: i64 = 3600;

impl Registry {
    /// Whose account these credentials open: a device of the address that they name. Nobody acts for another.
    pub fn log_in(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Option<LoggedIn>, RegistryError> {
        let Credentials { authzid, authcid, proof } = credentials;
        if authzid.as_ref().is_some_and(|other| !other.eq_ignore_ascii_case(authcid)) {
            return Ok(None);
        }
        let Ok(address) = Address::parse(authcid.as_bytes()) else { return Ok(None) };
        let found = match proof {
            Proof::Password(password) => self.check_login(&address, password.reveal(), now)?,
            Proof::Device(device) => self.check_device(&address, *device, now)?,
            Proof::Wrong => None,
        };
        let name = || address.to_string();
        Ok(found.map(|(account, device)| LoggedIn { account, name: name(), device }))
    }

    /// A salt and the keys of every device, for an exchange in SCRAM; `nonce` is random. A name that nobody has gets no keys and a salt that
    /// is always the same, so that it looks like another.
    pub fn scram_secrets(
        &self,
        name: &str,
        nonce: [u8; 18],
    ) -> Result<ScramSecrets, RegistryError> {
        let person = match Address::parse(name.as_bytes()) {
            Ok(address) => self.resolve(&address)?,
            Err(_) => None,
        };
        let db = self.lock();
        let Some(person) = person else {
            let secret: Vec<u8> =
                db.query_row("SELECT value FROM secrets WHERE name='unknown-names'", [], |row| {
                    row.get(0)
                })?;
            let digest = sha256(&[&secret, name.to_ascii_lowercase().as_bytes()].concat());
            let salt = digest.get(..16).unwrap_or_default().to_vec();
            return Ok(ScramSecrets { salt, nonce, keys: Vec::new() });
        };
        let salt =
            db.query_row("SELECT salt FROM people WHERE id=?", [person.0], |row| row.get(0))?;
        let mut statement = db.prepare_cached(
            "SELECT id, dashed_stored, dashed_server, plain_stored, plain_server FROM devices WHERE person=?",
        )?;
        let rows = statement.query_map([person.0], |row| {
            let keys = |stored, server| -> rusqlite::Result<ScramKeys> {
                Ok(ScramKeys { stored_key: row.get(stored)?, server_key: row.get(server)? })
            };
            Ok([(row.get(0)?, keys(1, 2)?), (row.get(0)?, keys(3, 4)?)])
        })?;
        let keys = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(ScramSecrets { salt, nonce, keys: keys.into_iter().flatten().collect() })
    }

    /// A device that has proved itself: is it still one of this address's?
    fn check_device(
        &self,
        address: &Address,
        device: i64,
        now: Timestamp,
    ) -> Result<Option<(AccountId, i64)>, RegistryError> {
        let Some(person) = self.resolve(address)? else { return Ok(None) };
        let db = self.lock();
        let found = db
            .prepare_cached("SELECT used FROM devices JOIN people ON people.id=person WHERE devices.id=? AND person=? AND NOT disabled")?
            .query_row(params![device, person.0], |row| row.get::<_, Option<i64>>(0))
            .optional()?;
        let Some(used) = found else { return Ok(None) };
        mark_used(&db, device, used, now)?;
        Ok(Some((person, device)))
    }

    /// Who logs in with this address and password, and by which device; costs one SHA-256 and looks at each device of the
    /// account.
    pub fn check_login(
        &self,
        address: &Address,
        password: &str,
        now: Timestamp,
    ) -> Result<Option<(AccountId, i64)>, RegistryError> {
        let (Some(person), Some(password)) =
            (self.resolve(address)?, DevicePassword::typed(password))
        else {
            return Ok(None);
        };
        let db = self.lock();
        let mut statement =
            db.prepare_cached(
                "SELECT devices.id, verifier, used FROM devices JOIN people ON people.id=person WHERE person=? AND NOT disabled",
            )?;
        let rows = statement.query_map([person.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, Option<i64>>(2)?))
        })?;
        let devices: Vec<_> = rows.collect::<Result<_, _>>()?;
        // Every device is compared, so that the time tells nothing.
        let is_it = |(_, kept, _): &(i64, [u8; 32], _)| Verifier(*kept).matches(&password);
        let hits: Vec<_> = devices.into_iter().filter(is_it).collect();
        let Some(&(id, _, used)) = hits.first() else { return Ok(None) };
        mark_used(&db, id, used, now)?;
        Ok(Some((person, id)))
    }
}

fn mark_used(
    db: &Connection,
    device: i64,
    used: Option<i64>,
    now: Timestamp,
) -> Result<(), RegistryError> {
    let hour = now.seconds() - now.seconds().rem_euclid(USED_GRAIN);
    if used != Some(hour) {
        db.execute("UPDATE devices SET used=? WHERE id=?", params![hour, device])?;
    }
    Ok(())
}
