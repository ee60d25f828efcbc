//! What the running box does by itself now and then, and what it tells systemd.

use super::house::House;
use crate::dns::Name;
use crate::mail::Domain;
use crate::net::{self, Resolver};
use crate::registry::Registry;
use crate::selfcheck::is_published;
use crate::service::{Relay, Seen, Signing, TlsReports};
use crate::store::Store;
use crate::verify::dkim::{Published, Selector, Standing};
use sd_notify::NotifyState;
use smol::{LocalExecutor, Task};
use std::rc::Rc;
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

/// Begins all that the box does by itself.
pub fn chores(house: &Arc<House>, executor: &Rc<LocalExecutor<'static>>) -> Vec<Task<()>> {
    let relay = house.plan.relay.clone();
    let mut begun = vec![
        executor.spawn(back_up_daily(house.registry.clone())),
        executor.spawn(clear_removed_daily(house.store.clone())),
        executor.spawn(keep_keys_hourly(house.plan.signing.clone(), relay.clone())),
    ];
    if let Some(limit) = sd_notify::watchdog_enabled() {
        begun.push(executor.spawn(show_life(limit / 2)));
    }
    if let Some(relay) = relay {
        begun.push(executor.spawn(relay.clone().run(executor.clone())));
        let first = house.plan.control.facts.domains.first();
        if let (Some(domain), Some(outbox)) = (first, house.outbox()) {
            let reports = TlsReports::new(domain.clone(), outbox);
            begun.push(executor.spawn(report_tls_hourly(reports, relay)));
        }
    }
    begun
}

/// Tells systemd that sessions are still being served: a thread that hangs tells nothing, and is restarted.
async fn show_life(every: Duration) {
    loop {
        tell_systemd(NotifyState::Watchdog);
        smol::Timer::after(every).await;
    }
}

/// The registry's copy is made at the start and after each command too; this one holds when devices were last used.
async fn back_up_daily(registry: Arc<Registry>) {
    loop {
        smol::Timer::after(DAILY).await;
        let registry = registry.clone();
        if let Err(error) = smol::unblock(move || registry.back_up()).await {
            log::error!("state.db has no backup of today: {error}");
        }
    }
}

/// At the start too: a box that is switched off at night never runs for a day.
async fn clear_removed_daily(store: Arc<Store>) {
    loop {
        let store = store.clone();
        if let Err(error) = smol::unblock(move || store.clear_removed(net::now())).await {
            log::error!("old mail in removed/ stays: {error}");
        }
        smol::Timer::after(DAILY).await;
    }
}

/// At the start too: keys that are missing are made then, beside what is already served. New keys whose records are in DNS
/// begin to sign.
async fn keep_keys_hourly(signing: Arc<Signing>, relay: Option<Arc<Relay>>) {
    loop {
        let mut there = Vec::new();
        if let Some(relay) = &relay {
            there = seen(&signing, relay.resolver()).await;
        }
        let signing = signing.clone();
        let seen = move |domain: &Domain, key: &Published| {
            let is_it =
                |(of, selector): &(Domain, Selector)| of == domain && *selector == key.selector;
            if there.iter().any(is_it) { Seen::Published } else { Seen::Unknown }
        };
        let keep = move || signing.keep(net::now(), &seen);
        if let Err(error) = smol::unblock(keep).await {
            log::error!("dkim keys are not as they ought to be; tried again in an hour: {error}");
        }
        smol::Timer::after(HOURLY).await;
    }
}

/// What is known of TLS to other servers is kept, and what is due is reported, at the start too.
async fn report_tls_hourly(reports: TlsReports, relay: Arc<Relay>) {
    loop {
        reports.send_due(&relay).await;
        smol::Timer::after(HOURLY).await;
    }
}

/// The keys that wait and whose records are in DNS.
async fn seen(signing: &Signing, resolver: &Resolver) -> Vec<(Domain, Selector)> {
    let mut there = Vec::new();
    for domain in signing.domains() {
        let Some(name) = Name::parse(domain.as_str()) else { continue };
        let keys = signing.published(&domain).unwrap_or_default();
        for key in keys.into_iter().filter(|key| key.standing == Standing::Next) {
            if resolver.decide(|known| is_published(known, &name, &key)).await {
                there.push((domain.clone(), key.selector));
            }
        }
    }
    there
}
