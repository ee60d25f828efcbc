//! A copy of `state.db` beside it, written at each start, each day and after each change by a command; and what is done
//! when `state.db` is damaged: it is set aside, the copy takes its place, and the log says so loudly.

use super::error::RegistryError;
use rusqlite::{Connection, params};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn state(data: &Path) -> PathBuf {
    data.join("state.db")
}

fn backup(data: &Path) -> PathBuf {
    data.join("state.db.backup")
}

/// With less room on the disk SQLite may not even open its files.
const ROOM_MIN: u64 = 1 << 20;

/// Bytes of room on the disk of a folder, if that can be known.
fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Opens `state.db`, or makes it where there is nothing at all. One that is damaged, or gone while there is mail, is
/// replaced by the backup; without one that is an error.
pub fn open_sound(data: &Path) -> Result<Connection, RegistryError> {
    let path = state(data);
    let has_mail = fs::read_dir(data.join("accounts")).is_ok_and(|mut all| all.next().is_some());
    let why = if path.exists() {
        match open(&path).and_then(|db| is_filled(db, has_mail || backup(data).exists())) {
            Ok(db) => return Ok(db),
            Err(why) => why,
        }
    } else if has_mail || backup(data).exists() {
        "it is gone".to_owned()
    } else {
        return open(&path).map_err(|why| RegistryError::Damaged(path, why));
    };
    // On a full disk nothing opens, and nothing is damaged.
    if free(data).is_some_and(|free| free < ROOM_MIN) {
        return Err(RegistryError::NoRoom(data.to_owned()));
    }
    // A copy is tried before anything is moved.
    let copy = backup(data);
    let tried = if copy.exists() { open(&copy).map(drop) } else { Err("there is none".to_owned()) };
    if let Err(other) = tried {
        return Err(match path.exists() {
            true => RegistryError::Damaged(path, format!("{why}; the backup: {other}")),
            false => RegistryError::Lost(path),
        });
    }
    restore(data, &why)?;
    open(&path).map_err(|why| RegistryError::Damaged(path, why))
}

fn open(path: &Path) -> Result<Connection, String> {
    let attempt = || {
        let db = Connection::open(path)?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-1000; PRAGMA mmap_size=0;
             PRAGMA temp_store=FILE; PRAGMA foreign_keys=ON;",
        )?;
        let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((db, found))
    };
    match attempt() {
        Ok((db, found)) if found == "ok" => Ok(db),
        Ok((_, found)) => Err(found),
        Err(error) => {
            let error: rusqlite::Error = error;
            Err(error.to_string())
        }
    }
}

/// An empty file is a database to SQLite, a new one.
fn is_filled(db: Connection, expected: bool) -> Result<Connection, String> {
    let version: Result<i64, _> = db.query_row("PRAGMA user_version", [], |row| row.get(0));
    match version {
        Ok(0) if expected => Err("it is empty".to_owned()),
        Ok(_) => Ok(db),
        Err(error) => Err(error.to_string()),
    }
}

fn restore(data: &Path, why: &str) -> Result<(), RegistryError> {
    let path = state(data);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| RegistryError::Io(path, error)
    };
    log::error!(
        "state.db cannot be used ({why}): its backup takes its place. Devices that were added since, or changes of the \
         last day that no command made, are lost; the damaged file is kept as state.db.damaged"
    );
    for suffix in ["", "-wal", "-shm"] {
        let damaged = data.join(format!("state.db{suffix}"));
        if damaged.exists() {
            let aside = data.join(format!("state.db.damaged{suffix}"));
            fs::rename(&damaged, &aside).map_err(failed(&damaged))?;
        }
    }
    let new = data.join("state.db.new");
    fs::copy(backup(data), &new).map_err(failed(&new))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed(&new))?;
    fs::rename(&new, &path).map_err(failed(&path))?;
    File::open(data).and_then(|folder| folder.sync_all()).map_err(failed(data))
}

/// Writes the copy.
pub fn write(db: &Connection, data: &Path) -> Result<(), RegistryError> {
    let new = data.join("state.db.backup.new");
    let failed = |error| RegistryError::Io(new.clone(), error);
    if new.exists() {
        fs::remove_file(&new).map_err(failed)?;
    }
    db.execute("VACUUM INTO ?1", params![new.to_string_lossy()])?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&new, backup(data)).map_err(failed)?;
    File::open(data).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// A registry that came from a backup must not give a number again that a folder of mail already has.
pub fn pass_numbers_of_mail(db: &Connection, data: &Path) -> Result<(), RegistryError> {
    let mut highest = 0_u32;
    for folder in ["accounts", "removed"] {
        for entry in fs::read_dir(data.join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digits: String =
                name.to_string_lossy().chars().take_while(char::is_ascii_digit).collect();
            highest = highest.max(digits.parse().unwrap_or(0));
        }
    }
    if highest > 0 {
        db.execute(
            "INSERT INTO sqlite_sequence(name, seq) SELECT 'people', 0 WHERE NOT EXISTS
             (SELECT 1 FROM sqlite_sequence WHERE name='people')",
            [],
        )?;
        db.execute("UPDATE sqlite_sequence SET seq=max(seq, ?) WHERE name='people'", [highest])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::people::Registry;
    use super::RegistryError;
    use crate::base::Timestamp;
    use crate::mail::Address;
    use std::fs;

    #[test]
    fn a_damaged_registry_comes_back_from_its_copy() {
        let path = std::env::temp_dir().join(format!("pillarbox-backup-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        let [ann, bob, carl] =
            ["ann@x.org", "bob@x.org", "carl@x.org"].map(|a| Address::parse(a.as_bytes()).unwrap());
        let registry = Registry::open(&path).unwrap();
        let first = registry.add_person(&ann, [1; 16], now).unwrap();
        registry.back_up().unwrap();
        // Bob came after the last copy; his mail is there.
        let second = registry.add_person(&bob, [2; 16], now).unwrap();
        fs::create_dir_all(path.join("accounts").join(second.to_string())).unwrap();
        drop(registry);
        for damage in [&b"no database at all"[..], b""] {
            // Half of it is overwritten, or it is another file altogether.
            let mut bytes = fs::read(path.join("state.db")).unwrap();
            let from = if damage.is_empty() { 100 } else { 0 };
            bytes.iter_mut().skip(from).step_by(3).for_each(|byte| *byte ^= 0x55);
            bytes.truncate(bytes.len() / 2 + damage.len());
            fs::write(path.join("state.db"), bytes).unwrap();
            let registry = Registry::open(&path).unwrap();
            assert_eq!(registry.resolve(&ann).unwrap(), Some(first));
            assert!(path.join("state.db.damaged").exists());
        }
        fs::remove_file(path.join("state.db")).unwrap();
        let registry = Registry::open(&path).unwrap();
        assert_eq!(registry.resolve(&ann).unwrap(), Some(first));
        let third = registry.add_person(&carl, [3; 16], now).unwrap();
        assert!(third > second, "the mail of one person was given to another");
        drop(registry);
        fs::remove_file(path.join("state.db.backup")).unwrap();
        fs::write(path.join("state.db"), b"x".repeat(5000)).unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::Damaged(..))));
        fs::remove_file(path.join("state.db")).unwrap();
        assert!(matches!(Registry::open(&path), Err(RegistryError::Lost(_))));
        fs::remove_dir_all(path).unwrap();
    }
}
