//! The files of the DKIM keys: `keys/dkim/DOMAIN/SELECTOR.TYPE.STANDING.SINCE.pem` in the data folder. The names say
//! everything: which key it is, how far it is in its life and since when. Blocks.

mod error;
mod key_name;
mod rotation;
mod store;

pub use error::KeyringError;
pub use key_name::KeyName;
pub use rotation::{Step, steps, waits_until};
pub use store::{DomainKey, Keyring};
