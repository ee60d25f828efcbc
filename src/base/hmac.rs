//! HMAC with SHA-256 (RFC 2104, FIPS 180-4): what only those can make who have the key.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// The code of a message under a key. The error is OpenSSL's: it has no memory.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Result<[u8; 32], ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut code = [0; 32];
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot(&mut code, message)?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::hmac_sha256;
    use data_encoding::HEXLOWER;

    #[test]
    fn test_case_2_of_rfc_4231() {
        let code = hmac_sha256(b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(
            HEXLOWER.encode(&code),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
