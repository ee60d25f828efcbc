//! The queue as sessions and commands share it: its files, what is due, and who is at work.

use super::agenda::{Agenda, Errand};
use super::destination::Destination;
use super::visits::Visits;
use crate::base::AccountId;
use crate::mail::Domain;
use crate::net;
use crate::registry::{Registry, RegistryError};
use crate::service::signing::Signing;
use crate::spool::{Handed, MessageId, Opened, Queued, Spool, Try};
use crate::store::Store;
use smol::channel::{Receiver, Sender, bounded};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All of it.
#[derive(Debug)]
pub struct Queue {
    pub(super) spool: Arc<Spool>,
    pub(super) store: Arc<Store>,
    pub(super) registry: Arc<Registry>,
    pub(super) host: Domain,
    /// Signs what had to be changed.
    pub(super) signing: Arc<Signing>,
    /// Held by whoever converts a message.
    pub(super) converting: smol::lock::Mutex<()>,
    agenda: Mutex<Agenda>,
    visits: Mutex<HashMap<Destination, Visits>>,
    /// Mailboxes here that have a message of the queue already.
    came: Mutex<HashSet<(MessageId, AccountId)>>,
    wake: Sender<()>,
    pub(super) woken: Receiver<()>,
}

impl Queue {
    /// As it was found.
    pub fn new(
        opened: Opened,
        store: Arc<Store>,
        registry: Arc<Registry>,
        host: Domain,
        signing: Arc<Signing>,
    ) -> Self {
        let mut agenda = Agenda::default();
        opened.queued.into_iter().for_each(|queued| agenda.enter(queued));
        let (wake, woken) = bounded(1);
        Self {
            spool: opened.spool,
            store,
            registry,
            host,
            signing,
            converting: smol::lock::Mutex::default(),
            agenda: Mutex::new(agenda),
            visits: Mutex::default(),
            came: Mutex::default(),
            wake,
            woken,
        }
    }

    /// The secret of rewritten senders (SRS). Blocks.
    pub fn srs_secret(&self) -> Result<Vec<u8>, RegistryError> {
        self.registry.srs_secret()
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

    pub(super) fn came(&self) -> MutexGuard<'_, HashSet<(MessageId, AccountId)>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn visits(&self) -> MutexGuard<'_, HashMap<Destination, Visits>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session rests: it is called when there is something for its destination.
    pub(super) fn rest(&self, destination: &Destination) -> Receiver<()> {
        let (call, called) = bounded(1);
        self.visits().entry(destination.clone()).or_default().resting.push(call);
        called
    }

    /// Nothing of it was tried.
    pub(super) fn put_back(&self, destination: &Destination, errand: Errand) {
        self.lock().put_back(destination, errand);
        self.wake_up();
    }

    /// A session ended without a word on an errand.
    pub(super) fn abandon(&self, errand: &Errand) {
        let tried = Try {
            at: net::now(),
            recipients: errand.places.clone(),
            host: None,
            result: "a fault here ended the session".to_owned(),
            handed: Handed::Over,
        };
        let mut agenda = self.lock();
        agenda.note(&errand.id, &tried, &[]);
        agenda.done(&errand.id);
        drop(agenda);
        self.wake_up();
    }

    pub(super) fn forget(&self, id: &MessageId) {
        self.lock().drop_message(id);
    }
}
