//! What DNS says, apart from how it was asked (RFC 1034, RFC 1035): names, records, and `Answers`, what is known so far.
//! A rule that needs DNS is a function of known answers, which says what is missing: `Need`. Its test is a `Zone`, a text.

mod answers;
mod cache;
mod name;
mod query;
mod record;
mod text;
mod wire;
mod zone;

pub use answers::{ALIASES_MAX, Answer, Answers, Failure, Found, Need, Question};
pub use cache::Cache;
pub use name::Name;
pub use query::{Edns, UDP_LEN_MAX, write_query};
pub use record::{Kind, Mx, Record, Srv, Tlsa};
pub use wire::{Outcome, Reply, Told, read_reply};
pub use zone::{Zone, ZoneError};
