//! What a peer is told when something of ours stands in the way of its message.

use crate::registry::RegistryError;
use crate::smtp::{Enhanced, Reply};
use crate::spool::SpoolError;
use crate::store::StoreError;

/// The registry has a fault.
pub fn failed(error: &RegistryError) -> Reply {
    log::error!("service=receive {error}");
    fault()
}

/// We have a fault.
pub fn fault() -> Reply {
    Reply::new(451, Enhanced(4, 3, 0), "We have a fault here; try later")
}

/// The store did not take it.
pub fn not_stored(error: &StoreError) -> Reply {
    // No fault: the server stops, or the account has just been removed.
    if matches!(error, StoreError::Closed) {
        return stopped();
    }
    match error {
        StoreError::OverQuota => {
            return Reply::new(452, Enhanced(4, 2, 2), "The mailbox is full; try later");
        }
        StoreError::NoSpace => {
            log::error!("service=receive refused: the disk is full, or nearly");
            return Reply::new(452, Enhanced(4, 3, 1), "The disk is full, or nearly; try later");
        }
        _ => log::error!("service=receive not stored: {error}"),
    }
    Reply::new(451, Enhanced(4, 3, 0), "The message cannot be kept now; try later")
}

/// The queue did not take it.
pub fn not_queued(error: &SpoolError) -> Reply {
    log::error!("service=submit {error}");
    match error {
        SpoolError::NoSpace => {
            Reply::new(452, Enhanced(4, 3, 1), "The disk is full, or nearly; try later")
        }
        SpoolError::Io(..) | SpoolError::Gone => {
            Reply::new(451, Enhanced(4, 3, 0), "The message cannot be kept now; try later")
        }
    }
}

/// The server stops.
pub fn stopped() -> Reply {
    Reply::new(421, Enhanced(4, 3, 2), "The server is stopping; try again in a minute")
}
