//! What mail is made of (RFC 5322, RFC 2045 to 2047, RFC 2231): addresses, header fields, dates, the bounded MIME
//! scanner and the card that it makes of a message. Pure: bytes in, values out. Everything here reads what strangers
//! wrote, so no parser fails on a whole message and each has limits.

mod address_list;
mod card;
mod envelope;
mod part;
mod text;

pub use address_list::Entry;
pub use card::Card;
pub use envelope::Envelope;
pub use part::{Disposition, Parameter, Part, PartKind};
pub use text::Text;
