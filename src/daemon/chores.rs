//! What the running box does by itself now and then, and what it tells systemd.

use crate::net;
use crate::registry::Registry;
use crate::service::{Seen, Signing};
use crate::store::Store;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;

const DAILY: Duration = Duration::from_hours(24);
const HOURLY: Duration = Duration::from_hours(1);

/// Without systemd nobody listens, and nothing is sent.
pub fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("systemd was not told: {error}");
    }
}

/// Tells systemd that sessions are still being served: a thread that hangs tells nothing, and is restarted.
pub async fn show_life(every: Duration) {
    loop {
        tell_systemd(NotifyState::Watchdog);
        smol::Timer::after(every).await;
    }
}

/// The registry's copy is made at the start and after each command too; this one holds when devices were last used.
pub async fn back_up_daily(registry: Arc<Registry>) {
    loop {
        smol::Timer::after(DAILY).await;
        let registry = registry.clone();
        if let Err(error) = smol::unblock(move || registry.back_up()).await {
            log::error!("state.db has no backup of today: {error}");
        }
    }
}

/// At the start too: a box that is switched off at night never runs for a day.
pub async fn clear_removed_daily(store: Arc<Store>) {
    loop {
        let store = store.clone();
        if let Err(error) = smol::unblock(move || store.clear_removed(net::now())).await {
            log::error!("old mail in removed/ stays: {error}");
        }
        smol::Timer::after(DAILY).await;
    }
}

/// At the start too: keys that are missing are made then, beside what is already served.
pub async fn keep_keys_hourly(signing: Arc<Signing>) {
    loop {
        let signing = signing.clone();
        // Here the resolver is to say by `selfcheck::is_published` which records are seen; until then keys wait their time.
        let keep = move || signing.keep(net::now(), &|_, _| Seen::Unknown);
        if let Err(error) = smol::unblock(keep).await {
            log::error!("dkim keys are not as they ought to be; tried again in an hour: {error}");
        }
        smol::Timer::after(HOURLY).await;
    }
}
