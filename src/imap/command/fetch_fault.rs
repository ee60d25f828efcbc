//! Why a message's answer to FETCH cannot be had.

use crate::store::StoreError;

/// Nothing of the message is told then.
#[derive(Debug)]
pub enum Fault {
    /// Failed: the store has not got it.
    Store(StoreError),
    /// Refused: BINARY was asked for, and its transfer encoding is none that we know (RFC 3516 §4.3).
    UnknownEncoding,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
