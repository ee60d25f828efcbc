//! What an account may hold, and whether there is room for more. Usage is known at any time and never counted. Limits are
//! asked before a message is taken, so those who come at the same moment may go over by what they bring.

use super::account::Account;
use super::error::StoreError;
use crate::maildir::Dir;
use std::sync::atomic::Ordering;

/// So much of the disk stays free for what must be written in any case.
const FREE_MIN: u64 = 32 << 20;

impl Account {
    /// Is there room for so many messages of this size together: in the account's quotas, and on the disk, some of which
    /// stays free? Nothing is counted for it.
    pub fn room(&self, messages: u64, size: u64) -> Result<(), StoreError> {
        let mailboxes = self.mailboxes()?;
        let over = |quota: Option<u64>, used: u64, more: u64| {
            quota.is_some_and(|quota| used.saturating_add(more) > quota)
        };
        if over(self.quota(), mailboxes.bytes(), size)
            || over(self.message_quota(), mailboxes.messages(), messages)
        {
            return Err(StoreError::OverQuota);
        }
        self.room_on_disk(size)
    }

    /// Is there room on the disk alone?
    pub(super) fn room_on_disk(&self, size: u64) -> Result<(), StoreError> {
        let free = Dir::open(&self.shared.path).and_then(|dir| dir.free_bytes());
        let free = free.map_err(|error| StoreError::io("ask for free space", &error))?;
        if free < FREE_MIN.saturating_add(size) { Err(StoreError::NoSpace) } else { Ok(()) }
    }

    /// Bytes that the account may hold; `None`: as many as the disk.
    pub fn quota(&self) -> Option<u64> {
        Some(self.shared.quota.load(Ordering::Relaxed)).filter(|quota| *quota != u64::MAX)
    }

    /// Sets it. What is there already stays, whatever it is.
    pub fn set_quota(&self, quota: Option<u64>) {
        self.shared.quota.store(quota.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Messages that the account may hold; `None`: any number.
    pub fn message_quota(&self) -> Option<u64> {
        Some(self.shared.message_quota.load(Ordering::Relaxed)).filter(|quota| *quota != u64::MAX)
    }

    /// Sets it. What is there already stays, whatever it is.
    pub fn set_message_quota(&self, quota: Option<u64>) {
        self.shared.message_quota.store(quota.unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
