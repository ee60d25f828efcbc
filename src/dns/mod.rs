//! What DNS says, apart from how it was asked (RFC 1034, RFC 1035): names, records, and `Answers`, what is known so far.
//! A rule that needs DNS is a function of known answers, which says what is missing: `Need`.

mod answers;
mod name;
mod record;

pub use answers::{Answer, Answers, Failure, Found, Need, Question};
pub use name::Name;
pub use record::{Kind, Mx, Record, Srv, Tlsa};
