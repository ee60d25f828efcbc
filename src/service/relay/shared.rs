//! What all sessions of the relay share: the queue, what knows names, what does TLS, and what is known of the ways.

use super::destination::{Destination, To};
use super::own::Own;
use super::paths::Paths;
use super::port_25::{Port25, Reached};
use super::queue::Queue;
use super::smarthost::Smarthost;
use super::sts::StsPolicies;
use super::tallies::Tallies;
use crate::net::{self, Connector, Resolver};
use crate::smtp::Families;
use crate::smtp::client::News;
use smol::channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Brings the queue to its destinations.
#[derive(Debug)]
pub struct Relay {
    pub(super) queue: Arc<Queue>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) connector: Connector,
    pub(super) smarthost: Option<Arc<Smarthost>>,
    pub(super) policies: StsPolicies,
    pub(super) tallies: Arc<Tallies>,
    paths: Paths,
    port_25: Mutex<Port25>,
    own: Mutex<Own>,
    tellers: Mutex<Vec<Sender<News>>>,
}

impl Relay {
    /// For this queue.
    pub fn new(
        queue: Queue,
        resolver: Resolver,
        connector: Connector,
        smarthost: Option<Smarthost>,
    ) -> Self {
        let (registry, resolver) = (&queue.registry, Arc::new(resolver));
        Self {
            policies: StsPolicies::new(registry.clone(), resolver.clone()),
            tallies: Arc::new(Tallies::new(registry.clone())),
            paths: Paths::new(registry.clone()),
            queue: Arc::new(queue),
            resolver,
            connector,
            smarthost: smarthost.map(Arc::new),
            port_25: Mutex::default(),
            own: Mutex::default(),
            tellers: Mutex::default(),
        }
    }

    /// What does TLS with others.
    pub const fn connector(&self) -> &Connector {
        &self.connector
    }

    /// What happened in sessions.
    pub const fn tallies(&self) -> &Arc<Tallies> {
        &self.tallies
    }

    pub(super) fn port_25(&self) -> MutexGuard<'_, Port25> {
        self.port_25.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One server of a destination took mail.
    pub(super) async fn worked(&self, destination: &Destination) {
        self.note_straight(destination, Reached::Yes);
        self.paths.note(&destination.to, Ok(())).await;
    }

    /// None did; whether one answered at all, and the last word.
    pub(super) async fn failed(&self, destination: &Destination, reached: Reached, why: &str) {
        self.note_straight(destination, reached);
        if reached == Reached::No || destination.to == To::Smarthost {
            self.paths.note(&destination.to, Err(why)).await;
        }
    }

    fn note_straight(&self, destination: &Destination, reached: Reached) {
        if let To::Domain(domain) = &destination.to {
            self.port_25().note(domain, reached, net::now());
        }
    }

    /// Which addresses of others can be used.
    pub(super) async fn families(&self) -> Families {
        let own = *self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(families) = own.known(net::now()) {
            return families;
        }
        let own = Own::look(&self.resolver).await;
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = own;
        own.families()
    }

    /// What knows names.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The queue.
    pub const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// A session begins: what it is told.
    pub(super) fn enter(&self) -> Receiver<News> {
        let (teller, news) = bounded(1);
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        tellers.retain(|teller| !teller.is_closed());
        tellers.push(teller);
        news
    }

    /// Tells all sessions that we stop, and waits for them, at most so long.
    pub async fn stop(&self, most: Duration) {
        let tellers =
            std::mem::take(&mut *self.tellers.lock().unwrap_or_else(PoisonError::into_inner));
        for teller in &tellers {
            let _ = teller.try_send(News::Shutdown);
        }
        let limit = net::now() + most;
        while tellers.iter().any(|teller| !teller.is_closed()) && net::now() < limit {
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    }
}
