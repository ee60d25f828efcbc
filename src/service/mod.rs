//! Workflows: what happens to a message, a login, a request, step by step. A workflow never parses a protocol; what two
//! of them need is handed in by `daemon`.

mod access;
mod receive;

pub use access::Access;
pub use receive::Receive;
