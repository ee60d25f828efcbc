//! Whose mail an address is, and where it is kept. Peers ask; the registry knows.

use crate::base::{AccountId, Endpoint};
use crate::mail::{Address, Domain, srs};
use crate::net;
use crate::registry::{Registry, RegistryError};
use crate::smtp::ForwardPath;

/// Whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Of people here.
    Ours(Ours),
    /// Of whoever first sent what an alias of ours sent on: for notices only.
    FirstSender(Ours),
    /// The domain is ours, and nobody has the address.
    Unknown,
    /// Of somebody on another server.
    Elsewhere(Address),
}

/// Where mail for an address of ours goes: to at least one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// The address.
    pub address: Address,
    /// Those whose mailboxes are here.
    pub accounts: Vec<AccountId>,
    /// Those whose mail a server behind us keeps, by the address that it knows.
    pub behind: Vec<Behind>,
    /// Addresses elsewhere that it goes on to.
    pub forwards: Vec<Address>,
}

/// Somebody whose mail a server behind us keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The address that it knows.
    pub address: Address,
    /// Where it listens.
    pub server: Endpoint,
    /// Who knows that there is such a person.
    pub known: KnownBy,
}

/// Who knows whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// We do.
    Us,
    /// Only the server behind us.
    Server,
}

impl Ours {
    /// Mail for this goes into these mailboxes.
    const fn of(address: Address, accounts: Vec<AccountId>) -> Self {
        Self { address, accounts, behind: Vec::new(), forwards: Vec::new() }
    }
}

/// They reach whoever was added first, if nobody has the address.
const REACHED: [&str; 2] = ["postmaster", "root"];

/// Finds it. Blocks.
pub fn owner(
    registry: &Registry,
    host: &Domain,
    path: ForwardPath,
) -> Result<Owner, RegistryError> {
    let address = match path {
        ForwardPath::Mailbox(address) => address,
        ForwardPath::Postmaster => match Address::new("postmaster", host.clone()) {
            Ok(address) => address,
            Err(_) => return Ok(Owner::Unknown),
        },
    };
    if address.domain() != host && !registry.is_ours(address.domain())? {
        return Ok(Owner::Elsewhere(address));
    }
    let people = registry.recipients(&address)?;
    let forwards = registry.forwards(&address)?;
    if !people.is_empty() || !forwards.is_empty() {
        let mut ours = Ours { forwards, ..Ours::of(address, Vec::new()) };
        for person in people {
            match registry.lmtp_of_person(person)? {
                None => ours.accounts.push(person),
                Some(server) => {
                    // An alias is nobody's name there.
                    let own = registry.resolve(&ours.address)? == Some(person);
                    let first = if own { None } else { registry.first_address(person)? };
                    let address = first.unwrap_or_else(|| ours.address.clone());
                    ours.behind.push(Behind { address, server, known: KnownBy::Us });
                }
            }
        }
        return Ok(Owner::Ours(ours));
    }
    if let Some(first) = first_sender(registry, &address)? {
        let forwards = vec![first];
        return Ok(Owner::FirstSender(Ours { forwards, ..Ours::of(address, Vec::new()) }));
    }
    if let Some(server) = registry.lmtp_of_domain(address.domain())? {
        let known = KnownBy::Server;
        let behind = vec![Behind { address: address.clone(), server, known }];
        return Ok(Owner::Ours(Ours { behind, ..Ours::of(address, Vec::new()) }));
    }
    // RFC 5321 §4.5.1: postmaster always reaches a person. So does root, to whom programs on the machine report.
    if REACHED.iter().any(|name| address.user().eq_ignore_ascii_case(name))
        && let Some(person) = registry.postmaster()?
    {
        return Ok(Owner::Ours(Ours::of(address, vec![person.account])));
    }
    Ok(Owner::Unknown)
}

/// Who first sent what an alias of ours sent on: a notice about it goes back there (SRS).
fn first_sender(registry: &Registry, address: &Address) -> Result<Option<Address>, RegistryError> {
    // Most addresses are none of these, and cost nothing.
    if !srs::is_rewritten(address.local()) {
        return Ok(None);
    }
    match srs::back(&registry.srs_secret()?, address.local(), srs::day(net::now())) {
        Ok(first) => Ok(Some(first)),
        Err(srs::BackError::Fault(error)) => Err(RegistryError::Keys(error)),
        Err(why) => {
            log::info!("to={address} {why}");
            Ok(None)
        }
    }
}
