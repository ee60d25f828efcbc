//! Workflows: what happens to a message, a login, a request, step by step. A workflow never parses a protocol; what two
//! of them need is handed in by `daemon`.

mod receive;

pub use receive::Receive;
