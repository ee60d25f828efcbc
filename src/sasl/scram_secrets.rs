//! What the server must know of a name before it can go on with SCRAM.

use super::scram_keys::ScramKeys;

/// What is known of a name, for SCRAM. For a name that nobody has, a salt that is always the same and no keys: the peer
/// cannot tell.
#[derive(Debug, Clone)]
pub struct ScramSecrets {
    /// The account's.
    pub salt: Vec<u8>,
    /// Random, for this exchange.
    pub nonce: [u8; 18],
    /// A device's number and its keys; a device has two, for both spellings of its password.
    pub keys: Vec<(i64, ScramKeys)>,
}
