//! Mail that does not end in a mailbox here: addresses whose mail goes on to other servers, and people and domains whose
//! mailboxes a server behind this one keeps. Whoever may speak to the control socket decides.

use super::error::RegistryError;
use super::people::{Registry, key, plain_key};
use crate::base::{AccountId, Endpoint};
use crate::mail::{Address, Domain};
use rusqlite::{OptionalExtension, params};

/// An address of ours whose mail goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The address.
    pub address: String,
    /// Where its mail goes.
    pub targets: Vec<String>,
}

impl Registry {
    /// The secret of rewritten senders (SRS), 32 bytes.
    pub fn srs_secret(&self) -> Result<Vec<u8>, RegistryError> {
        let db = self.lock();
        let mut find = db.prepare_cached("SELECT value FROM secrets WHERE name='srs'")?;
        Ok(find.query_row([], |row| row.get(0))?)
    }

    /// Where mail for an address goes on to, with or without its `+detail`.
    pub fn forwards(&self, address: &Address) -> Result<Vec<Address>, RegistryError> {
        let db = self.lock();
        let mut find =
            db.prepare_cached("SELECT target FROM forwards WHERE address=? ORDER BY target")?;
        for name in [key(address), plain_key(address)] {
            let rows = find.query_map([name], |row| row.get::<_, String>(0))?;
            let targets: Vec<String> = rows.collect::<Result<_, _>>()?;
            if !targets.is_empty() {
                let parsed = targets.iter().filter_map(|text| Address::parse(text.as_bytes()).ok());
                return Ok(parsed.collect());
            }
        }
        Ok(Vec::new())
    }

    /// Mail for an address of ours goes on to this one too. Refused: somebody has the address. Blocks.
    pub fn add_forward(&self, address: &Address, target: &Address) -> Result<(), RegistryError> {
        if self.resolve(address)?.is_some() {
            return Err(RegistryError::AddressTaken(address.to_string()));
        }
        let db = self.lock();
        db.execute(
            "INSERT OR IGNORE INTO forwards VALUES(?, ?, ?)",
            params![key(address), address.domain().as_str(), target.to_string()],
        )?;
        self.changed(&db);
        Ok(())
    }

    /// Mail for an address goes on to `target` no more, or to nobody. False if it did not. Blocks.
    pub fn remove_forward(
        &self,
        address: &Address,
        target: Option<&Address>,
    ) -> Result<bool, RegistryError> {
        let db = self.lock();
        let target = target.map(ToString::to_string);
        let gone = db.execute(
            "DELETE FROM forwards WHERE address=?1 AND (?2 IS NULL OR lower(target)=lower(?2))",
            params![key(address), target],
        )?;
        self.changed(&db);
        Ok(gone > 0)
    }

    /// All of them.
    pub fn all_forwards(&self) -> Result<Vec<Forward>, RegistryError> {
        let db = self.lock();
        let mut all =
            db.prepare_cached("SELECT address, target FROM forwards ORDER BY address, target")?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut found: Vec<Forward> = Vec::new();
        for row in rows {
            let (address, target): (String, String) = row?;
            match found.last_mut().filter(|last| last.address == address) {
                Some(last) => last.targets.push(target),
                None => found.push(Forward { address, targets: vec![target] }),
            }
        }
        Ok(found)
    }

    /// The server behind us that keeps a person's mail.
    pub fn lmtp_of_person(&self, person: AccountId) -> Result<Option<Endpoint>, RegistryError> {
        let db = self.lock();
        let found: Option<Option<String>> = db
            .prepare_cached("SELECT lmtp FROM people WHERE id=?")?
            .query_row([person.0], |row| row.get(0))
            .optional()?;
        Ok(found.flatten().and_then(|text| Endpoint::address_or_socket(&text)))
    }

    /// The server behind us that keeps a domain's mail.
    pub fn lmtp_of_domain(&self, domain: &Domain) -> Result<Option<Endpoint>, RegistryError> {
        let db = self.lock();
        let found: Option<Option<String>> = db
            .prepare_cached("SELECT lmtp FROM domains WHERE domain=?")?
            .query_row([domain.as_str()], |row| row.get(0))
            .optional()?;
        Ok(found.flatten().and_then(|text| Endpoint::address_or_socket(&text)))
    }

    /// A person's mail goes to a server behind us from now on, or is kept here again. Blocks.
    pub fn set_lmtp_of_person(
        &self,
        person: AccountId,
        server: Option<&Endpoint>,
    ) -> Result<(), RegistryError> {
        let db = self.lock();
        let server = server.map(ToString::to_string);
        db.execute("UPDATE people SET lmtp=? WHERE id=?", params![server, person.0])?;
        self.changed(&db);
        Ok(())
    }

    /// The same of a domain, for addresses that nobody has here. False if it is not one of ours. Blocks.
    pub fn set_lmtp_of_domain(
        &self,
        domain: &Domain,
        server: Option<&Endpoint>,
    ) -> Result<bool, RegistryError> {
        let db = self.lock();
        let server = server.map(ToString::to_string);
        let set = db.execute(
            "UPDATE domains SET lmtp=? WHERE domain=?",
            params![server, domain.as_str()],
        )?;
        self.changed(&db);
        Ok(set > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Domain, Endpoint, Forward, Registry};
    use crate::base::Timestamp;

    #[test]
    fn where_mail_goes_on_to() {
        let data =
            std::env::temp_dir().join(format!("pillarbox-registry-onward-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir(&data).unwrap();
        let registry = Registry::open(&data).unwrap();
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let ann = address("ann@example.org");
        let person = registry.add_person(&ann, [0; 16], Timestamp::default()).unwrap();
        let (club, one, two) =
            (address("club@example.org"), address("One@else.example"), address("two@else.example"));
        assert!(registry.add_forward(&ann, &one).is_err(), "she has it herself");
        registry.add_forward(&club, &one).unwrap();
        registry.add_forward(&club, &one).unwrap();
        registry.add_forward(&club, &two).unwrap();
        assert_eq!(
            registry.forwards(&address("Club+x@example.org")).unwrap(),
            [one.clone(), two.clone()]
        );
        assert!(registry.is_ours(&Domain::parse("example.org").unwrap()).unwrap());
        let targets = vec![one.to_string(), two.to_string()];
        let listed = Forward { address: "club@example.org".into(), targets };
        assert_eq!(registry.all_forwards().unwrap(), [listed]);
        assert!(registry.remove_forward(&club, Some(&address("one@else.example"))).unwrap());
        assert!(!registry.remove_forward(&club, Some(&one)).unwrap());
        assert!(registry.remove_forward(&club, None).unwrap());
        assert!(registry.forwards(&club).unwrap().is_empty());
        let server = Endpoint::address_or_socket("/run/dovecot/lmtp").unwrap();
        registry.set_lmtp_of_person(person, Some(&server)).unwrap();
        assert_eq!(registry.lmtp_of_person(person).unwrap(), Some(server.clone()));
        registry.set_lmtp_of_person(person, None).unwrap();
        assert_eq!(registry.lmtp_of_person(person).unwrap(), None);
        let domain = Domain::parse("b.example").unwrap();
        assert!(!registry.set_lmtp_of_domain(&domain, Some(&server)).unwrap());
        registry.add_domain(&domain, None).unwrap();
        assert!(registry.set_lmtp_of_domain(&domain, Some(&server)).unwrap());
        assert_eq!(registry.lmtp_of_domain(&domain).unwrap(), Some(server));
        std::fs::remove_dir_all(data).unwrap();
    }
}
