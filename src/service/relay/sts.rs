//! Domains' policies (MTA-STS, RFC 8461): fetched when DNS says that there is a new one, kept for as long as each says.

use crate::base::Timestamp;
use crate::dns::Name;
use crate::mail::Domain;
use crate::net::{self, HttpsError, Resolver};
use crate::registry::{KeptPolicy, Registry};
use crate::smtp::{Families, Route, host};
use crate::verify::mta_sts::{Announced, Mode, POLICY_LEN_MAX, Policy, PolicyError, announced};
use crate::verify::tls_report::{Applied, Happened, PolicyKind, TlsFailure};
use smol::lock;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A policy, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sts {
    /// It changes with the text.
    pub id: String,
    /// As it was fetched.
    pub text: String,
    /// What it says.
    pub policy: Policy,
    /// When it was fetched.
    pub fetched: Timestamp,
}

/// One that holds is fetched again after so long (RFC 8461 §3.3).
const REFRESH_AFTER: Duration = Duration::from_hours(24);
/// One that cannot be had is not asked for again before that.
const FETCH_AGAIN_AFTER: Duration = Duration::from_mins(5);
/// Domains whose policies are held in memory.
const DOMAINS_MAX: usize = 10_000;

impl Sts {
    /// From a text that was fetched.
    pub fn read(id: &str, text: &str, fetched: Timestamp) -> Result<Self, PolicyError> {
        let policy = Policy::parse(text)?;
        Ok(Self { id: id.to_owned(), text: text.to_owned(), policy, fetched })
    }

    fn holds(&self, now: Timestamp) -> bool {
        now < self.fetched + self.policy.max_age
    }

    /// For reports.
    pub fn applied(&self) -> Applied {
        let lines = self.text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let (lines, hosts) = (lines.map(str::to_owned).collect(), self.policy.hosts().collect());
        Applied { kind: PolicyKind::Sts, lines, hosts }
    }
}

/// All that are known.
#[derive(Debug)]
pub struct StsPolicies {
    registry: Arc<Registry>,
    resolver: Arc<Resolver>,
    domains: Mutex<HashMap<Name, Arc<lock::Mutex<Entry>>>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// Has the registry been asked?
    is_read: bool,
    known: Option<Arc<Sts>>,
    /// When a policy could not be had, and which.
    failed: Option<(Timestamp, String)>,
}

/// Why a policy could not be had.
#[derive(Debug)]
enum FetchError {
    NoHost,
    Https(HttpsError),
    NotText(String),
    Policy(PolicyError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("DNS does not say where it is"),
            Self::Https(error) => error.fmt(f),
            Self::NotText(kind) => write!(f, "it is {kind}, not text/plain"),
            Self::Policy(error) => error.fmt(f),
        }
    }
}

impl FetchError {
    const fn kind(&self) -> TlsFailure {
        match self {
            Self::Https(HttpsError::NotTrusted(_)) => TlsFailure::StsWebpkiInvalid,
            Self::NoHost | Self::Https(_) => TlsFailure::StsPolicyFetchError,
            Self::NotText(_) | Self::Policy(_) => TlsFailure::StsPolicyInvalid,
        }
    }
}

impl StsPolicies {
    /// With those that the registry has kept.
    pub fn new(registry: Arc<Registry>, resolver: Arc<Resolver>) -> Self {
        Self { registry, resolver, domains: Mutex::default() }
    }

    /// The policy that holds for a domain; and what its owner hears if a new one could not be had.
    pub async fn policy(&self, domain: &Name) -> (Option<Arc<Sts>>, Option<Happened>) {
        let entry = {
            let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
            if domains.len() >= DOMAINS_MAX {
                domains.clear();
            }
            domains.entry(domain.clone()).or_default().clone()
        };
        // Whoever comes meanwhile waits for the same answer.
        let mut entry = entry.lock().await;
        if !entry.is_read {
            entry.known = self.kept(domain).await.map(Arc::new);
            entry.is_read = true;
        }
        let now = net::now();
        let known = entry.known.clone().filter(|known| known.holds(now));
        let id = match self.resolver.decide(|answers| announced(domain, answers)).await {
            Announced::Id(id) => id,
            // What was fetched holds for its time (§3.3).
            Announced::Absent | Announced::Unknown => return (known, None),
        };
        let is_fresh = |known: &Arc<Sts>| known.id == id && now < known.fetched + REFRESH_AFTER;
        let has_failed =
            |(at, which): &(Timestamp, String)| *which == id && now < *at + FETCH_AGAIN_AFTER;
        if known.as_ref().is_some_and(is_fresh) || entry.failed.as_ref().is_some_and(has_failed) {
            return (known, None);
        }
        match self.fetch(domain, &id, now).await {
            Ok(new) => {
                let new = Arc::new(new);
                entry.known = Some(new.clone());
                entry.failed = None;
                drop(entry);
                self.keep(domain, &new).await;
                (Some(new).filter(|new| new.holds(now)), None)
            }
            Err(error) => {
                log::warn!("domain={domain} its policy (MTA-STS) cannot be had: {error}");
                entry.failed = Some((now, id));
                let applied = match known.as_ref().filter(|old| old.policy.mode != Mode::None) {
                    Some(old) => old.applied(),
                    None => Applied { kind: PolicyKind::Sts, lines: Vec::new(), hosts: Vec::new() },
                };
                let outcome = Err((error.kind(), error.to_string()));
                (known, Some(Happened { applied, host: None, outcome }))
            }
        }
    }

    async fn fetch(&self, domain: &Name, id: &str, now: Timestamp) -> Result<Sts, FetchError> {
        let server = domain.under("mta-sts").ok_or(FetchError::NoHost)?;
        let rule = |known: &_| host(&server, Families::FourAndSix, known);
        let Route::Hosts(hosts) = self.resolver.decide(rule).await else {
            return Err(FetchError::NoHost);
        };
        let addresses = hosts.into_iter().flat_map(|host| host.addresses).collect();
        let url = format!("https://{server}/.well-known/mta-sts.txt");
        let page =
            net::https_get(&url, addresses, POLICY_LEN_MAX).await.map_err(FetchError::Https)?;
        if !page.media_type.eq_ignore_ascii_case("text/plain") {
            return Err(FetchError::NotText(page.media_type));
        }
        let text =
            String::from_utf8(page.body).map_err(|_| FetchError::Policy(PolicyError::Line))?;
        let new = Sts::read(id, &text, now).map_err(FetchError::Policy)?;
        log::info!("domain={domain} policy (MTA-STS) id={id} mode={:?}", new.policy.mode);
        Ok(new)
    }

    async fn kept(&self, domain: &Name) -> Option<Sts> {
        let (registry, domain) = (self.registry.clone(), Domain::parse(domain.as_str())?);
        match smol::unblock(move || registry.sts_policy(&domain)).await {
            Ok(kept) => {
                let kept = kept?;
                Sts::read(&kept.id, &kept.text, Timestamp::from_seconds(kept.fetched)).ok()
            }
            Err(error) => {
                log::error!("a policy (MTA-STS) that was kept cannot be read: {error}");
                None
            }
        }
    }

    async fn keep(&self, domain: &Name, new: &Sts) {
        let Some(domain) = Domain::parse(domain.as_str()) else { return };
        let kept = KeptPolicy {
            id: new.id.clone(),
            text: new.text.clone(),
            fetched: new.fetched.seconds(),
            until: (new.fetched + new.policy.max_age).seconds(),
        };
        let registry = self.registry.clone();
        let keep = move || registry.keep_sts_policy(&domain, &kept);
        if let Err(error) = smol::unblock(keep).await {
            log::error!("a policy (MTA-STS) is not kept: {error}");
        }
    }
}
