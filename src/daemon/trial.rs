//! What `pillarbox try` needs: two accounts with a device password each, kept in `try.json` so that the next start goes
//! on with them, and a self-signed certificate.

use crate::mail::Address;
use crate::net::{self, SelfSigned, TlsError};
use crate::registry::{Registry, RegistryError};
use crate::sasl::device::DevicePassword;
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Kept in `try.json`, mode 0600.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The accounts.
    pub accounts: Vec<TrialAccount>,
    certificate: String,
    key: String,
}

/// An account to try.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialAccount {
    /// Its address.
    pub address: String,
    /// A device password of it.
    pub password: String,
}

/// Why nothing can be tried.
#[derive(Debug)]
pub enum TrialError {
    /// A file of the folder.
    Io(PathBuf, io::Error),
    /// `try.json` is not as this program writes it.
    Text(PathBuf, serde_json::Error),
    /// The registry.
    Registry(RegistryError),
    /// The certificate.
    Tls(TlsError),
    /// No randomness.
    Random(ErrorStack),
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Text(path, error) => {
                write!(f, "{}: {error}. Remove the whole folder to begin anew", path.display())
            }
            Self::Registry(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Random(error) => write!(f, "no random numbers: {error}"),
        }
    }
}

impl std::error::Error for TrialError {}

impl TrialAccount {
    /// False once it was removed.
    fn is_there(&self, registry: &Registry) -> bool {
        let address = Address::parse(self.address.as_bytes()).ok();
        address.is_some_and(|address| !matches!(registry.resolve(&address), Ok(None)))
    }
}

const ADDRESSES: [&str; 2] = ["ann@pillarbox.test", "bob@pillarbox.test"];

impl Trial {
    /// What the folder has, or a new one.
    pub fn open(data: &Path, registry: &Registry) -> Result<Self, TrialError> {
        let path = data.join("try.json");
        match std::fs::read(&path) {
            Ok(text) => {
                let mut trial: Self = serde_json::from_slice(&text)
                    .map_err(|error| TrialError::Text(path.clone(), error))?;
                trial.accounts.retain(|account| account.is_there(registry));
                Ok(trial)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(&path, registry),
            Err(error) => Err(TrialError::Io(path, error)),
        }
    }

    fn make(path: &Path, registry: &Registry) -> Result<Self, TrialError> {
        let now = net::now();
        let mut accounts = Vec::new();
        for text in ADDRESSES {
            let Ok(address) = Address::parse(text.as_bytes()) else { continue };
            let (mut salt, mut bits) = ([0; 16], [0; 10]);
            rand_bytes(&mut salt).map_err(TrialError::Random)?;
            rand_bytes(&mut bits).map_err(TrialError::Random)?;
            match registry.add_person(&address, salt, now) {
                // A start that was cut off before try.json was written.
                Ok(_) | Err(RegistryError::AddressTaken(_)) => {}
                Err(error) => return Err(TrialError::Registry(error)),
            }
            let password = DevicePassword::from_random(bits);
            registry.add_device(&address, "try", &password, now).map_err(TrialError::Registry)?;
            let password = password.spelled().reveal().clone();
            accounts.push(TrialAccount { address: text.to_owned(), password });
        }
        let signed = SelfSigned::new(&["localhost", "pillarbox.test"]).map_err(TrialError::Tls)?;
        let text = |pem: Vec<u8>| String::from_utf8_lossy(&pem).into_owned();
        let trial = Self { accounts, certificate: text(signed.certificate), key: text(signed.key) };
        trial.write(path)?;
        Ok(trial)
    }

    fn write(&self, path: &Path) -> Result<(), TrialError> {
        let io = |error: io::Error| TrialError::Io(path.to_owned(), error);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| TrialError::Text(path.to_owned(), error))?;
        let new = path.with_extension("json.new");
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(io)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::rename(&new, path).map_err(io)
    }

    /// The certificate and its key, PEM.
    pub fn certificate(&self) -> (&[u8], &[u8]) {
        (self.certificate.as_bytes(), self.key.as_bytes())
    }
}
