//! A Maildir on the disk (Maildir++, with our own field in file names and a few small files beside): names, texts, the
//! change log, and folders opened without following links. Other programs may write here at any time.
//! Only this folder touches mail files; `store` decides what is done and in which order.

mod change;
mod dir;
pub mod dovecot;
mod flags;
mod ids;
mod log;
mod mailbox_name;
mod name;
mod texts;
mod uid_set;
mod unique;
pub mod utf7;
mod watch;

pub use change::{Change, FlagEdit, LogLine};
pub use dir::{Dir, Entry, Kind};
pub use flags::Flags;
pub use ids::{MailboxId, ModSeq, Uid, UidValidity, Unique};
pub use log::{AppendError, ChangeLog, Found};
pub use mailbox_name::{MailboxName, NameError};
pub use name::{FileName, Folder, Placing, Stem, base, in_cur};
pub use texts::{
    AccountText, FORWARDED, FolderText, Role, TextError, parse_subscriptions, subscriptions_text,
};
pub use uid_set::UidSet;
pub use unique::UniqueSource;
pub use watch::{Seen, Watch, WatchId};
