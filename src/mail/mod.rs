//! What mail is made of (RFC 5322, RFC 2045 to 2047, RFC 2231): addresses, header fields, dates, the bounded MIME
//! scanner and the card that it makes of a message. Pure: bytes in, values out. Everything here reads what strangers
//! wrote, so no parser fails on a whole message and each has limits.

mod address;
mod address_list;
mod budget;
mod card;
mod civil;
mod date;
mod decode;
mod delivery_report;
mod demands;
mod domain;
mod dsn_wish;
mod encoded_word;
mod envelope;
mod fields;
pub mod header;
mod html_text;
mod imap_date;
mod line;
pub mod mbox;
mod message_id;
mod parameter;
mod part;
mod preview;
mod scan;
mod search_text;
mod section;
mod stored;
pub mod submission;
mod text;
mod token;
pub mod trace;
mod tree;
mod wire;

pub use address::{Address, AddressError};
pub use address_list::{Entry, parse_address_list};
pub use card::Card;
pub use civil::CivilDate;
pub use date::{Date, parse_date};
pub use decode::{TransferDecoder, decode_body, to_utf8};
pub use delivery_report::{Action, DeliveryReport, Fate, Original};
pub use demands::{Body, Demands, Letters, TlsDemand};
pub use domain::Domain;
pub use dsn_wish::{EnvelopeId, Events, Notify, OriginalRecipient, Ret};
pub use encoded_word::decode_text;
pub use envelope::Envelope;
pub use message_id::message_ids;
pub use part::{Disposition, Parameter, Part, PartKind};
pub use preview::preview_parts;
pub use scan::Scanner;
pub use search_text::fold;
pub use section::SectionPart;
pub use text::Text;
pub use tree::Limits;
