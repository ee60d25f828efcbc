//! A message made such that a server without 8BITMIME (RFC 6152 §3) or BINARYMIME (RFC 3030 §3) takes it: parts that have
//! other bytes or longer lines than such a server passes on are encoded anew, and decode to the same bytes. The sender of
//! a message controls the input.

mod convert;
mod declared;
mod header;
mod lines;
mod not_convertible;
mod outline;

pub use convert::to_seven_bit;
pub use not_convertible::NotConvertible;
pub use outline::has_utf8_header;
