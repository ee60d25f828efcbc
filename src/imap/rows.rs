//! Rows of the index for a walk along rising UIDs, read ahead, and cards with them.

use crate::maildir::{MailboxId, Uid, UidSet};
use crate::store::{Account, Row, StoreError, StoredCard};
use std::collections::VecDeque;
use std::iter::repeat_with;

/// Rows that have been read and not yet been passed.
#[derive(Debug)]
pub struct Rows {
    ahead: VecDeque<Looked>,
    cards: Cards,
    /// Up to here all that there is has been read.
    read_to: Uid0,
}

/// What has been read of a message.
#[derive(Debug)]
pub struct Looked {
    /// Its row.
    pub row: Row,
    /// Its card, if that is at hand.
    pub card: Option<StoredCard>,
}

/// Are cards read with the rows?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cards {
    /// Nobody asks for them.
    Left,
    /// They are.
    Read,
}

/// A UID, or 0 for none.
type Uid0 = u32;

/// Rows of one look at the index.
const AHEAD_MAX: usize = 512;

impl Rows {
    /// Nothing has been read.
    pub const fn new(cards: Cards) -> Self {
        Self { ahead: VecDeque::new(), cards, read_to: 0 }
    }

    /// The row of a message. `walk` is where the walk will lead: it is read ahead within its range only.
    pub fn get(
        &mut self,
        account: &Account,
        mailbox: MailboxId,
        uid: Uid,
        walk: &UidSet,
    ) -> Result<Looked, StoreError> {
        while self.ahead.front().is_some_and(|looked| looked.row.uid < uid) {
            self.ahead.pop_front();
        }
        if self.read_to < uid.0 {
            let last = walk.range_end(uid).unwrap_or(uid);
            let rows = account.rows(mailbox, uid, last, AHEAD_MAX)?;
            self.read_to = match rows.last() {
                Some(row) if rows.len() == AHEAD_MAX => row.uid.0,
                Some(_) | None => last.0,
            };
            let cards = match self.cards {
                Cards::Read => account.stored_cards(&rows),
                Cards::Left => Vec::new(),
            };
            let cards = cards.into_iter().chain(repeat_with(|| None));
            self.ahead =
                rows.into_iter().zip(cards).map(|(row, card)| Looked { row, card }).collect();
        }
        let looked = self.ahead.pop_front_if(|looked| looked.row.uid == uid);
        looked.ok_or(StoreError::NoMessage)
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
        self.ahead.push_front(Looked { row, card: None });
        Ok(())
    }
}
