//! What is kept about TLS to other servers: domains' policies (MTA-STS), which must outlive a start, and what happened on
//! each day, until it has been reported. Others choose how many domains there are, so both are bounded.

use super::error::RegistryError;
use super::people::Registry;
use crate::mail::Domain;
use rusqlite::{OptionalExtension, params};

/// A policy as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPolicy {
    /// The id that DNS had for it.
    pub id: String,
    /// Its text.
    pub text: String,
    /// When it was fetched, seconds since 1970.
    pub fetched: i64,
    /// How long it holds, seconds since 1970.
    pub until: i64,
}

/// A day's counts for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTally {
    /// Days since 1970.
    pub day: i64,
    /// The domain.
    pub domain: String,
    /// The counts, in JSON.
    pub tally: String,
}

const POLICIES_MAX: i64 = 10_000;
const TALLIES_MAX: i64 = 10_000;

impl Registry {
    /// The policy that was kept for a domain. Blocks.
    pub fn sts_policy(&self, domain: &Domain) -> Result<Option<KeptPolicy>, RegistryError> {
        let db = self.lock();
        let mut find =
            db.prepare_cached("SELECT id, text, fetched, until FROM sts_policies WHERE domain=?")?;
        let read = |row: &rusqlite::Row<'_>| {
            let (id, text) = (row.get(0)?, row.get(1)?);
            Ok(KeptPolicy { id, text, fetched: row.get(2)?, until: row.get(3)? })
        };
        Ok(find.query_row([domain.as_str()], read).optional()?)
    }

    /// Keeps a policy. When there are too many, those that hold the shortest go. Blocks.
    pub fn keep_sts_policy(&self, domain: &Domain, kept: &KeptPolicy) -> Result<(), RegistryError> {
        let mut db = self.lock();
        let change = db.transaction()?;
        change.execute(
            "INSERT OR REPLACE INTO sts_policies VALUES(?, ?, ?, ?, ?)",
            params![domain.as_str(), kept.id, kept.text, kept.fetched, kept.until],
        )?;
        change.execute(
            "DELETE FROM sts_policies WHERE domain IN
             (SELECT domain FROM sts_policies ORDER BY until DESC LIMIT -1 OFFSET ?)",
            [POLICIES_MAX],
        )?;
        Ok(change.commit()?)
    }

    /// What is kept of the days until this one. Blocks.
    pub fn tls_tallies(&self, until: i64) -> Result<Vec<DayTally>, RegistryError> {
        let db = self.lock();
        let mut find =
            db.prepare_cached("SELECT day, domain, tally FROM tls_tallies WHERE day<=?")?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(DayTally { day: row.get(0)?, domain: row.get(1)?, tally: row.get(2)? })
        };
        Ok(find.query_map([until], read)?.collect::<Result<_, _>>()?)
    }

    /// Keeps counts in place of those that were there. Blocks.
    pub fn keep_tls_tallies(&self, tallies: &[DayTally]) -> Result<(), RegistryError> {
        let mut db = self.lock();
        let change = db.transaction()?;
        for DayTally { day, domain, tally } in tallies {
            change.execute(
                "INSERT OR REPLACE INTO tls_tallies VALUES(?, ?, ?)",
                params![day, domain, tally],
            )?;
        }
        change.execute(
            "DELETE FROM tls_tallies WHERE rowid IN
             (SELECT rowid FROM tls_tallies ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
            [TALLIES_MAX],
        )?;
        Ok(change.commit()?)
    }

    /// Forgets a day of a domain. Blocks.
    pub fn forget_tls_tally(&self, day: i64, domain: &str) -> Result<(), RegistryError> {
        self.lock()
            .execute("DELETE FROM tls_tallies WHERE day=? AND domain=?", params![day, domain])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DayTally, Domain, KeptPolicy, Registry};

    #[test]
    fn policies_and_days_are_kept_until_they_are_replaced() {
        let data =
            std::env::temp_dir().join(format!("pillarbox-registry-tls-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir(&data).unwrap();
        let registry = Registry::open(&data).unwrap();
        let domain = Domain::parse("else.example").unwrap();
        assert_eq!(registry.sts_policy(&domain).unwrap(), None);
        let mut kept = KeptPolicy { id: "1".into(), text: "a\nb".into(), fetched: 7, until: 9 };
        registry.keep_sts_policy(&domain, &kept).unwrap();
        kept.id = "2".into();
        registry.keep_sts_policy(&domain, &kept).unwrap();
        let day = |day, domain: &str, tally: &str| DayTally {
            day,
            domain: domain.into(),
            tally: tally.into(),
        };
        let first = [day(5, "a.example", "x"), day(6, "b.example", "y")];
        registry.keep_tls_tallies(&first).unwrap();
        registry.keep_tls_tallies(&[day(5, "a.example", "z")]).unwrap();
        drop(registry);
        let registry = Registry::open(&data).unwrap();
        assert_eq!(registry.sts_policy(&domain).unwrap(), Some(kept));
        assert_eq!(registry.tls_tallies(5).unwrap(), [day(5, "a.example", "z")]);
        registry.forget_tls_tally(5, "a.example").unwrap();
        assert_eq!(registry.tls_tallies(9).unwrap(), [day(6, "b.example", "y")]);
        std::fs::remove_dir_all(data).unwrap();
    }
}
