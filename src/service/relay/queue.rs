//! The queue as sessions and commands share it: its files, what is due, and who is at work.

use super::agenda::{Agenda, Errand};
use super::visits::Visits;
use crate::mail::Domain;
use crate::registry::Registry;
use crate::spool::{MessageId, Opened, Queued, Spool};
use crate::store::Store;
use smol::channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All of it.
#[derive(Debug)]
pub struct Queue {
    pub(super) spool: Arc<Spool>,
    pub(super) store: Arc<Store>,
    pub(super) registry: Arc<Registry>,
    pub(super) host: Domain,
    agenda: Mutex<Agenda>,
    visits: Mutex<HashMap<Domain, Visits>>,
    wake: Sender<()>,
    pub(super) woken: Receiver<()>,
}

impl Queue {
    /// As it was found. All leaves by `via`, if there is one.
    pub fn new(
        opened: Opened,
        store: Arc<Store>,
        registry: Arc<Registry>,
        host: Domain,
        via: Option<Domain>,
    ) -> Self {
        let mut agenda = Agenda::new(via);
        opened.queued.into_iter().for_each(|queued| agenda.enter(queued));
        let (wake, woken) = bounded(1);
        Self {
            spool: opened.spool,
            store,
            registry,
            host,
            agenda: Mutex::new(agenda),
            visits: Mutex::default(),
            wake,
            woken,
        }
    }

    /// Where messages are begun.
    pub const fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// A message is safe in the queue.
    pub fn accept(&self, queued: Queued) {
        self.lock().enter(queued);
        self.wake_up();
    }

    /// The queue in memory. Whoever makes something due calls `wake_up`.
    pub fn lock(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may be due.
    pub fn wake_up(&self) {
        // Full: it is awake already.
        let _ = self.wake.try_send(());
    }

    pub(super) fn visits(&self) -> MutexGuard<'_, HashMap<Domain, Visits>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session rests: it is called when there is something for its destination.
    pub(super) fn rest(&self, domain: &Domain) -> Receiver<()> {
        let (call, called) = bounded(1);
        self.visits().entry(domain.clone()).or_default().resting.push(call);
        called
    }

    /// Nothing of it was tried.
    pub(super) fn put_back(&self, domain: &Domain, errand: Errand) {
        self.lock().put_back(domain, errand);
        self.wake_up();
    }

    pub(super) fn forget(&self, id: &MessageId) {
        self.lock().drop_message(id);
    }
}
