//! The client end of a session by which mail leaves: SMTP (RFC 5321), and LMTP (RFC 2033) to a server behind us. The peer
//! controls all that it receives.

mod ask;
mod body;
mod heard;
mod hello;
mod job;
mod login;
mod machine;
mod opening;
mod standing;
mod state;
mod transaction;

pub use ask::{Answer, Ask, Failure, News, Terms};
pub use heard::Heard;
pub use job::{Job, JobRecipient, JobText, Lack, Outcome, Report};
pub use login::Login;
pub use machine::Client;
pub use standing::{ClientProtocol, Setup, TlsUse, Waits};
