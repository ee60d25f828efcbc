//! What the box ought to be like, and what is wrong with it, in plain words. So far the DNS records that a domain ought
//! to have: people are shown them, and later DNS is judged by the same list. Pure.

mod policy;
mod published;
mod records;
mod wanted;

pub use policy::policy;
pub use published::is_published;
pub use records::{Subject, host_records, records};
pub use wanted::{Tier, Wanted};
