//! Which messages have been imported into an account: `imported` in the account's folder, 16 bytes a message. It is
//! appended after the messages are safe and never synced: what a cut takes from it is found again in the mailbox itself.

use super::error::StoreError;
use crate::maildir::Dir;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};

/// Says which message, and in which mailbox: a hash of both.
pub type ImportKey = [u8; 16];

/// The open record; nobody else has it until it is dropped.
#[derive(Debug)]
pub struct Imported {
    file: File,
    keys: HashSet<ImportKey>,
}

const NAME: &[u8] = b"imported";

impl Imported {
    /// Opens the record in the account's folder.
    pub(super) fn open(folder: &Dir) -> Result<Self, StoreError> {
        let io = |error: io::Error| StoreError::io("open the record of imports", &error);
        let mut file = match folder.update(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => folder.create(NAME),
            opened => opened,
        }
        .map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(StoreError::Cannot("another import into this account is at work"));
            }
            Err(error) => return Err(io(error.into())),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (keys, rest) = bytes.as_chunks::<16>();
        // A key that was cut off in the middle would shift all that follow it.
        let whole = bytes.len() - rest.len();
        if !rest.is_empty() {
            file.set_len(whole as u64).map_err(io)?;
            io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(io)?;
        }
        Ok(Self { keys: keys.iter().copied().collect(), file })
    }

    /// Has it been imported?
    pub fn has(&self, key: &ImportKey) -> bool {
        self.keys.contains(key)
    }

    /// Notes messages that are safe.
    pub fn add(&mut self, keys: &[ImportKey]) -> Result<(), StoreError> {
        let written = self.file.write_all(keys.as_flattened());
        written.map_err(|error| StoreError::io("write the record of imports", &error))?;
        self.keys.extend(keys);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Imported, StoreError};
    use crate::maildir::Dir;

    #[test]
    fn a_record_that_was_cut_off_goes_on_and_has_one_owner() {
        let path = std::env::temp_dir().join(format!("pillarbox-imported-{}", std::process::id()));
        let folder = Dir::make_path(&path).unwrap();
        let mut record = Imported::open(&folder).unwrap();
        record.add(&[[1; 16], [2; 16]]).unwrap();
        assert!(matches!(Imported::open(&folder), Err(StoreError::Cannot(_))));
        drop(record);
        let text = std::fs::read(path.join("imported")).unwrap();
        std::fs::write(path.join("imported"), &text[..27]).unwrap();
        let mut record = Imported::open(&folder).unwrap();
        assert!(record.has(&[1; 16]) && !record.has(&[2; 16]));
        record.add(&[[3; 16]]).unwrap();
        drop(record);
        assert!(Imported::open(&folder).unwrap().has(&[3; 16]));
        std::fs::remove_dir_all(path).unwrap();
    }
}
