//! IMAP4rev1 (RFC 3501) with the extensions that `command/table.rs` announces: the server's machine, its table of
//! commands, and the work of each command on the store.

mod args;
mod ask;
mod command;
mod dialect;
mod entry;
mod flag_text;
mod framing;
mod job;
mod lasting;
mod limits;
mod list_pattern;
mod object_id;
mod reading;
mod response;
mod rows;
mod selected;
mod sequence_set;
mod server;
mod session;
mod state;
mod structure;
mod upload;
mod writer;

pub use ask::{Answer, Ask, News, Setup};
pub use job::{Task, Turn, Worked};
pub use limits::Limits;
pub use response::{Completion, Status};
pub use server::Server;
pub use session::Session;
