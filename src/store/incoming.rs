//! A message on its way in: written to `tmp/` piece by piece, outlined as it comes, and not visible to anyone until it
//! is committed.

use super::error::StoreError;
use super::placement::Placement;
use crate::base::Timestamp;
use crate::mail::{Card, Scanner};
use crate::maildir::{Dir, Unique};
use std::fs::File;
use std::io::Write;

/// A message that is being written. Dropped uncommitted, its file goes.
#[derive(Debug)]
pub struct Incoming {
    tmp: Dir,
    name: Vec<u8>,
    file: Option<File>,
    unique: Unique,
    size: u64,
    nul: bool,
    scanner: Scanner,
}

/// A whole message with all that must be known to place it.
#[derive(Debug)]
pub struct Arrival {
    pub(super) incoming: Incoming,
    pub(super) card: Card,
    pub(super) date: i64,
    pub(super) zone: i16,
    pub(super) placements: Vec<Placement>,
}

impl Incoming {
    pub(super) fn new(tmp: &Dir, unique: Unique) -> Result<Self, StoreError> {
        let name = format!("x{}", unique.hex()).into_bytes();
        let file = tmp.create(&name).map_err(|error| StoreError::io("begin a message", &error))?;
        Ok(Self {
            tmp: tmp.clone(),
            name,
            file: Some(file),
            unique,
            size: 0,
            nul: false,
            scanner: Scanner::default(),
        })
    }

    /// Appends; pieces of 64 KB are best.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.file.as_mut().ok_or(StoreError::Closed)?;
        file.write_all(bytes).map_err(|error| StoreError::io("write a message", &error))?;
        self.size += bytes.len() as u64;
        self.nul |= bytes.contains(&0);
        self.scanner.push(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// All of it is written. `date` is INTERNALDATE, `zone` its zone in minutes east.
    pub fn finish(mut self, date: Timestamp, zone: i16, placements: Vec<Placement>) -> Arrival {
        let card = std::mem::take(&mut self.scanner).finish();
        Arrival { incoming: self, card, date: date.seconds(), zone, placements }
    }

    /// The EMAILID that the message will have.
    pub const fn email_id(&self) -> Unique {
        self.unique
    }

    pub(super) const fn has_nul(&self) -> bool {
        self.nul
    }

    /// The file under its temporary name; from here on it is the caller's.
    pub(super) fn take(&mut self) -> Option<(Dir, Vec<u8>, File)> {
        let file = self.file.take()?;
        Some((self.tmp.clone(), self.name.clone(), file))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.file.is_some()
            && let Err(error) = self.tmp.unlink(&self.name)
        {
            log::warn!("file=tmp/x{} cannot be removed: {error}", self.unique.hex());
        }
    }
}
