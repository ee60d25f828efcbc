//! Whose mail an address is. Peers ask; the registry knows.

use crate::base::AccountId;
use crate::mail::{Address, Domain};
use crate::registry::{Registry, RegistryError};
use crate::smtp::ForwardPath;

/// Whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Of these people here, under this address.
    Accounts(Vec<AccountId>, Address),
    /// The domain is ours, and nobody has the address.
    Unknown,
    /// Of somebody on another server.
    Elsewhere(Address),
}

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
    let accounts = registry.recipients(&address)?;
    if !accounts.is_empty() {
        return Ok(Owner::Accounts(accounts, address));
    }
    let ours = address.domain() == host || registry.is_ours(address.domain())?;
    if !ours {
        return Ok(Owner::Elsewhere(address));
    }
    // RFC 5321 §4.5.1: postmaster always reaches a person.
    if address.user().eq_ignore_ascii_case("postmaster")
        && let Some(person) = registry.postmaster()?
    {
        return Ok(Owner::Accounts(vec![person.account], address));
    }
    Ok(Owner::Unknown)
}
