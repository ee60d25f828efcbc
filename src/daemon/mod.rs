//! The composition root: takes the data folder's lock, opens the stores, binds the ports, starts the sessions, and stops
//! everything in order.

mod certificate;
mod control;
mod lock;
mod port;
mod ports;
mod sessions;
mod trial;

pub use certificate::{CertificateError, certificate};
pub use control::{
    ANSWER_LEN_MAX, AliasTo, Answer, Control, ControlError, Device, DomainRow, Facts, MessageQuota,
    NewDevice, PortAt, Quota, REQUEST_LEN_MAX, Request, Revoked, Status, User, UserAdded,
    UserRemoved,
};
pub use lock::{Lock, LockError};
pub use port::{Port, Running, StartError};
pub use ports::{Plan, serve};
pub use trial::{Trial, TrialAccount, TrialError};
