//! What the running box is made of, as every session gets it.

use super::control::{Control, Facts};
use super::sessions::Sessions;
use crate::base::ClearText;
use crate::imap;
use crate::mail::Domain;
use crate::net::{Acceptor, Trust};
use crate::pop3;
use crate::registry::Registry;
use crate::service::{Allowance, Asking, LocalRate, Logins, Outbox, Relay, Signing};
use crate::smtp;
use crate::store::Store;
use std::sync::Arc;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// Our name in greetings and trace fields.
    pub host: Domain,
    /// Whether passwords may cross without TLS: `try` on loopback only.
    pub clear_text: ClearText,
    /// The certificate.
    pub tls: Acceptor,
    /// The socket for the commands.
    pub control: Control,
    /// Addresses that may do what others may not.
    pub trust: Trust,
    /// Our signatures.
    pub signing: Arc<Signing>,
    /// Recipients elsewhere that a device has in a day without being held up.
    pub recipients_a_day: u32,
    /// What brings mail to other servers; `None`: nothing leaves this machine.
    pub relay: Option<Arc<Relay>>,
}

/// What every session is made of.
pub struct House {
    /// As it was set up.
    pub plan: Plan,
    /// Where people send: named to those who try it elsewhere.
    pub submission_port: u16,
    /// Everybody's mail.
    pub store: Arc<Store>,
    /// People and devices.
    pub registry: Arc<Registry>,
    /// Who is it?
    pub logins: Arc<Logins>,
    /// Knows whom servers behind us know.
    pub asking: Option<Arc<Asking>>,
    /// What programs on this machine may still send.
    pub local_rate: Arc<LocalRate>,
    /// How much devices send.
    pub allowance: Arc<Allowance>,
    /// Sessions that run.
    pub smtp: Arc<Sessions<smtp::News>>,
    /// The same.
    pub imap: Arc<Sessions<imap::News>>,
    /// The same.
    pub pop3: Arc<Sessions<pop3::News>>,
}

impl House {
    /// What mail leaves by; `None`: nothing leaves.
    pub fn outbox(&self) -> Option<Outbox> {
        let (signing, allowance) = (self.plan.signing.clone(), self.allowance.clone());
        let (queue, asking) = (self.plan.relay.as_ref()?.queue().clone(), self.asking.clone()?);
        Some(Outbox { queue, signing, allowance, asking })
    }
}

/// Opens the keys of all domains, and of the host, which sends reports.
pub fn signing(facts: &Facts, host: &Domain, registry: &Registry) -> Signing {
    let added = registry.domains().unwrap_or_else(|error| {
        log::error!("domains that were added are not known: {error}");
        Vec::new()
    });
    let added = added.iter().filter_map(|row| Domain::parse(&row.domain));
    let settled = facts.domains.iter().chain([host]).cloned();
    Signing::open(&facts.data, settled.chain(added))
}
