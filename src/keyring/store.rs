//! Reads and writes the files. A key is written whole or not at all, and is on the disk before anyone hears of it. Only
//! this program writes there; what is no key's file is left alone.

use super::error::KeyringError;
use super::key_name::KeyName;
use super::rotation::{Step, waits_until};
use crate::base::Timestamp;
use crate::mail::Domain;
use crate::verify::dkim::{Algorithm, Key, Published};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// RFC 8301 §3.2; longer ones do not fit into the record forms of some providers.
const RSA_BITS: u32 = 2048;

/// A key and what its file's name says.
#[derive(Debug)]
pub struct DomainKey {
    /// What is known of it.
    pub name: KeyName,
    /// The key itself.
    pub key: Key,
}

impl DomainKey {
    /// As others see it.
    pub fn published(&self) -> Published {
        let KeyName { selector, algorithm, standing, since } = self.name.clone();
        let (until, record) = (waits_until(&self.name), self.key.record().to_owned());
        Published { selector, algorithm, standing, since, until, record }
    }
}

/// All keys of the box.
#[derive(Debug)]
pub struct Keyring {
    data: PathBuf,
}

impl Keyring {
    /// Of this data folder.
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    fn folder(&self, domain: &Domain) -> PathBuf {
        self.data.join("keys").join("dkim").join(domain.as_str())
    }

    /// The keys of a domain by standing, RSA first, the newest first. A file that holds no key is told in the log, and
    /// not counted.
    pub fn read(&self, domain: &Domain) -> Result<Vec<DomainKey>, KeyringError> {
        let folder = self.folder(domain);
        let mut keys = Vec::new();
        for name in names(&folder)? {
            let path = folder.join(name.to_string());
            let pem = std::fs::read(&path).map_err(io_error(&path))?;
            match Key::from_pem(&pem) {
                Ok(key) if key.algorithm() == name.algorithm => keys.push(DomainKey { name, key }),
                Ok(_) => log::error!("{}: the key is not what its name says", path.display()),
                Err(error) => log::error!("{}: {error}", path.display()),
            }
        }
        keys.sort_by(|one, two| {
            let order = |key: &DomainKey| (key.name.standing, key.name.algorithm);
            order(one).cmp(&order(two)).then(two.name.since.cmp(&one.name.since))
        });
        Ok(keys)
    }

    /// Does a step. Making an RSA key takes a second or more on a small board.
    pub fn take(&self, domain: &Domain, step: Step, now: Timestamp) -> Result<(), KeyringError> {
        let folder = self.folder(domain);
        match step {
            Step::Make(algorithm, standing) => {
                let secret = match algorithm {
                    Algorithm::RsaSha256 => PKey::from_rsa(Rsa::generate(RSA_BITS)?)?,
                    Algorithm::Ed25519Sha256 => PKey::generate_ed25519()?,
                };
                let pem = secret.private_key_to_pem_pkcs8()?;
                self.make_folders(&folder)?;
                let name = KeyName::fresh(algorithm, standing, now, &names(&folder)?);
                let new = folder.join(format!("{}.new", name.selector));
                write(&new, &pem).map_err(io_error(&new))?;
                rename(&folder, &new, &name)
            }
            Step::Move(name, standing) => {
                let old = folder.join(name.to_string());
                let since = Timestamp::from_seconds(now.seconds());
                rename(&folder, &old, &KeyName { standing, since, ..name })
            }
            Step::Remove(name) => {
                let path = folder.join(name.to_string());
                std::fs::remove_file(&path).and_then(|()| sync(&folder)).map_err(io_error(&path))
            }
        }
    }

    /// Each of those that are missing is on the disk before the next is made in it.
    fn make_folders(&self, folder: &Path) -> Result<(), KeyringError> {
        let mut missing: Vec<&Path> =
            folder.ancestors().take_while(|path| **path != *self.data).collect();
        missing.reverse();
        for path in missing {
            match DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => path.parent().map_or(Ok(()), sync).map_err(io_error(path))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(KeyringError::Io(path.to_owned(), error)),
            }
        }
        Ok(())
    }
}

/// What lies in a folder; nothing if it is not there.
fn names(folder: &Path) -> Result<Vec<KeyName>, KeyringError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(KeyringError::Io(folder.to_owned(), error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error(folder))?.file_name();
        names.extend(name.to_str().and_then(KeyName::parse));
    }
    Ok(names)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyringError + '_ {
    move |error| KeyringError::Io(path.to_owned(), error)
}

fn write(path: &Path, pem: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(pem)?;
    file.sync_all()
}

fn rename(folder: &Path, from: &Path, to: &KeyName) -> Result<(), KeyringError> {
    let to = folder.join(to.to_string());
    std::fs::rename(from, &to).and_then(|()| sync(folder)).map_err(io_error(&to))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Domain, Keyring, Step, Timestamp};
    use crate::verify::dkim::Standing;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    #[test]
    fn keys_are_kept() {
        let data = std::env::temp_dir().join(format!("pillarbox-keyring-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir(&data).unwrap();
        let domain = Domain::parse("example.org").unwrap();
        let ring = Keyring::new(&data);
        assert!(ring.read(&domain).unwrap().is_empty());
        let now = Timestamp::from_seconds(1_795_824_000);
        for (algorithm, standing) in [
            (Algorithm::Ed25519Sha256, Standing::Current),
            (Algorithm::RsaSha256, Standing::Current),
            (Algorithm::Ed25519Sha256, Standing::Next),
        ] {
            ring.take(&domain, Step::Make(algorithm, standing), now).unwrap();
        }
        let keys = ring.read(&domain).unwrap();
        let names: Vec<String> = keys.iter().map(|key| key.name.to_string()).collect();
        assert_eq!(
            names,
            [
                "e20261128-2.ed25519.next.1795824000.pem",
                "r20261128.rsa.current.1795824000.pem",
                "e20261128.ed25519.current.1795824000.pem",
            ]
        );
        let [next, rsa, old] = &keys[..] else { panic!() };
        assert!(rsa.published().record.len() > 255 && rsa.published().until.is_none());
        let folder = data.join("keys/dkim/example.org");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(&names[0]))), (0o700, 0o600));
        // A changeover, and what is no key of ours.
        let later = Timestamp::from_seconds(1_795_999_999);
        ring.take(&domain, Step::Move(next.name.clone(), Standing::Current), later).unwrap();
        ring.take(&domain, Step::Remove(old.name.clone()), later).unwrap();
        let kept = folder.join("e20261128-2.ed25519.current.1795999999.pem");
        std::fs::copy(&kept, folder.join("r1.rsa.current.0.pem")).unwrap();
        std::fs::write(folder.join("r2.rsa.current.0.pem"), "no key").unwrap();
        std::fs::write(folder.join("r3.new"), "cut off").unwrap();
        let left = ring.read(&domain).unwrap();
        assert_eq!(
            left.iter().map(|key| key.name.selector.as_str()).collect::<Vec<_>>(),
            ["r20261128", "e20261128-2"]
        );
        assert_eq!(left[1].key.record(), next.key.record());
        std::fs::remove_dir_all(data).unwrap();
    }
}
