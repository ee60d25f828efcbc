//! What is due is given to its destinations: mailboxes here, a server behind us, the smarthost, or the servers of the
//! recipient's domain. Who has which address is asked anew each time, for it may have changed since.

use super::agenda::Due;
use super::destination::{Destination, Straight, To, out};
use super::queue::Queue;
use super::smarthost::Smarthost;
use crate::mail::{Address, TlsDemand};
use crate::registry::RegistryError;
use crate::service::owners::{Owner, owner};
use crate::smtp::ForwardPath;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Queue {
    /// Makes ready what is due.
    pub(super) async fn route(
        self: &Arc<Self>,
        due: Vec<Due>,
        smarthost: Option<Arc<Smarthost>>,
        straight: Straight,
    ) {
        let queue = self.clone();
        let routed = move || {
            for due in due {
                let groups = queue.groups(&due, smarthost.as_deref(), straight);
                queue.lock().make_ready(&due.id, groups);
            }
        };
        smol::unblock(routed).await;
    }

    fn groups(
        &self,
        due: &Due,
        smarthost: Option<&Smarthost>,
        straight: Straight,
    ) -> BTreeMap<Destination, Vec<usize>> {
        let mut groups: BTreeMap<Destination, Vec<usize>> = BTreeMap::new();
        for (place, address, tries) in &due.recipients {
            let to = self.to(address).unwrap_or_else(|error| {
                log::error!("queue={} {error}", due.id);
                // Where it fails again, and is tried later.
                Some(To::Here)
            });
            let to = to.unwrap_or_else(|| out(smarthost, address.domain(), *tries, straight));
            let tls = match to {
                To::Domain(_) => due.tls,
                To::Smarthost | To::Behind(_) | To::Here => TlsDemand::AsOffered,
            };
            groups.entry(Destination { to, hears: due.hears, tls }).or_default().push(*place);
        }
        groups
    }

    /// Who of ours takes mail for this address; `None`: it is none of ours.
    fn to(&self, address: &Address) -> Result<Option<To>, RegistryError> {
        let path = ForwardPath::Mailbox(address.clone());
        Ok(match owner(&self.registry, &self.host, path)? {
            Owner::Elsewhere(_) => None,
            Owner::FirstSender(_) => Some(To::Here),
            Owner::Ours(ours) => match ours.behind.as_slice() {
                [behind] if ours.accounts.is_empty() => Some(To::Behind(behind.server.clone())),
                _ => Some(To::Here),
            },
            Owner::Unknown => Some(To::Here),
        })
    }
}
