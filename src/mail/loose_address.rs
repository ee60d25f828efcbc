//! Addresses as people write them on their own machine: `ann` is as good as `ann@example.org`, where a domain goes without
//! saying. Users of the machine control the input.

use super::address::{Address, AddressError};
use super::address_list::{Entry, parse_address_list};
use super::domain::Domain;
use std::fmt;

/// An address that may lack its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LooseAddress {
    local: String,
    domain: Option<Domain>,
}

/// Why a list of addresses is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListError {
    /// Something in it is no address: the whole list.
    NoAddress(String),
    /// It has 1,000 entries or more; what follows is not read.
    TooLong,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress(list) => write!(f, "there is no address in {list:?}, or not only"),
            Self::TooLong => f.write_str("more than 1,000 addresses in one list"),
        }
    }
}

impl std::error::Error for ListError {}

/// What `parse_address_list` leaves off at.
const ENTRIES_MAX: usize = 1000;

impl LooseAddress {
    /// Reads the value of an address field or the words of a command: all of it must be addresses. Names and comments are
    /// passed over, groups are opened.
    pub fn list(text: &[u8]) -> Result<Vec<Self>, ListError> {
        let entries = parse_address_list(text);
        if entries.len() >= ENTRIES_MAX {
            return Err(ListError::TooLong);
        }
        let read = entries.iter().filter_map(|entry| match entry {
            Entry::Mailbox { mailbox, host, .. } => Some(Self::read(mailbox, host)),
            Entry::GroupStart(_) | Entry::GroupEnd => None,
        });
        let all: Option<Vec<Self>> = read.collect();
        all.ok_or_else(|| ListError::NoAddress(String::from_utf8_lossy(text).trim().to_owned()))
    }

    fn read(local: &[u8], domain: &[u8]) -> Option<Self> {
        let local = String::from_utf8(local.to_vec()).ok().filter(|local| !local.is_empty())?;
        let domain = match domain {
            b"" => None,
            domain => Some(Domain::parse(std::str::from_utf8(domain).ok()?)?),
        };
        Some(Self { local, domain })
    }

    /// The whole address, in this domain if it has none of its own.
    pub fn within(&self, domain: &Domain) -> Result<Address, AddressError> {
        Address::new(&self.local, self.domain.as_ref().unwrap_or(domain).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{ListError, LooseAddress};
    use crate::mail::Domain;

    fn shown(list: &str) -> Result<String, ListError> {
        let home = Domain::parse("home.test").unwrap();
        let whole = |one: &LooseAddress| one.within(&home).unwrap().to_string();
        LooseAddress::list(list.as_bytes())
            .map(|all| all.iter().map(whole).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_lacks_a_domain_gets_it() {
        for (list, expected) in [
            ("root", "root@home.test"),
            ("ann, Bob <bob@else.example>", "ann@home.test bob@else.example"),
            ("Ann <ann>,\n\tx (y)", "ann@home.test x@home.test"),
            ("friends: a, b@c; d", "a@home.test b@c d@home.test"),
            ("undisclosed-recipients:;", ""),
            ("\"a b\"@c", "\"a b\"@c"),
            ("", ""),
        ] {
            assert_eq!(shown(list).as_deref(), Ok(expected), "{list}");
        }
        for list in ["Mary Smith", "a@b, <>", "a@-b", "@b"] {
            assert_eq!(shown(list), Err(ListError::NoAddress(list.to_owned())));
        }
        assert_eq!(shown(&"a,".repeat(1000)), Err(ListError::TooLong));
    }
}
