//! What the server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): enough to check a proof and to give
//! one, not enough to log in elsewhere. The salt and the password are ours.

use crate::base::hmac_sha256;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::sha::sha256;

/// Rounds of PBKDF2, the same for all accounts (RFC 7677 §4).
pub const SCRAM_ROUNDS: usize = 4096;

/// The two keys of one password under one salt.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// H(ClientKey): checks the client's proof.
    pub stored_key: [u8; 32],
    /// Signs the server's proof.
    pub server_key: [u8; 32],
}

impl ScramKeys {
    /// Derives both, `SCRAM_ROUNDS` rounds. The password must be prepared already (RFC 4013); ASCII is as it stands.
    pub fn derive(password: &str, salt: &[u8]) -> Result<Self, ErrorStack> {
        let mut salted = [0; 32];
        pbkdf2_hmac(password.as_bytes(), salt, SCRAM_ROUNDS, MessageDigest::sha256(), &mut salted)?;
        let stored_key = sha256(&hmac_sha256(&salted, b"Client Key")?);
        Ok(Self { stored_key, server_key: hmac_sha256(&salted, b"Server Key")? })
    }
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::ScramKeys;
    use crate::base::hmac_sha256;
    use data_encoding::BASE64;
    use openssl::sha::sha256;

    #[test]
    fn the_exchange_of_rfc_7677() {
        let salt = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = ScramKeys::derive("pencil", &salt).unwrap();
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = BASE64.decode(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signature = hmac_sha256(&keys.stored_key, auth_message.as_bytes()).unwrap();
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(sha256(&client_key), keys.stored_key);
        let server = hmac_sha256(&keys.server_key, auth_message.as_bytes()).unwrap();
        assert_eq!(BASE64.encode(&server), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }
}
