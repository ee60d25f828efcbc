//! What every floor above stands on: the `Machine` contract of all protocol ends, the input buffer
//! and byte cursor they parse with, time, secrets, ids, and a one-shot `Ticket` for an answer that
//! comes later, and a keyed hash. Nothing here knows a socket, a clock or a file system.

mod cursor;
mod dots;
mod endpoint;
mod hmac;
mod ids;
mod input;
mod line_safety;
mod machine;
mod quoted;
mod secret;
mod ticket;
mod timestamp;

pub use cursor::Cursor;
pub use dots::Dots;
pub use endpoint::Endpoint;
pub use hmac::hmac_sha256;
pub use ids::AccountId;
pub use input::{Input, Line};
pub use line_safety::{ClearText, StartTls};
pub use machine::{Doubt, Machine, Output, PeerCertificate, Step, TlsFacts};
pub use quoted::Quoted;
pub use secret::Secret;
pub use ticket::{Promise, Ticket, ticket};
pub use timestamp::Timestamp;
