//! POP3 (RFC 1939) with STLS, SASL, CAPA, TOP, UIDL, RESP-CODES, AUTH-RESP-CODE, PIPELINING and UTF8: a session on INBOX as it
//! was at the login. IMAP goes on beside it; what is deleted goes at QUIT.

mod ask;
mod command;
mod limits;
mod maildrop;
mod server;
mod stuffing;

pub use ask::{Answer, Ask, News, Setup};
pub use limits::Limits;
pub use maildrop::{Closing, Maildrop, Opened, Opening, Reader};
pub use server::Server;
