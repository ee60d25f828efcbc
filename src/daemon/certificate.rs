//! The certificate that `serve` shows: the files that the settings name, or one of our own that is made once and kept, so
//! that who has accepted it is not asked again.

use crate::config::{Settings, TlsFiles};
use crate::net::{Acceptor, SelfSigned, TlsError};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why there is no certificate.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// The files are no certificate and its key.
    Tls(PathBuf, TlsError),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => {
                write!(f, "{}: {error}. Without it nobody can log in", path.display())
            }
            Self::Tls(path, error) => {
                write!(
                    f,
                    "{}: {error}. See [tls] in pillarbox.toml: PEM files, and the key must be the certificate's",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for CertificateError {}

/// Reads or makes it.
pub fn certificate(settings: &Settings) -> Result<Acceptor, CertificateError> {
    let (chain, key) = match &settings.tls {
        Some(TlsFiles { certificate, key }) => (certificate.clone(), key.clone()),
        None => {
            let path =
                settings.data.join("keys").join(format!("self-signed-{}.pem", settings.host));
            if !path.exists() {
                make(&path, settings.host.as_str())?;
            }
            log::warn!(
                "tls=self-signed file={} mail programs will warn; set [tls] in pillarbox.toml when you have a certificate",
                path.display()
            );
            (path.clone(), path)
        }
    };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| CertificateError::Io(path.to_owned(), error))
    };
    Acceptor::new(&read(&chain)?, &read(&key)?).map_err(|error| CertificateError::Tls(chain, error))
}

/// Certificate and key in one file, so that they are there together or not at all.
fn make(path: &Path, host: &str) -> Result<(), CertificateError> {
    let io = |error: io::Error| CertificateError::Io(path.to_owned(), error);
    let signed =
        SelfSigned::new(&[host]).map_err(|error| CertificateError::Tls(path.to_owned(), error))?;
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    }
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(io)?;
    file.write_all(&signed.certificate)
        .and_then(|()| file.write_all(&signed.key))
        .and_then(|()| file.sync_all())
        .map_err(io)?;
    std::fs::rename(&new, path).map_err(io)
}
