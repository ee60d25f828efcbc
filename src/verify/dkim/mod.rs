//! DKIM (RFC 6376, with RFC 8301 and RFC 8463): canonical forms, the hash of a body that comes in pieces, keys and
//! their records, and signatures. The writer of a message controls its header and body.

mod body;
mod canonical;
mod folding;
mod header;
mod key;
mod published;
mod selector;
mod sign;

pub use body::BodyHash;
pub use canonical::Canonicalization;
pub use header::{Header, data_hash};
pub use key::{Algorithm, Key, KeyError};
pub use published::{Published, Standing};
pub use selector::Selector;
pub use sign::{DkimError, sign};
