//! Reports on TLS (RFC 8460): a domain asks to hear how sessions with its mail servers went, and hears it once a day.

mod letter;
mod record;
mod tally;

pub use letter::{Letter, file_name, letter};
pub use record::{Destination, destinations};
pub use tally::{Applied, Happened, PolicyKind, Tally, TlsFailure};
