//! The composition root: takes the data folder's lock, opens the stores, binds the ports, starts the sessions, and stops
//! everything in order.

mod lock;
mod ports;
mod sessions;
mod trial;

pub use lock::{Lock, LockError};
pub use ports::{Plan, Port, Running, StartError, serve};
pub use trial::{Trial, TrialAccount, TrialError};
