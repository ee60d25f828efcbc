//! The control socket: how the commands speak to the running server. A request and its answer are a line of JSON each,
//! one a connection; only the server's own user and root are listened to. An import and an export go on after the answer.

mod admin;
mod devices;
mod dns;
mod exporting;
mod follow_up;
mod importing;
mod queue;
mod routes;
mod server;
mod transfer;
mod wire;

pub use admin::{Admin, Facts};
pub use server::{Control, ControlError};
pub use transfer::{
    Chunk, ExportHead, ExportStep, ImportStep, MailboxHead, Marked, MessageOutcome, MessageRow,
    Named, Said, Transfer,
};
pub use wire::{
    ANSWER_LEN_MAX, AliasTo, Answer, Device, DkimKey, DomainRow, ImportWay, Kept, MessageQuota,
    NewDevice, PathShown, PortAt, QueuedMessage, QueuedRecipient, QueuedTry, Quota,
    REQUEST_LEN_MAX, Request, Revoked, Status, User, UserAdded, UserRemoved, Zone, ZoneRecord,
};
