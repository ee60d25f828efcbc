//! DANE for SMTP (RFC 7672): a signed zone says which certificates its mail servers have.

mod certificates;
mod records;

pub use certificates::check;
pub use records::{Dane, dane};
