//! SMTP (RFC 5321): replies, commands, the EHLO table, the framing of DATA, and the server end of a session, for other
//! servers on port 25, for our own people on the submission ports, and for a server that stands before us (LMTP, RFC 2033).

mod ask;
mod chunk;
pub mod client;
mod command;
mod data;
mod extension;
mod families;
mod limits;
mod message;
mod parameter;
mod path;
mod recipient;
mod reply;
mod route;
mod rules;
mod server;
mod session;
mod standing;
mod transaction;

pub use ask::{Answer, Ask, News};
pub use families::{Families, families};
pub use limits::Limits;
pub use parameter::MailParameters;
pub use path::ForwardPath;
pub use recipient::{Recipient, Wishes};
pub use reply::{Enhanced, Reply};
pub use route::{Host, NoMail, Route, Signed, draw, host, route};
pub use server::Server;
pub use session::{Greeting, Login, Role, Setup};
pub use transaction::Envelope;
