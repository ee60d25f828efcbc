//! Mail goes out with the signatures of its domain (DKIM): which domain that is, its keys in memory, and how they are
//! made, changed over and removed. Blocks: the caller is on a thread that may.

use crate::base::Timestamp;
use crate::keyring::{DomainKey, Keyring, KeyringError, Step, steps};
use crate::mail::header::find;
use crate::mail::{Domain, Entry, parse_address_list};
use crate::verify::dkim::{Algorithm, DkimError, Published, Standing, sign};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The domains of the box and their keys.
#[derive(Debug)]
pub struct Signing {
    ring: Keyring,
    /// `None`: nobody has read them yet. It takes a millisecond or more, which a start does not wait for.
    keys: RwLock<BTreeMap<Domain, Option<Vec<DomainKey>>>>,
    /// Held by whoever changes files: they are changed by one at a time.
    work: Mutex<()>,
}

/// What is known of the record of a key that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is in DNS: the key may sign.
    Published,
    /// Nobody has looked, or it is not there: the key waits until its time has come.
    Unknown,
}

/// How fast keys are changed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// The new ones wait until their records are known.
    Waiting,
    /// At once.
    Now,
}

/// Why keys were not changed over.
#[derive(Debug)]
pub enum RotateError {
    /// Refused: the domain has no keys here.
    NotOurs,
    /// Refused: new ones are waiting already.
    Waiting,
    /// Failed.
    Keyring(KeyringError),
}

impl fmt::Display for RotateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("this is not a domain of ours"),
            Self::Waiting => f.write_str("new keys are waiting already"),
            Self::Keyring(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RotateError {}

impl From<KeyringError> for RotateError {
    fn from(error: KeyringError) -> Self {
        Self::Keyring(error)
    }
}

impl Signing {
    /// With the keys that lie in this data folder for these domains. Those that are missing are made by `keep`.
    pub fn open(data: &Path, domains: impl IntoIterator<Item = Domain>) -> Self {
        let named = domains.into_iter().filter(|domain| !domain.is_literal());
        let keys = named.map(|domain| (domain, None)).collect();
        Self { ring: Keyring::new(data), keys: RwLock::new(keys), work: Mutex::new(()) }
    }

    fn keys(&self) -> RwLockReadGuard<'_, BTreeMap<Domain, Option<Vec<DomainKey>>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Domain, Option<Vec<DomainKey>>>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, ()> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which domain signs a message: that of its author if it is ours, else that of the sender of its envelope, else
    /// none. `header` is as for `fields`.
    pub fn domain(&self, header: &[u8], reverse_path: Option<&Domain>) -> Option<Domain> {
        let author = find(header, "from").and_then(|field| first_domain(field.value));
        let keys = self.keys();
        author.as_ref().into_iter().chain(reverse_path).find(|one| keys.contains_key(*one)).cloned()
    }

    /// The DKIM-Signature fields of a message, with line ends, to be put in front of its header; a field for each kind of
    /// key, none if the domain has no keys (yet). `header` is whole, and as it will be sent; `body_hash` is that of a
    /// `BodyHash` of the relaxed form. Takes some milliseconds on a small board.
    pub fn fields(
        &self,
        domain: &Domain,
        header: &[u8],
        body_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<String, DkimError> {
        self.read(domain);
        self.make_first(domain, now);
        let keys = self.keys();
        let keys = keys.get(domain).and_then(Option::as_deref).unwrap_or_default();
        let mut in_use = Vec::new();
        for algorithm in Algorithm::ALL {
            let signs = |key: &&DomainKey| {
                key.name.algorithm == algorithm && key.name.standing == Standing::Current
            };
            in_use.extend(keys.iter().find(signs).map(|key| (&key.name.selector, &key.key)));
        }
        sign(header, body_hash, &in_use, domain, now)
    }

    /// What is to be in DNS for the keys of a domain: by standing, RSA first. `None`: it is not ours.
    pub fn published(&self, domain: &Domain) -> Option<Vec<Published>> {
        self.read(domain);
        let keys = self.keys();
        let keys = keys.get(domain)?.iter().flatten();
        Some(keys.map(DomainKey::published).collect())
    }

    /// The domains that have keys, or are to have them.
    pub fn domains(&self) -> Vec<Domain> {
        self.keys().keys().cloned().collect()
    }

    /// A domain is ours from now on, if it was not, and has keys when this returns.
    pub fn add(&self, domain: &Domain, now: Timestamp) -> Result<(), KeyringError> {
        if domain.is_literal() {
            return Ok(());
        }
        let work = self.work();
        self.write().entry(domain.clone()).or_default();
        self.keep_one(&work, domain, now, &|_| Seen::Unknown)
    }

    /// A domain is ours no more. Its keys stay on the disk, for it may come back.
    pub fn forget(&self, domain: &Domain) {
        let _work = self.work();
        self.write().remove(domain);
    }

    /// Does what is due: keys that are missing are made, waiting ones that were `seen` or have waited long enough begin
    /// to sign, old ones are removed. To be called at the start and now and then. `seen` answers from what is known and
    /// does not wait: mail cannot be signed meanwhile.
    pub fn keep(
        &self,
        now: Timestamp,
        seen: &dyn Fn(&Domain, &Published) -> Seen,
    ) -> Result<(), KeyringError> {
        let mut all = Ok(());
        let domains = self.domains();
        // Nobody who signs waits then for keys that are made for another domain.
        for domain in &domains {
            self.read(domain);
        }
        for domain in domains {
            // One that fails is no reason to leave the others.
            all = all.and(self.keep_one(&self.work(), &domain, now, &|key| seen(&domain, key)));
        }
        all
    }

    /// New keys for a domain, of each kind.
    pub fn rotate(&self, domain: &Domain, pace: Pace, now: Timestamp) -> Result<(), RotateError> {
        let work = self.work();
        // What was due before comes first: a domain has current keys then.
        self.keep_one(&work, domain, now, &|_| Seen::Unknown)?;
        let there = self.published(domain).ok_or(RotateError::NotOurs)?;
        let waits = |algorithm| {
            let is_it =
                |key: &Published| key.algorithm == algorithm && key.standing == Standing::Next;
            there.iter().any(is_it)
        };
        let missing: Vec<_> = Algorithm::ALL.into_iter().filter(|one| !waits(*one)).collect();
        if missing.is_empty() && pace == Pace::Waiting {
            return Err(RotateError::Waiting);
        }
        for algorithm in missing {
            self.take(domain, Step::Make(algorithm, Standing::Next), now)?;
        }
        let seen = match pace {
            Pace::Waiting => Seen::Unknown,
            Pace::Now => Seen::Published,
        };
        self.keep_one(&work, domain, now, &|_| seen)?;
        Ok(())
    }

    fn keep_one(
        &self,
        work: &MutexGuard<'_, ()>,
        domain: &Domain,
        now: Timestamp,
        seen: &dyn Fn(&Published) -> Seen,
    ) -> Result<(), KeyringError> {
        self.reread(work, domain)?;
        let due = {
            let keys = self.keys();
            let Some(Some(keys)) = keys.get(domain) else { return Ok(()) };
            let names: Vec<_> = keys.iter().map(|key| key.name.clone()).collect();
            steps(&names, now, |name| {
                let waiting = keys.iter().find(|key| key.name == *name);
                waiting.is_some_and(|key| seen(&key.published()) == Seen::Published)
            })
        };
        let done = due.into_iter().try_for_each(|step| self.take(domain, step, now));
        // What was done before something failed is done.
        self.reread(work, domain)?;
        done
    }

    fn take(&self, domain: &Domain, step: Step, now: Timestamp) -> Result<(), KeyringError> {
        let told = step.to_string();
        self.ring.take(domain, step, now)?;
        log::info!("dkim domain={domain} {told}");
        Ok(())
    }

    /// The first messages of a new box wait for its keys, rather than go out unsigned.
    fn make_first(&self, domain: &Domain, now: Timestamp) {
        let has_none =
            || self.keys().get(domain).is_some_and(|keys| keys.as_ref().is_some_and(Vec::is_empty));
        if !has_none() {
            return;
        }
        let work = self.work();
        if has_none()
            && let Err(error) = self.keep_one(&work, domain, now, &|_| Seen::Unknown)
        {
            log::error!("domain={domain} mail goes out without signatures: {error}");
        }
    }

    /// Reads the keys of a domain, if nobody has.
    fn read(&self, domain: &Domain) {
        let is_unread = || matches!(self.keys().get(domain), Some(None));
        if !is_unread() {
            return;
        }
        let work = self.work();
        if is_unread()
            && let Err(error) = self.reread(&work, domain)
        {
            log::error!("domain={domain} mail goes out without signatures: {error}");
        }
    }

    /// Takes over what lies on the disk for a domain, unless it has been forgotten.
    fn reread(&self, _work: &MutexGuard<'_, ()>, domain: &Domain) -> Result<(), KeyringError> {
        let read = self.ring.read(domain)?;
        if let Some(keys) = self.write().get_mut(domain) {
            *keys = Some(read);
        }
        Ok(())
    }
}

/// The domain of the first address of a From field that has one.
fn first_domain(value: &[u8]) -> Option<Domain> {
    parse_address_list(value).into_iter().find_map(|entry| match entry {
        Entry::Mailbox { host, .. } => Domain::parse(std::str::from_utf8(host.as_bytes()).ok()?),
        Entry::GroupStart(_) | Entry::GroupEnd => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Domain, Pace, Published, RotateError, Seen, Signing, Standing, Timestamp};
    use std::path::PathBuf;

    const DAY: i64 = 86_400;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_824_000 + days * DAY)
    }

    fn folder(word: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("pillarbox-signing-{word}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir(&path).unwrap();
        path
    }

    fn ours(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn selectors(signing: &Signing, standing: Standing) -> Vec<String> {
        let keys = signing.published(&ours("example.org")).unwrap();
        let is_it = |key: &Published| key.standing == standing;
        keys.into_iter().filter(is_it).map(|key| key.selector.to_string()).collect()
    }

    fn signed_by(signing: &Signing, now: Timestamp) -> Vec<String> {
        let fields = signing.fields(&ours("example.org"), b"From: a\r\n", &[0; 32], now).unwrap();
        let words = fields.split([' ', '\r', '\n']).filter_map(|word| word.strip_prefix("s="));
        words.map(|word| word.trim_end_matches(';').to_owned()).collect()
    }

    #[test]
    fn keys_come_and_go_while_mail_is_signed() {
        let data = folder("rotate");
        let signing = Signing::open(&data, [ours("example.org")]);
        // Whoever signs first has them made.
        assert_eq!(signed_by(&signing, at(0)), ["r20261128", "e20261128"]);
        let nobody_looks = |_: &Domain, _: &Published| Seen::Unknown;
        signing.keep(at(0), &nobody_looks).unwrap();
        assert_eq!(signed_by(&signing, at(0)), ["r20261128", "e20261128"]);
        assert!(selectors(&signing, Standing::Next).is_empty());
        // Twice on one day, the second time at once.
        signing.rotate(&ours("example.org"), Pace::Waiting, at(0)).unwrap();
        assert_eq!(signed_by(&signing, at(0)), ["r20261128", "e20261128"]);
        assert_eq!(selectors(&signing, Standing::Next), ["r20261128-2", "e20261128-2"]);
        let again = signing.rotate(&ours("example.org"), Pace::Waiting, at(1));
        assert!(matches!(again, Err(RotateError::Waiting)));
        signing.rotate(&ours("example.org"), Pace::Now, at(0)).unwrap();
        assert_eq!(signed_by(&signing, at(0)), ["r20261128-2", "e20261128-2"]);
        signing.rotate(&ours("example.org"), Pace::Now, at(0)).unwrap();
        assert_eq!(selectors(&signing, Standing::Retired).len(), 4);
        // By its time, after a start.
        signing.rotate(&ours("example.org"), Pace::Waiting, at(5)).unwrap();
        let signing = Signing::open(&data, [ours("example.org")]);
        signing.keep(at(6), &nobody_looks).unwrap();
        assert_eq!(signed_by(&signing, at(6)), ["r20261128-3", "e20261128-3"]);
        signing.keep(at(7), &nobody_looks).unwrap();
        assert_eq!(signed_by(&signing, at(7)), ["r20261203", "e20261203"]);
        assert_eq!(selectors(&signing, Standing::Retired), ["r20261128-3", "e20261128-3"]);
        // As soon as it is seen.
        signing.rotate(&ours("example.org"), Pace::Waiting, at(8)).unwrap();
        signing.keep(at(8), &|_, _| Seen::Published).unwrap();
        assert_eq!(signed_by(&signing, at(8)), ["r20261206", "e20261206"]);
        signing.keep(at(30), &nobody_looks).unwrap();
        assert!(selectors(&signing, Standing::Retired).is_empty());
        std::fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn new_keys_wait_beside_the_first_ones() {
        let data = folder("first");
        let signing = Signing::open(&data, [ours("example.org")]);
        signing.rotate(&ours("example.org"), Pace::Waiting, at(0)).unwrap();
        assert_eq!(signed_by(&signing, at(0)), ["r20261128", "e20261128"]);
        assert_eq!(selectors(&signing, Standing::Next), ["r20261128-2", "e20261128-2"]);
        std::fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn which_domain_signs() {
        let data = folder("which");
        let signing = Signing::open(&data, [ours("a.example"), ours("b.example")]);
        let (a, b, other) = (ours("a.example"), ours("b.example"), ours("c.example"));
        let by = |header: &[u8], path| signing.domain(header, path);
        assert_eq!(by(b"From: \"x@b.example\" <x@A.EXAMPLE>\r\n", Some(&b)), Some(a.clone()));
        assert_eq!(by(b"From: x@c.example\r\n", Some(&b)), Some(b.clone()));
        assert_eq!(by(b"From: x@sub.a.example\r\n", None), None);
        assert_eq!(by(b"Subject: x\r\n", Some(&other)), None);
        assert_eq!(by(b"From: =?x?=\r\n", Some(&a)), Some(a.clone()));
        // Keys stay for a domain that comes back.
        signing.add(&other, at(0)).unwrap();
        let made = signing.published(&other).unwrap();
        signing.forget(&other);
        assert_eq!(by(b"", Some(&other)), None);
        assert!(matches!(signing.rotate(&other, Pace::Now, at(0)), Err(RotateError::NotOurs)));
        signing.add(&other, at(3)).unwrap();
        assert_eq!(signing.published(&other).unwrap(), made);
        std::fs::remove_dir_all(data).unwrap();
    }
}
