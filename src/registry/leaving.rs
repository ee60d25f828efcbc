//! Someone leaves: addresses and devices go with the person, in one step. Whoever may speak to the control socket asks
//! for it.

use super::error::RegistryError;
use super::people::{Registry, account, key};
use crate::base::AccountId;
use crate::mail::Address;
use rusqlite::OptionalExtension;

/// Who left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Named the folder of the mail; never given to another.
    pub account: AccountId,
    /// That nobody has now.
    pub addresses: Vec<String>,
    /// How many devices can no longer log in.
    pub devices: usize,
}

impl Registry {
    /// Takes someone out who has exactly this address: `+detail` names nobody here.
    pub fn remove_person(&self, address: &Address) -> Result<Left, RegistryError> {
        let mut db = self.lock();
        let transaction = db.transaction()?;
        let person: Option<i64> = transaction
            .query_row("SELECT person FROM addresses WHERE address=?", [key(address)], |row| {
                row.get(0)
            })
            .optional()?;
        let person = person.ok_or_else(|| RegistryError::Nobody(address.to_string()))?;
        let devices = transaction.execute("DELETE FROM devices WHERE person=?", [person])?;
        let addresses = {
            let mut taken =
                transaction.prepare("DELETE FROM addresses WHERE person=? RETURNING address")?;
            let rows = taken.query_map([person], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        transaction.execute("DELETE FROM aliases WHERE person=?", [person])?;
        transaction.execute("UPDATE domains SET catch_all=NULL WHERE catch_all=?", [person])?;
        transaction.execute("DELETE FROM people WHERE id=?", [person])?;
        transaction.commit()?;
        self.changed(&db);
        Ok(Left { account: account(person), addresses, devices })
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Registry, RegistryError};
    use crate::base::Timestamp;
    use crate::sasl::device::DevicePassword;

    #[test]
    fn who_left_cannot_log_in_and_gives_the_address_free_but_not_the_number() {
        let path = std::env::temp_dir().join(format!("pillarbox-leaving-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        let registry = Registry::open(&path).unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        let [ann, bob, plus] = [&b"Ann@example.org"[..], b"bob@example.org", b"ann+x@example.org"]
            .map(|text| Address::parse(text).unwrap());
        let password = DevicePassword::from_random([7; 10]);
        let first = registry.add_person(&ann, [1; 16], now).unwrap();
        let other = registry.add_person(&bob, [2; 16], now).unwrap();
        let phone = registry.add_device(&ann, "phone", &password, now).unwrap();
        let tablet = registry.add_device(&ann, "tablet", &password, now).unwrap();
        assert_ne!(phone, tablet);
        registry.add_device(&bob, "phone", &password, now).unwrap();
        assert!(matches!(registry.remove_person(&plus), Err(RegistryError::Nobody(_))));
        let left = registry.remove_person(&ann).unwrap();
        assert_eq!((left.account, left.devices), (first, 2));
        assert_eq!(left.addresses, ["ann@example.org"]);
        let typed = password.spelled();
        assert_eq!(registry.check_login(&ann, typed.reveal(), now).unwrap(), None);
        assert_eq!(
            registry.check_login(&bob, typed.reveal(), now).unwrap().map(|(who, _)| who),
            Some(other)
        );
        assert!(matches!(registry.remove_person(&ann), Err(RegistryError::Nobody(_))));
        registry.remove_person(&bob).unwrap();
        let again = registry.add_person(&ann, [3; 16], now).unwrap();
        assert!(again > other, "a number was given twice");
        std::fs::remove_dir_all(path).unwrap();
    }
}
