//! The clock of the I/O wing; the pure wing gets the time as an argument.

use crate::base::Timestamp;
use std::time::SystemTime;

/// The time now.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
