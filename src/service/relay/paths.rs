//! By which ways mail leaves: noted in the registry, once an hour for each.

use super::destination::To;
use crate::net;
use crate::registry::Registry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What has been noted already.
#[derive(Debug)]
pub struct Paths {
    registry: Arc<Registry>,
    noted: Mutex<HashMap<(&'static str, bool), i64>>,
}

const SECONDS_AN_HOUR: i64 = 3600;
const WHY_LEN_MAX: usize = 300;

impl Paths {
    /// Nothing yet since the start.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, noted: Mutex::default() }
    }

    /// A way worked, or failed for this reason.
    pub async fn note(&self, to: &To, outcome: Result<(), &str>) {
        let path = match to {
            To::Domain(_) => "straight",
            To::Smarthost => "smarthost",
            To::Behind(_) => "lmtp",
            To::Here => return,
        };
        let now = net::now().seconds();
        let hour = now - now.rem_euclid(SECONDS_AN_HOUR);
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.insert((path, outcome.is_ok()), hour) == Some(hour) {
                return;
            }
        }
        let registry = self.registry.clone();
        let why = outcome.map_err(|why| why.chars().take(WHY_LEN_MAX).collect::<String>());
        let note = move || {
            registry.note_path(path, hour, why.as_ref().map(|&()| ()).map_err(String::as_str))
        };
        if let Err(error) = smol::unblock(note).await {
            log::error!("path={path} is not noted: {error}");
        }
    }
}
