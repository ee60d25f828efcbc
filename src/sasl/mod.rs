//! Who is it: SASL exchanges (RFC 4422) that SMTP, IMAP and POP3 share, device passwords and password hashes. An
//! exchange only finds out what the peer claims; whether the claim is right is decided outside.

pub mod account_password;
mod credentials;
pub mod device;
mod exchange;
mod login;
mod mechanism;
mod plain;
mod scram;
mod scram_client;
mod scram_keys;
mod scram_secrets;
mod turn;

pub use credentials::{Credentials, Proof};
pub use exchange::{EXCHANGE_LINE_MAX, Exchange, Failure, Outcome};
pub use mechanism::{Mechanism, find, offered};
pub use scram_client::ScramClient;
pub use scram_keys::{SCRAM_ROUNDS, ScramKeys};
pub use scram_secrets::ScramSecrets;
