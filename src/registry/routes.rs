//! Where mail for an address goes, and who may send under it: a person's own addresses, aliases that several may share,
//! domains, and whoever gets what nobody has an address for. Peers ask; whoever may speak to the control socket decides.

use super::error::RegistryError;
use super::people::{Registry, Standing, account, key, plain_key};
use crate::base::AccountId;
use crate::mail::{Address, Domain};
use rusqlite::{OptionalExtension, params};

/// An alias and whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The address.
    pub address: String,
    /// The first addresses of those who get its mail.
    pub people: Vec<String>,
}

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurDomain {
    /// Its name.
    pub domain: String,
    /// The first address of whoever gets mail for addresses that nobody has.
    pub catch_all: Option<String>,
    /// The server behind us that keeps the mail of the rest.
    pub lmtp: Option<String>,
}

impl Registry {
    /// Who gets mail for this address: whoever has it, with or without its `+detail`; else those that an alias names; else
    /// the domain's catch-all. Nobody: there is no such address.
    pub fn recipients(&self, address: &Address) -> Result<Vec<AccountId>, RegistryError> {
        if let Some(person) = self.resolve(address)? {
            return Ok(vec![person]);
        }
        let db = self.lock();
        let mut aliases =
            db.prepare_cached("SELECT person FROM aliases WHERE address=? ORDER BY person")?;
        for name in [key(address), plain_key(address)] {
            let rows = aliases.query_map([name], |row| row.get(0).map(account))?;
            let people: Vec<AccountId> = rows.collect::<Result<_, _>>()?;
            if !people.is_empty() {
                return Ok(people);
            }
        }
        let catch_all: Option<Option<i64>> = db
            .prepare_cached("SELECT catch_all FROM domains WHERE domain=?")?
            .query_row([address.domain().as_str()], |row| row.get(0))
            .optional()?;
        Ok(catch_all.flatten().map(account).into_iter().collect())
    }

    /// May this account send under this address? Whoever gets its mail may.
    pub fn may_send(&self, account: AccountId, address: &Address) -> Result<bool, RegistryError> {
        Ok(self.recipients(address)?.contains(&account))
    }

    /// Do we take mail for this domain: is it one of ours, or has anybody an address or an alias in it?
    pub fn is_ours(&self, domain: &Domain) -> Result<bool, RegistryError> {
        let db = self.lock();
        let mut find = db.prepare_cached(
            "SELECT 1 FROM domains WHERE domain=?1 UNION ALL SELECT 1 FROM addresses WHERE domain=?1
             UNION ALL SELECT 1 FROM aliases WHERE domain=?1 UNION ALL SELECT 1 FROM forwards WHERE domain=?1 LIMIT 1",
        )?;
        Ok(find.exists([domain.as_str()])?)
    }

    /// Mail for `alias` goes to this person too. An address that somebody has cannot be one.
    pub fn add_alias(&self, alias: &Address, person: &Address) -> Result<(), RegistryError> {
        let to = self.resolve(person)?.ok_or_else(|| RegistryError::Nobody(person.to_string()))?;
        let db = self.lock();
        let taken =
            db.prepare_cached("SELECT 1 FROM addresses WHERE address=?")?.exists([key(alias)])?;
        if taken {
            return Err(RegistryError::AddressTaken(alias.to_string()));
        }
        db.execute(
            "INSERT INTO aliases(address, domain, person) VALUES(?,?,?) ON CONFLICT DO NOTHING",
            params![key(alias), alias.domain().as_str(), to.0],
        )?;
        self.changed(&db);
        Ok(())
    }

    /// Mail for `alias` goes to this person no more, or to nobody. False: it did not.
    pub fn remove_alias(
        &self,
        alias: &Address,
        person: Option<&Address>,
    ) -> Result<bool, RegistryError> {
        let person = match person {
            Some(address) => Some(
                self.resolve(address)?.ok_or_else(|| RegistryError::Nobody(address.to_string()))?,
            ),
            None => None,
        };
        let db = self.lock();
        let gone = db.execute(
            "DELETE FROM aliases WHERE address=?1 AND (?2 IS NULL OR person=?2)",
            params![key(alias), person.map(|person| person.0)],
        )?;
        self.changed(&db);
        Ok(gone > 0)
    }

    /// All aliases, by address.
    pub fn aliases(&self) -> Result<Vec<Alias>, RegistryError> {
        let db = self.lock();
        let mut statement = db.prepare_cached(
            "SELECT aliases.address, addresses.address FROM aliases JOIN addresses
             ON addresses.person=aliases.person AND position=0 ORDER BY aliases.address, aliases.person",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut aliases: Vec<Alias> = Vec::new();
        for row in rows {
            let (address, person) = row?;
            match aliases.last_mut().filter(|alias| alias.address == address) {
                Some(alias) => alias.people.push(person),
                None => aliases.push(Alias { address, people: vec![person] }),
            }
        }
        Ok(aliases)
    }

    /// A domain becomes ours, or its catch-all another's.
    pub fn add_domain(
        &self,
        domain: &Domain,
        catch_all: Option<&Address>,
    ) -> Result<(), RegistryError> {
        let person = match catch_all {
            Some(address) => Some(
                self.resolve(address)?.ok_or_else(|| RegistryError::Nobody(address.to_string()))?,
            ),
            None => None,
        };
        let db = self.lock();
        db.execute(
            "INSERT INTO domains(domain, catch_all) VALUES(?1,?2) ON CONFLICT(domain) DO UPDATE SET catch_all=?2",
            params![domain.as_str(), person.map(|person| person.0)],
        )?;
        self.changed(&db);
        Ok(())
    }

    /// A domain is ours no more. False: it was none. Addresses in it stay.
    pub fn remove_domain(&self, domain: &Domain) -> Result<bool, RegistryError> {
        let db = self.lock();
        let gone = db.execute("DELETE FROM domains WHERE domain=?", [domain.as_str()])?;
        self.changed(&db);
        Ok(gone > 0)
    }

    /// Domains that were added, by name.
    pub fn domains(&self) -> Result<Vec<OurDomain>, RegistryError> {
        let db = self.lock();
        let mut statement = db.prepare_cached(
            "SELECT domains.domain, address, lmtp FROM domains LEFT JOIN addresses ON person=catch_all AND position=0
             ORDER BY domains.domain",
        )?;
        let rows = statement.query_map([], |row| {
            let (domain, catch_all) = (row.get(0)?, row.get(1)?);
            Ok(OurDomain { domain, catch_all, lmtp: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sets how many bytes of mail someone may have.
    pub fn set_quota(&self, person: AccountId, quota: Option<u64>) -> Result<(), RegistryError> {
        let quota = quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let db = self.lock();
        db.execute("UPDATE people SET quota=? WHERE id=?", params![quota, person.0])?;
        self.changed(&db);
        Ok(())
    }

    /// Sets how many messages someone may have.
    pub fn set_message_quota(
        &self,
        person: AccountId,
        quota: Option<u64>,
    ) -> Result<(), RegistryError> {
        let quota = quota.map(|messages| i64::try_from(messages).unwrap_or(i64::MAX));
        let db = self.lock();
        db.execute("UPDATE people SET message_quota=? WHERE id=?", params![quota, person.0])?;
        self.changed(&db);
        Ok(())
    }

    /// Lets someone log in, or not any more.
    pub fn set_standing(&self, person: AccountId, standing: Standing) -> Result<(), RegistryError> {
        let disabled = standing == Standing::Disabled;
        let db = self.lock();
        db.execute("UPDATE people SET disabled=? WHERE id=?", params![disabled, person.0])?;
        self.changed(&db);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Domain, Registry, RegistryError};
    use crate::base::Timestamp;

    #[test]
    fn mail_finds_its_way() {
        let path = std::env::temp_dir().join(format!("pillarbox-routes-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        let registry = Registry::open(&path).unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let domain = |text: &str| Domain::parse(text).unwrap();
        let ann = registry.add_person(&address("ann@example.org"), [1; 16], now).unwrap();
        let bob = registry.add_person(&address("bob@example.org"), [2; 16], now).unwrap();
        let to = |text: &str| registry.recipients(&address(text)).unwrap();
        assert_eq!(to("Ann+x@example.org"), [ann]);
        assert_eq!(to("family@example.org"), []);
        registry.add_alias(&address("family@example.org"), &address("bob@example.org")).unwrap();
        registry.add_alias(&address("Family@example.org"), &address("ann@example.org")).unwrap();
        assert_eq!(to("FAMILY+dogs@example.org"), [ann, bob]);
        let taken = registry.add_alias(&address("ann@example.org"), &address("bob@example.org"));
        assert!(matches!(taken, Err(RegistryError::AddressTaken(_))));
        assert_eq!(registry.aliases().unwrap()[0].people, ["ann@example.org", "bob@example.org"]);
        assert!(registry.may_send(bob, &address("family@example.org")).unwrap());
        assert!(!registry.may_send(bob, &address("ann@example.org")).unwrap());
        assert!(
            registry
                .remove_alias(&address("family@example.org"), Some(&address("bob@example.org")))
                .unwrap()
        );
        assert_eq!(to("family@example.org"), [ann]);
        // A second domain, and who gets the rest of it.
        assert!(!registry.is_ours(&domain("example.net")).unwrap());
        registry.add_domain(&domain("example.net"), None).unwrap();
        assert!(registry.is_ours(&domain("example.net")).unwrap());
        assert_eq!(to("any@example.net"), []);
        registry.add_domain(&domain("example.net"), Some(&address("bob@example.org"))).unwrap();
        assert_eq!(to("any@example.net"), [bob]);
        assert_eq!(registry.domains().unwrap()[0].catch_all.as_deref(), Some("bob@example.org"));
        // Who leaves takes the routes along.
        registry.remove_person(&address("bob@example.org")).unwrap();
        assert_eq!(to("any@example.net"), []);
        assert!(registry.remove_domain(&domain("example.net")).unwrap());
        std::fs::remove_dir_all(path).unwrap();
    }
}
