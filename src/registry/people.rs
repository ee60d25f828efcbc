//! People, addresses and device passwords. Whoever may speak to the control socket decides what stands here; who logs
//! in over the network only asks.

use super::backup;
use super::error::RegistryError;
use crate::base::{AccountId, Timestamp};
use crate::mail::Address;
use crate::sasl::device::DevicePassword;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The open `state.db`.
#[derive(Debug)]
pub struct Registry {
    db: Mutex<Connection>,
    data: PathBuf,
}

/// Someone with mail here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Names the folder of the mail.
    pub account: AccountId,
    /// The first is the one that the person was added with.
    pub addresses: Vec<String>,
    /// May the person log in?
    pub standing: Standing,
    /// Bytes of mail that the person may have; `None`: as the disk has room.
    pub quota: Option<u64>,
    /// Messages that the person may have; `None`: any number.
    pub message_quota: Option<u64>,
    /// The server behind us that keeps their mail.
    pub lmtp: Option<String>,
}

/// May a person log in? Mail comes in either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// With every device.
    Enabled,
    /// Not until it is said otherwise.
    Disabled,
}

/// A phone or program that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Names it for `revoke`.
    pub id: i64,
    /// As the person calls it.
    pub name: String,
    /// When it was added, seconds since 1970.
    pub added: i64,
    /// When it last logged in, to the hour; seconds since 1970.
    pub used: Option<i64>,
}

/// What each version has that the one before has not.
const SCHEMA: [&str; 6] = ["
CREATE TABLE people(id INTEGER PRIMARY KEY AUTOINCREMENT, salt BLOB NOT NULL, added INTEGER NOT NULL);
CREATE TABLE addresses(address TEXT PRIMARY KEY, domain TEXT NOT NULL, person INTEGER NOT NULL REFERENCES people(id),
  position INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX addresses_person ON addresses(person);
CREATE INDEX addresses_domain ON addresses(domain);
CREATE TABLE devices(id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id),
  name TEXT NOT NULL, verifier BLOB NOT NULL, dashed_stored BLOB NOT NULL, dashed_server BLOB NOT NULL,
  plain_stored BLOB NOT NULL, plain_server BLOB NOT NULL, added INTEGER NOT NULL, used INTEGER);
CREATE INDEX devices_person ON devices(person);
", "
CREATE TABLE secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO secrets VALUES('unknown-names', randomblob(32));
", "
CREATE TABLE aliases(address TEXT NOT NULL, domain TEXT NOT NULL, person INTEGER NOT NULL REFERENCES people(id),
  PRIMARY KEY(address, person)) WITHOUT ROWID;
CREATE INDEX aliases_person ON aliases(person);
CREATE INDEX aliases_domain ON aliases(domain);
CREATE TABLE domains(domain TEXT PRIMARY KEY, catch_all INTEGER REFERENCES people(id)) WITHOUT ROWID;
ALTER TABLE people ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
", "
ALTER TABLE people ADD COLUMN quota INTEGER;
", "
ALTER TABLE people ADD COLUMN message_quota INTEGER;
", "
CREATE TABLE sts_policies(domain TEXT PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL, fetched INTEGER NOT NULL,
  until INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO secrets VALUES('srs', randomblob(32));
CREATE TABLE forwards(address TEXT NOT NULL, domain TEXT NOT NULL, target TEXT NOT NULL,
  PRIMARY KEY(address, target)) WITHOUT ROWID;
CREATE INDEX forwards_domain ON forwards(domain);
CREATE TABLE paths(path TEXT PRIMARY KEY, worked INTEGER, failed INTEGER, why TEXT) WITHOUT ROWID;
ALTER TABLE people ADD COLUMN lmtp TEXT;
ALTER TABLE domains ADD COLUMN lmtp TEXT;
CREATE TABLE tls_tallies(day INTEGER NOT NULL, domain TEXT NOT NULL, tally TEXT NOT NULL, UNIQUE(day, domain));
"];

impl Registry {
    /// Opens or makes `state.db` in the data folder.
    pub fn open(data: &Path) -> Result<Self, RegistryError> {
        let mut db = backup::open_sound(data)?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let known = usize::try_from(version).ok().and_then(|version| SCHEMA.get(version..));
        let missing = known.ok_or(RegistryError::Version(version))?;
        if !missing.is_empty() {
            let transaction = db.transaction()?;
            missing.iter().try_for_each(|step| transaction.execute_batch(step))?;
            transaction.pragma_update(
                None,
                "user_version",
                i64::try_from(SCHEMA.len()).unwrap_or(0),
            )?;
            transaction.commit()?;
        }
        backup::pass_numbers_of_mail(&db, data)?;
        let registry = Self { db: Mutex::new(db), data: data.to_owned() };
        registry.back_up()?;
        Ok(registry)
    }

    /// Keeps a copy beside `state.db`, for when that is damaged. Blocks.
    pub fn back_up(&self) -> Result<(), RegistryError> {
        backup::write(&self.lock(), &self.data)
    }

    /// After each change: what was just said to be so must not be lost with a damaged `state.db`.
    pub(super) fn changed(&self, db: &Connection) {
        if let Err(error) = backup::write(db, &self.data) {
            log::error!("state.db has no backup of this change: {error}");
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Someone's first address.
    pub fn first_address(&self, person: AccountId) -> Result<Option<Address>, RegistryError> {
        let db = self.lock();
        let found: Option<String> = db
            .prepare_cached("SELECT address FROM addresses WHERE person=? AND position=0")?
            .query_row([person.0], |row| row.get(0))
            .optional()?;
        Ok(found.and_then(|text| Address::parse(text.as_bytes()).ok()))
    }

    /// Adds someone. `salt` is 16 random bytes, for this account's SCRAM keys.
    pub fn add_person(
        &self,
        address: &Address,
        salt: [u8; 16],
        now: Timestamp,
    ) -> Result<AccountId, RegistryError> {
        let mut db = self.lock();
        let transaction = db.transaction()?;
        transaction
            .execute("INSERT INTO people(salt, added) VALUES(?,?)", params![salt, now.seconds()])?;
        let id = transaction.last_insert_rowid();
        let added = transaction.execute(
            "INSERT INTO addresses(address, domain, person, position) VALUES(?,?,?,0) ON CONFLICT DO NOTHING",
            params![key(address), address.domain().as_str(), id],
        )?;
        if added == 0 {
            return Err(RegistryError::AddressTaken(address.to_string()));
        }
        transaction.commit()?;
        self.changed(&db);
        Ok(account(id))
    }

    /// Everybody, in the order in which they were added.
    pub fn people(&self) -> Result<Vec<Person>, RegistryError> {
        let db = self.lock();
        let mut statement =
            db.prepare_cached(
                "SELECT person, address, disabled, quota, message_quota, lmtp FROM addresses JOIN people ON people.id=person ORDER BY person, position",
            )?;
        let rows = statement.query_map([], |row| {
            let standing = if row.get(2)? { Standing::Disabled } else { Standing::Enabled };
            let quota = row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned);
            let message_quota = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
            let (account, addresses) = (account(row.get(0)?), vec![row.get(1)?]);
            Ok(Person { account, addresses, standing, quota, message_quota, lmtp: row.get(5)? })
        })?;
        let mut people: Vec<Person> = Vec::new();
        for row in rows {
            let next = row?;
            match people.last_mut().filter(|person| person.account == next.account) {
                Some(person) => person.addresses.extend(next.addresses),
                None => people.push(next),
            }
        }
        Ok(people)
    }

    /// Whose mail this is: the address itself, or the address without its `+detail`.
    pub fn resolve(&self, address: &Address) -> Result<Option<AccountId>, RegistryError> {
        let db = self.lock();
        let mut find = db.prepare_cached("SELECT person FROM addresses WHERE address=?")?;
        for name in [key(address), plain_key(address)] {
            if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
                return Ok(Some(account(id)));
            }
        }
        Ok(None)
    }

    /// Who gets mail to postmaster: the first that was added.
    pub fn postmaster(&self) -> Result<Option<Person>, RegistryError> {
        Ok(self.people()?.into_iter().next())
    }

    /// Lets a device of someone log in with this password. The device's number.
    pub fn add_device(
        &self,
        address: &Address,
        name: &str,
        password: &DevicePassword,
        now: Timestamp,
    ) -> Result<i64, RegistryError> {
        let person =
            self.resolve(address)?.ok_or_else(|| RegistryError::Nobody(address.to_string()))?;
        let db = self.lock();
        let salt: Vec<u8> =
            db.query_row("SELECT salt FROM people WHERE id=?", [person.0], |row| row.get(0))?;
        let [dashed, plain] = password.scram_keys(&salt).map_err(RegistryError::Keys)?;
        db.execute(
            "INSERT INTO devices(person, name, verifier, dashed_stored, dashed_server, plain_stored, plain_server, added)
             VALUES(?,?,?,?,?,?,?,?)",
            params![
                person.0,
                name,
                password.verifier().0,
                dashed.stored_key,
                dashed.server_key,
                plain.stored_key,
                plain.server_key,
                now.seconds(),
            ],
        )?;
        let id = db.last_insert_rowid();
        self.changed(&db);
        Ok(id)
    }

    /// Someone's devices.
    pub fn devices(&self, person: AccountId) -> Result<Vec<Device>, RegistryError> {
        let db = self.lock();
        let mut statement = db.prepare_cached(
            "SELECT id, name, added, used FROM devices WHERE person=? ORDER BY id",
        )?;
        let rows = statement.query_map([person.0], |row| {
            Ok(Device { id: row.get(0)?, name: row.get(1)?, added: row.get(2)?, used: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes a device's password away. False if that person has no such device.
    pub fn revoke_device(&self, person: AccountId, device: i64) -> Result<bool, RegistryError> {
        let db = self.lock();
        let gone =
            db.execute("DELETE FROM devices WHERE person=? AND id=?", params![person.0, device])?;
        self.changed(&db);
        Ok(gone > 0)
    }
}

pub(super) fn account(id: i64) -> AccountId {
    AccountId(u32::try_from(id).unwrap_or(u32::MAX))
}

/// Addresses are compared without regard to case: nobody means two people by `Bob@` and `bob@`.
pub(super) fn key(address: &Address) -> String {
    format!("{}@{}", address.local().to_lowercase(), address.domain())
}

pub(super) fn plain_key(address: &Address) -> String {
    format!("{}@{}", address.user().to_lowercase(), address.domain())
}

#[cfg(test)]
mod tests {
    use super::{Address, DevicePassword, Registry, RegistryError, Timestamp};

    #[test]
    fn only_the_right_password_of_a_device_that_is_not_revoked_opens() {
        let path = std::env::temp_dir().join(format!("pillarbox-registry-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        let ann = Address::parse(b"Ann@example.org").unwrap();
        let password = DevicePassword::from_random([7; 10]);
        let (spelled, other) = (password.spelled(), DevicePassword::from_random([8; 10]).spelled());
        let account = {
            let registry = Registry::open(&path).unwrap();
            let account = registry.add_person(&ann, [1; 16], now).unwrap();
            let again = registry.add_person(&ann, [1; 16], now);
            assert!(matches!(again, Err(RegistryError::AddressTaken(_))));
            registry.add_device(&ann, "phone", &password, now).unwrap();
            account
        };
        let registry = Registry::open(&path).unwrap();
        let check = |address: &str, password: &str| {
            let address = Address::parse(address.as_bytes()).unwrap();
            registry.check_login(&address, password, now).unwrap().map(|(who, _)| who)
        };
        assert_eq!(check("ann@EXAMPLE.org", spelled.reveal()), Some(account));
        assert_eq!(check("ann@example.org", &spelled.reveal().replace('-', "")), Some(account));
        assert_eq!(check("ann@example.org", other.reveal()), None);
        assert_eq!(check("ann@example.org", ""), None);
        assert_eq!(check("bob@example.org", spelled.reveal()), None);
        let plus = Address::parse(b"ann+lists@example.org").unwrap();
        assert_eq!(registry.resolve(&plus).unwrap(), Some(account));
        assert!(registry.is_ours(plus.domain()).unwrap());
        let device = &registry.devices(account).unwrap()[0];
        assert_eq!((device.name.as_str(), device.used), ("phone", Some(1_699_999_200)));
        assert!(registry.revoke_device(account, device.id).unwrap());
        assert_eq!(check("ann@example.org", spelled.reveal()), None);
        assert_eq!(registry.people().unwrap().len(), 1);
        drop(registry);
        std::fs::create_dir_all(path.join("accounts").join("1")).unwrap();
        Registry::open(&path).unwrap();
        std::fs::remove_file(path.join("state.db")).unwrap();
        std::fs::remove_file(path.join("state.db.backup")).unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::Lost(_))));
        assert!(!path.join("state.db").exists(), "made anew");
        std::fs::remove_dir_all(path).unwrap();
    }
}
