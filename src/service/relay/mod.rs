//! A message leaves: from the queue to the servers that take mail for its recipients, tried again until it is taken or
//! given up, and its sender is told.

mod agenda;
mod errand;
mod fate;
mod notice;
mod queue;
mod settle;
mod visit;
mod visits;
mod way;

pub use agenda::Listed;
pub use fate::{Finding, Kind};
pub use notice::Notice;
pub use queue::Queue;
pub use visit::Relay;
pub use way::Smarthost;
