//! Who is it: SASL exchanges (RFC 4422) that SMTP, IMAP and POP3 share, device passwords and password hashes. An
//! exchange only finds out what the peer claims; whether the claim is right is decided outside.

pub mod account_password;
mod credentials;
pub mod device;
mod exchange;
mod login;
mod mechanism;
mod plain;
mod scram_keys;
mod turn;

pub use credentials::Credentials;
pub use exchange::{EXCHANGE_LINE_MAX, Exchange, Failure, Outcome};
pub use mechanism::{MECHANISMS, Mechanism, Protection, find};
pub use scram_keys::{SCRAM_ROUNDS, ScramKeys};
