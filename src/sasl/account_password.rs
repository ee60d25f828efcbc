//! The account password, which people choose themselves: argon2id in the PHC string format (RFC 9106), 19 MiB, 2
//! passes, 1 lane. Slow by intent: run it where nobody waits, one at a time. What is checked comes from anyone.

use crate::base::Secret;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, Error, PasswordVerifier};
use argon2::{Argon2, Params};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a password at most: a longer one is a mistake or an attack on our time.
pub const PASSWORD_LEN_MAX: usize = 1024;

/// Why there is no hash or no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPasswordError {
    /// Over `PASSWORD_LEN_MAX`, or empty.
    Length,
    /// The kept hash is not one of ours; nobody can log in with it.
    Corrupt,
    /// No memory for it, or another fault inside argon2.
    Failed,
}

impl std::fmt::Display for AccountPasswordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "a password must have 1 to 1024 bytes",
            Self::Corrupt => "the kept password hash cannot be read",
            Self::Failed => "the password hash could not be computed",
        })
    }
}

impl std::error::Error for AccountPasswordError {}

/// Hashes a new password; the salt must be random.
pub fn hash(password: &Secret<String>, salt: [u8; 16]) -> Result<String, AccountPasswordError> {
    let password = checked(password)?;
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| AccountPasswordError::Failed)?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_params(password, &salt, params)
        .map_err(|_| AccountPasswordError::Failed)?;
    Ok(hash.to_string())
}

/// True if it is the password. The cost is that of the kept hash.
pub fn verify(password: &Secret<String>, kept: &str) -> Result<bool, AccountPasswordError> {
    let password = checked(password)?;
    let kept = PasswordHash::new(kept).map_err(|_| AccountPasswordError::Corrupt)?;
    match Argon2::default().verify_password(password, &kept) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(AccountPasswordError::Failed),
    }
}

fn checked(password: &Secret<String>) -> Result<&[u8], AccountPasswordError> {
    let bytes = password.reveal().as_bytes();
    match bytes.len() {
        1..=PASSWORD_LEN_MAX => Ok(bytes),
        _ => Err(AccountPasswordError::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountPasswordError, hash, verify};
    use crate::base::Secret;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn only_the_right_password_verifies() {
        let kept = hash(&secret("correct horse"), [7; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(verify(&secret("correct horse"), &kept), Ok(true));
        assert_eq!(verify(&secret("correct horsf"), &kept), Ok(false));
        assert_eq!(verify(&secret("x"), "$1$md5"), Err(AccountPasswordError::Corrupt));
        assert_eq!(verify(&secret(&"x".repeat(1025)), &kept), Err(AccountPasswordError::Length));
        assert_eq!(hash(&secret(""), [7; 16]), Err(AccountPasswordError::Length));
    }
}
