//! What `user rm` has put aside: folders in `removed/`, each kept for a while, since people change their minds. A folder's
//! own mtime says when it was put there; it is set then, and only what comes or goes directly in it makes it younger.

use super::error::StoreError;
use crate::base::Timestamp;
use crate::maildir::{Dir, Kind};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

const KEEP: Duration = Duration::from_hours(30 * 24);

/// Notes that a folder is put aside now.
pub fn note_time(folder: &Path) -> io::Result<()> {
    let folder = File::open(folder)?;
    folder.set_modified(SystemTime::now())?;
    folder.sync_all()
}

/// Removes what has been kept long enough, and says so in the log. Blocks.
pub fn clear(removed: &Path, now: Timestamp) -> Result<(), StoreError> {
    let io = |error: io::Error| StoreError::io("look into removed/", &error);
    let dir = match Dir::open(removed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io)?,
    };
    for entry in dir.list().map_err(io)? {
        if entry.kind != Kind::Folder {
            continue;
        }
        let since = Timestamp::from_seconds(dir.file_mtime(&entry.name).map_err(io)?);
        if now.since(since) <= KEEP {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.name);
        // One that cannot be removed does not keep the others.
        match dir.remove_all(&entry.name) {
            Ok(()) => log::info!("removed={name} was put aside 30 days ago and is deleted now"),
            Err(error) => log::error!("removed={name} cannot be deleted: {error}"),
        }
    }
    dir.sync().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::{KEEP, Timestamp, clear, note_time};
    use std::fs;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_old_goes_and_the_young_stays() {
        let path = std::env::temp_dir().join(format!("pillarbox-removed-{}", std::process::id()));
        for name in ["1", "2"] {
            fs::create_dir_all(path.join(name).join("Maildir/cur")).unwrap();
        }
        fs::write(path.join("1/Maildir/cur/x"), "x").unwrap();
        fs::write(path.join("note"), "a person's").unwrap();
        note_time(&path.join("2")).unwrap();
        let now = SystemTime::now();
        let aside = |time: SystemTime| {
            fs::File::open(path.join("1")).unwrap().set_modified(time).unwrap();
        };
        let moment = Duration::from_secs(2);
        aside(now - KEEP + moment);
        clear(&path, now.into()).unwrap();
        assert!(path.join("1").exists());
        aside(now - KEEP - moment);
        clear(&path, now.into()).unwrap();
        assert!(!path.join("1").exists() && path.join("2/Maildir/cur").exists());
        assert!(path.join("note").exists());
        fs::remove_dir_all(&path).unwrap();
        clear(&path, Timestamp::default()).unwrap();
    }
}
