//! Why a key could not be kept, read or made.

use openssl::error::ErrorStack;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a key could not be kept, read or made. All of them are faults of ours.
#[derive(Debug)]
pub enum KeyringError {
    /// A file or folder.
    Io(PathBuf, io::Error),
    /// OpenSSL made no key.
    Make(ErrorStack),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Make(error) => write!(f, "a DKIM key could not be made: {error}"),
        }
    }
}

impl std::error::Error for KeyringError {}

impl From<ErrorStack> for KeyringError {
    fn from(error: ErrorStack) -> Self {
        Self::Make(error)
    }
}
