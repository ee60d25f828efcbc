//! Asks the DNS servers that this machine uses (a stub resolver, RFC 1034 §5.3.1). What they say is read by `dns`; who
//! answers, and how, is up to anyone who serves a zone.

mod decide;
mod exchange;
mod resolver;
mod servers;

pub use resolver::Resolver;
pub use servers::{Believed, Servers, server_address};
