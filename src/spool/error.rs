//! Why the queue could not do something.

use std::fmt;
use std::io;

/// What failed.
#[derive(Debug)]
pub enum SpoolError {
    /// What was being done, and why the disk did not.
    Io(&'static str, io::Error),
    /// The disk is full.
    NoSpace,
    /// There is no such message any more.
    Gone,
}

impl SpoolError {
    /// Of something that was being done.
    pub fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::NotFound => Self::Gone,
            _ => Self::Io(what, error),
        }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "queue: cannot {what}: {error}"),
            Self::NoSpace => f.write_str("queue: the disk is full"),
            Self::Gone => f.write_str("queue: the message is no longer there"),
        }
    }
}

impl std::error::Error for SpoolError {}
