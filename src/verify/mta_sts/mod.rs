//! MTA-STS (RFC 8461): a domain says, by a page of its web server, which hosts take its mail and that they have TLS.

mod policy;
mod record;

pub use policy::{MAX_AGE_MAX, Mode, POLICY_LEN_MAX, Policy, PolicyError};
pub use record::{Announced, announced};
