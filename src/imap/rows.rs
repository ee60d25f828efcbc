//! Rows of the index for a walk along rising UIDs, read ahead.

use crate::maildir::{MailboxId, Uid, UidSet};
use crate::store::{Account, Row, StoreError};
use std::collections::VecDeque;

/// Rows that have been read and not yet been passed.
#[derive(Debug, Default)]
pub struct Rows {
    ahead: VecDeque<Row>,
    /// Up to here all that there is has been read.
    read_to: Uid0,
}

/// A UID, or 0 for none.
type Uid0 = u32;

/// Rows of one look at the index.
const AHEAD_MAX: usize = 128;

impl Rows {
    /// The row of a message. `walk` is where the walk will lead: it is read ahead within its range only.
    pub fn get(
        &mut self,
        account: &Account,
        mailbox: MailboxId,
        uid: Uid,
        walk: &UidSet,
    ) -> Result<Row, StoreError> {
        while self.ahead.front().is_some_and(|row| row.uid < uid) {
            self.ahead.pop_front();
        }
        if self.read_to < uid.0 {
            let last = walk.range_end(uid).unwrap_or(uid);
            let rows = account.rows(mailbox, uid, last, AHEAD_MAX)?;
            self.read_to = match rows.last() {
                Some(row) if rows.len() == AHEAD_MAX => row.uid.0,
                Some(_) | None => last.0,
            };
            self.ahead = rows.into();
        }
        let row = self.ahead.pop_front_if(|row| row.uid == uid);
        row.ok_or(StoreError::NoMessage)
    }

    /// Reads the row of this message once more: it has been taken already, or its file has got another place since it
    /// was read ahead.
    pub fn renew(
        &mut self,
        account: &Account,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<(), StoreError> {
        let row = account.rows(mailbox, uid, uid, 1)?.pop().ok_or(StoreError::NoMessage)?;
        self.ahead.push_front(row);
        Ok(())
    }
}
