//! The mail of all accounts: memory state, change log, index, cards. Blocking disk without async: what takes time is
//! answered by a `Ticket`. The files are the truth; everything else here is a copy that may be lost.

mod account;
mod account_cards;
mod adopt;
mod alter;
mod array;
mod arrive;
mod boxes;
mod cards;
mod columns;
mod commit;
mod core;
mod error;
mod event;
mod flush;
mod folders;
mod follow;
mod imported;
mod incoming;
mod index;
mod index_writer;
mod leader;
mod look;
mod mailbox;
mod op;
mod pending;
mod placement;
mod quota;
mod recover;
mod removed;
mod replay;
mod row;
mod scratch;
mod start;
mod survey;
mod text;
mod threads;
mod watcher;
mod without_nul;

mod accounts;

pub use account::{Account, Reply, Watching};
pub use account_cards::StoredCard;
pub use accounts::Store;
pub use array::{Array, Differences, Entry};
pub use error::StoreError;
pub use event::{Cause, Event, What};
pub use imported::{ImportKey, Imported};
pub use incoming::{Arrival, Incoming};
pub use mailbox::{Mailbox, Mailboxes};
pub use op::{
    ExpungeRequest, FlagsRequest, MailboxRequest, Mode, Placed, Stored, TransferRequest,
    Transferred, Way,
};
pub use placement::{Placement, Target};
pub use row::{At, Row};
pub use scratch::Scratch;
pub use text::{Lines, Text};
