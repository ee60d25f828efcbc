//! What happened in sessions with other servers, counted for their domains by the day (RFC 8460): in memory, and kept in
//! the registry now and then. A fall of the power costs what was counted since.

use crate::base::Timestamp;
use crate::dns::Name;
use crate::net;
use crate::registry::{DayTally, Registry, RegistryError};
use crate::verify::tls_report::{Happened, Tally};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All that is not yet kept.
#[derive(Debug)]
pub struct Tallies {
    registry: Arc<Registry>,
    counted: Mutex<HashMap<(i64, Name), Tally>>,
}

const SECONDS_A_DAY: i64 = 86_400;
/// Domains that are told apart between two times of keeping.
const DOMAINS_MAX: usize = 5_000;

/// The day of a time, counted from 1970.
pub const fn day(at: Timestamp) -> i64 {
    at.seconds().div_euclid(SECONDS_A_DAY)
}

impl Tallies {
    /// With nothing counted yet.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, counted: Mutex::default() }
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<(i64, Name), Tally>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what happened today.
    pub fn add(&self, domain: &Name, happened: &Happened) {
        let mut counted = self.counted();
        let place = (day(net::now()), domain.clone());
        if counted.len() < DOMAINS_MAX || counted.contains_key(&place) {
            counted.entry(place).or_default().add(happened);
        }
    }

    /// Keeps what was counted, beside what is kept of the same days. Blocks.
    pub fn keep(&self) -> Result<(), RegistryError> {
        let counted = std::mem::take(&mut *self.counted());
        let Some(last) = counted.keys().map(|(day, _)| *day).max() else { return Ok(()) };
        let there = self.registry.tls_tallies(last)?;
        let mut rows = Vec::with_capacity(counted.len());
        for ((day, domain), mut tally) in counted {
            let is_it = |row: &&DayTally| row.day == day && row.domain == domain.as_str();
            let kept = there.iter().find(is_it);
            if let Some(kept) = kept.and_then(|row| serde_json::from_str(&row.tally).ok()) {
                tally.merge(&kept);
            }
            let tally = serde_json::to_string(&tally).unwrap_or_default();
            rows.push(DayTally { day, domain: domain.as_str().to_owned(), tally });
        }
        self.registry.keep_tls_tallies(&rows)
    }

    /// What is kept of the days before this one. Blocks.
    pub fn before(&self, day: i64) -> Result<Vec<(i64, Name, Tally)>, RegistryError> {
        let rows = self.registry.tls_tallies(day - 1)?;
        let read = |row: DayTally| {
            Some((row.day, Name::parse(&row.domain)?, serde_json::from_str(&row.tally).ok()?))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// A day of a domain has been reported, or nobody wants to hear of it. Blocks.
    pub fn forget(&self, day: i64, domain: &Name) -> Result<(), RegistryError> {
        self.registry.forget_tls_tally(day, domain.as_str())
    }
}
