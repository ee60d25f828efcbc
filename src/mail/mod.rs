//! What mail is made of (RFC 5322, RFC 2045 to 2047, RFC 2231): addresses, header fields, dates, the bounded MIME
//! scanner and the card that it makes of a message. Pure: bytes in, values out. Everything here reads what strangers
//! wrote, so no parser fails on a whole message and each has limits.

mod address_list;
mod budget;
mod card;
mod civil;
mod date;
mod encoded_word;
mod envelope;
mod fields;
pub mod header;
mod imap_date;
mod line;
mod message_id;
mod parameter;
mod part;
mod scan;
mod text;
mod token;
mod tree;

pub use address_list::{Entry, parse_address_list};
pub use card::Card;
pub use civil::CivilDate;
pub use date::{Date, parse_date};
pub use encoded_word::decode_text;
pub use envelope::Envelope;
pub use message_id::message_ids;
pub use part::{Disposition, Parameter, Part, PartKind};
pub use scan::Scanner;
pub use text::Text;
pub use tree::Limits;
