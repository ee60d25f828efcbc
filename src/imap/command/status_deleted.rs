//! DELETED and DELETED-STORAGE (RFC 9208 §4.1.4): what EXPUNGE would free. Flags are in memory; sizes are read from the
//! index where a message has `\Deleted`, in runs, so that it costs no more than reading the mailbox's rows once.

use crate::maildir::{Flags, UidSet};
use crate::store::{Account, Mailbox, StoreError};

/// Rows of one look at the index.
const RUN_MAX: usize = 256;

fn deleted(account: &Account, mailbox: &Mailbox) -> Result<UidSet, StoreError> {
    let array = account.array(mailbox)?;
    let deleted = array.iter().filter(|(_, entry)| entry.flags.contains(Flags::DELETED));
    Ok(deleted.map(|(_, entry)| entry.uid).collect())
}

/// How many messages have `\Deleted`.
pub fn count(account: &Account, mailbox: &Mailbox) -> Result<u64, StoreError> {
    Ok(deleted(account, mailbox)?.len())
}

/// RFC822.SIZE of them together: octets.
pub fn bytes(account: &Account, mailbox: &Mailbox) -> Result<u64, StoreError> {
    let deleted = deleted(account, mailbox)?;
    let Some((_, last)) = deleted.ranges().next_back() else { return Ok(0) };
    let (mut left, mut bytes) = (deleted.iter().peekable(), 0_u64);
    while let Some(&first) = left.peek() {
        let rows = account.rows(mailbox.id, first, last, RUN_MAX)?;
        let hits = rows.iter().filter(|row| deleted.contains(row.uid));
        bytes = hits.fold(bytes, |bytes, row| bytes.saturating_add(row.size));
        let read_to = match rows.last() {
            Some(row) if rows.len() == RUN_MAX => row.uid,
            // What has been expunged meanwhile has no row.
            Some(_) | None => last,
        };
        while left.next_if(|uid| *uid <= read_to).is_some() {}
    }
    Ok(bytes)
}
