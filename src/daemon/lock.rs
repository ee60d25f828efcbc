//! One process owns a data folder: it holds a lock on the file `lock` in it, which also says who that is.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The lock; given back when dropped, or by the kernel when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it: the folder and, if it said so, its number.
    Held(PathBuf, String),
    /// The file cannot be used.
    Io(PathBuf, io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(folder, pid) => write!(
                f,
                "{} is in use by another Pillarbox (pid {pid}). Two at once would damage the mail. Stop that one, or use \
                 another folder (--dir, or `data` in pillarbox.toml)",
                folder.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LockError {}

impl Lock {
    /// Takes the lock of a folder.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let io = |error: io::Error| LockError::Io(path.clone(), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                return Err(LockError::Held(folder.to_owned(), pid.trim().to_owned()));
            }
            Err(error) => return Err(io(error.into())),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::{Lock, LockError};

    #[test]
    fn the_second_is_told_who_has_it() {
        let path = std::env::temp_dir().join(format!("pillarbox-lock-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let first = Lock::take(&path).unwrap();
        let Err(LockError::Held(_, pid)) = Lock::take(&path) else { panic!() };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        Lock::take(&path).unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }
}
