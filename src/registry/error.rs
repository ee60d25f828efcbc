//! Why the registry did not do something.

use openssl::error::ErrorStack;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the registry did not do something.
#[derive(Debug)]
pub enum RegistryError {
    /// Refused: the address belongs to someone already.
    AddressTaken(String),
    /// Refused: nobody has this address.
    Nobody(String),
    /// Failed: the database.
    Database(rusqlite::Error),
    /// Failed: keys could not be made.
    Keys(ErrorStack),
    /// Failed: there is mail, but no `state.db` that says whose it is.
    Lost(PathBuf),
    /// Failed: `state.db` is damaged, and there is no backup that is not.
    Damaged(PathBuf, String),
    /// Failed: the disk is full.
    NoRoom(PathBuf),
    /// Failed: a file of the registry.
    Io(PathBuf, io::Error),
    /// Failed: `state.db` is of a later version than this program.
    Version(i64),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressTaken(address) => write!(f, "{address} belongs to someone already"),
            Self::Nobody(address) => write!(f, "nobody here has the address {address}"),
            Self::Database(error) => write!(f, "state.db: {error}"),
            Self::Keys(error) => write!(f, "keys of a password: {error}"),
            Self::Lost(path) => write!(
                f,
                "{} is gone, but there is mail in accounts/. Made anew, it would give the mail of one person to another. \
                 Bring it back from a backup, or move accounts/ away to begin anew",
                path.display()
            ),
            Self::Damaged(path, why) => write!(
                f,
                "{} is damaged ({why}), and no backup beside it is whole. Without it nobody can log in and mail is refused; \
                 no mail is lost. Bring state.db back from a backup of your own",
                path.display()
            ),
            Self::NoRoom(path) => write!(
                f,
                "the disk of {} is full, so the server cannot start. Nothing is damaged or lost; mail waits at other servers, \
                 which try again for days. Make room there, and start it again",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Version(version) => {
                write!(
                    f,
                    "state.db is of version {version}, which a later Pillarbox made; use that one"
                )
            }
        }
    }
}

impl std::error::Error for RegistryError {}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
