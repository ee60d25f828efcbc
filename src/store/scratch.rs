//! A file without a name, for what goes out to a client in another form than it is kept. It is gone when it is closed;
//! what is sent at once mostly never reaches the disk.

use super::error::StoreError;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// Is written first, then read.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    size: u64,
}

impl Scratch {
    pub(super) const fn new(file: File) -> Self {
        Self { file, size: 0 }
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| StoreError::io("copy a message", &error))?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// The file and its size.
    pub fn done(self) -> (Arc<File>, u64) {
        (Arc::new(self.file), self.size)
    }
}
