//! A domain's secret key, and the record by which others check its signatures (RFC 6376 §3.6.1, RFC 8463 §4). Keys are
//! files of ours.

use data_encoding::BASE64;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::Signer;
use std::fmt;

/// How a signature is made; `a=` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What everyone can check (RFC 6376 §3.3.1).
    RsaSha256,
    /// Shorter, and not known to all (RFC 8463).
    Ed25519Sha256,
}

impl Algorithm {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::RsaSha256, Self::Ed25519Sha256];

    /// As `a=` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// As `k=` says it.
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa",
            Self::Ed25519Sha256 => "ed25519",
        }
    }
}

/// A secret key. `Debug` shows what is public.
pub struct Key {
    secret: PKey<Private>,
    algorithm: Algorithm,
    record: String,
}

/// Why something is no key to sign with.
#[derive(Debug)]
pub enum KeyError {
    /// It is neither RSA nor Ed25519.
    Algorithm,
    /// An RSA key of so many bits: nobody would trust it (RFC 8301 §3.2).
    Short(u32),
    /// It cannot be read or used.
    Unreadable(ErrorStack),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm => f.write_str("neither an RSA nor an Ed25519 key"),
            Self::Short(bits) => write!(f, "an RSA key of {bits} bits; it must have 1024"),
            Self::Unreadable(error) => write!(f, "no key: {error}"),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<ErrorStack> for KeyError {
    fn from(error: ErrorStack) -> Self {
        Self::Unreadable(error)
    }
}

/// RFC 8301 §3.2.
const RSA_BITS_MIN: u32 = 1024;

impl Key {
    /// From a secret key of OpenSSL's.
    pub fn new(secret: PKey<Private>) -> Result<Self, KeyError> {
        let (algorithm, public) = match secret.id() {
            // RFC 6376 Appendix C: as a SubjectPublicKeyInfo.
            Id::RSA if secret.bits() >= RSA_BITS_MIN => {
                (Algorithm::RsaSha256, secret.public_key_to_der()?)
            }
            Id::RSA => return Err(KeyError::Short(secret.bits())),
            Id::ED25519 => (Algorithm::Ed25519Sha256, secret.raw_public_key()?),
            _ => return Err(KeyError::Algorithm),
        };
        let record = format!("v=DKIM1; k={}; p={}", algorithm.key_type(), BASE64.encode(&public));
        Ok(Self { secret, algorithm, record })
    }

    /// From a PEM file.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Self::new(PKey::private_key_from_pem(pem)?)
    }

    /// How it signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its TXT record says, in one string.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// Signs a SHA-256 hash (RFC 6376 §3.3.1, RFC 8463 §3).
    pub(super) fn signature(&self, hash: &[u8; 32]) -> Result<Vec<u8>, ErrorStack> {
        match self.algorithm {
            Algorithm::RsaSha256 => {
                let mut context = PkeyCtx::new(&self.secret)?;
                context.sign_init()?;
                context.set_rsa_padding(Padding::PKCS1)?;
                context.set_signature_md(Md::sha256())?;
                let mut signature = Vec::new();
                context.sign_to_vec(hash, &mut signature)?;
                Ok(signature)
            }
            Algorithm::Ed25519Sha256 => {
                Signer::new_without_digest(&self.secret)?.sign_oneshot_to_vec(hash)
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Key, KeyError};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    #[test]
    fn keys_and_their_records() {
        let pem = PKey::generate_ed25519().unwrap().private_key_to_pem_pkcs8().unwrap();
        let key = Key::from_pem(&pem).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Ed25519Sha256);
        assert_eq!(key.record().len(), "v=DKIM1; k=ed25519; p=".len() + 44);
        let rsa = |bits| Key::new(PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap());
        let key = rsa(1024).unwrap();
        assert!(key.record().starts_with("v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEB"));
        assert_eq!(format!("{key:?}"), format!("Key({})", key.record()));
        assert!(matches!(rsa(512), Err(KeyError::Short(512))));
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let other = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        assert!(matches!(Key::new(other), Err(KeyError::Algorithm)));
        assert!(matches!(Key::from_pem(b"nothing"), Err(KeyError::Unreadable(_))));
    }
}
