//! A message leaves: from the queue to the servers that take mail for its recipients, tried again until it is taken or
//! given up, and its sender is told.

mod agenda;
mod destination;
mod errand;
mod fate;
mod guard;
mod here;
mod hosts;
mod mailbox;
mod notice;
mod own;
mod parcel;
mod paths;
mod plan;
mod port_25;
mod queue;
mod routing;
mod session;
mod settle;
mod shared;
mod smarthost;
mod sts;
mod tallies;
mod visit;
mod visits;
mod way;

pub use agenda::Listed;
pub use fate::{Finding, Kind};
pub use notice::Notice;
pub use queue::Queue;
pub use shared::Relay;
pub use smarthost::Smarthost;
pub use tallies::day;
