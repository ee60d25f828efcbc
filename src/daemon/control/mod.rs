//! The control socket: how the commands speak to the running server. A request and its answer are a line of JSON each,
//! one a connection; only the server's own user and root are listened to.

mod admin;
mod server;
mod wire;

pub use admin::{Admin, Facts};
pub use server::{Control, ControlError};
pub use wire::{
    ANSWER_LEN_MAX, AliasTo, Answer, Device, DomainRow, MessageQuota, NewDevice, PortAt, Quota,
    REQUEST_LEN_MAX, Request, Revoked, Status, User, UserAdded, UserRemoved,
};
