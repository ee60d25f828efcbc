//! By which ways mail has left, and by which it could not: to the hour, so that it costs little. What a self-check looks at.

use super::error::RegistryError;
use super::people::Registry;
use rusqlite::params;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRecord {
    /// `straight`, `smarthost` or `lmtp`.
    pub path: String,
    /// When it last worked, to the hour; seconds since 1970.
    pub worked: Option<i64>,
    /// When it last failed, to the hour; seconds since 1970.
    pub failed: Option<i64>,
    /// Why it last failed.
    pub why: Option<String>,
}

impl Registry {
    /// A way worked, or failed for this reason. Blocks.
    pub fn note_path(
        &self,
        path: &str,
        hour: i64,
        outcome: Result<(), &str>,
    ) -> Result<(), RegistryError> {
        let db = self.lock();
        let (worked, failed, why) = match outcome {
            Ok(()) => (Some(hour), None, None),
            Err(why) => (None, Some(hour), Some(why)),
        };
        db.execute(
            "INSERT INTO paths VALUES(?1, ?2, ?3, ?4) ON CONFLICT(path) DO UPDATE SET
             worked=coalesce(?2, worked), failed=coalesce(?3, failed), why=coalesce(?4, why)",
            params![path, worked, failed, why],
        )?;
        Ok(())
    }

    /// All that have been taken.
    pub fn paths(&self) -> Result<Vec<PathRecord>, RegistryError> {
        let db = self.lock();
        let mut all =
            db.prepare_cached("SELECT path, worked, failed, why FROM paths ORDER BY path")?;
        let read = |row: &rusqlite::Row<'_>| {
            let (path, worked) = (row.get(0)?, row.get(1)?);
            Ok(PathRecord { path, worked, failed: row.get(2)?, why: row.get(3)? })
        };
        Ok(all.query_map([], read)?.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::{PathRecord, Registry};

    #[test]
    fn the_last_of_each_is_known() {
        let data =
            std::env::temp_dir().join(format!("pillarbox-registry-paths-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir(&data).unwrap();
        let registry = Registry::open(&data).unwrap();
        registry.note_path("straight", 3600, Err("nothing answers")).unwrap();
        registry.note_path("straight", 7200, Ok(())).unwrap();
        registry.note_path("smarthost", 3600, Ok(())).unwrap();
        let paths = registry.paths().unwrap();
        let record = |path: &str, worked, failed, why: Option<&str>| PathRecord {
            path: path.into(),
            worked: Some(worked),
            failed,
            why: why.map(str::to_owned),
        };
        let straight = record("straight", 7200, Some(3600), Some("nothing answers"));
        assert_eq!(paths, [record("smarthost", 3600, None, None), straight]);
        std::fs::remove_dir_all(data).unwrap();
    }
}
