//! A message leaves: from the queue to the servers that take mail for its recipients, tried again until it is taken or
//! given up, and its sender is told.

mod agenda;
mod errand;
mod fate;
mod notice;
mod visit;

pub use agenda::Listed;
pub use visit::Relay;
