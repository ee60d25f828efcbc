//! The composition root: takes the data folder's lock, opens the stores, binds the ports, starts the sessions, and stops
//! everything in order.

mod certificate;
mod chores;
mod connection;
mod control;
mod house;
mod inherited;
mod lock;
mod port;
mod ports;
mod running;
mod sessions;
mod socket_file;
mod trial;

pub use crate::service::Pace;
pub use certificate::{CertificateError, certificate};
pub use control::{
    ANSWER_LEN_MAX, AliasTo, Answer, Chunk, Control, ControlError, Device, DkimKey, DomainRow,
    ExportHead, ExportStep, Facts, ImportStep, ImportWay, Kept, MailboxHead, Marked,
    MessageOutcome, MessageQuota, MessageRow, Named, NewDevice, PathShown, PortAt, QueuedMessage,
    QueuedRecipient, QueuedTry, Quota, REQUEST_LEN_MAX, Request, Revoked, Said, Status, Transfer,
    User, UserAdded, UserRemoved, Zone, ZoneRecord,
};
pub use house::{Plan, signing};
pub use inherited::InheritedError;
pub use lock::{Lock, LockError};
pub use port::Port;
pub use ports::serve;
pub use running::{Running, StartError};
pub use socket_file::SocketError;
pub use trial::{Trial, TrialAccount, TrialError};
