//! Our own address towards others. From an IPv6 address without a name (PTR) many servers take nothing, so that is used
//! only if it has one.

use crate::base::Timestamp;
use crate::net::{self, Resolver};
use crate::smtp::{Families, families};
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Duration;

/// What was found, and when.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    found: Option<(Timestamp, Families)>,
}

/// So long it holds: addresses of home lines change.
const HOLDS: Duration = Duration::from_hours(1);
/// Without IPv6, or when DNS did not answer, it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_mins(10);
/// Any address out there: nothing is sent to it.
const ANYWHERE: (Ipv6Addr, u16) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 25);

impl Own {
    /// If it still holds.
    pub fn known(self, now: Timestamp) -> Option<Families> {
        let holds = |families| if families == Families::Four { LOOK_AGAIN } else { HOLDS };
        let found = self.found.filter(|(at, families)| now.since(*at) < holds(*families));
        found.map(|(_, families)| families)
    }

    /// What was found.
    pub fn families(self) -> Families {
        self.found.map_or(Families::Four, |(_, families)| families)
    }

    /// Looks.
    pub async fn look(resolver: &Resolver) -> Self {
        let families = match address() {
            Some(address) => resolver.decide(|known| families(address, known)).await,
            None => Families::Four,
        };
        Self { found: Some((net::now(), families)) }
    }
}

/// The address that connections to others have.
fn address() -> Option<Ipv6Addr> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ANYWHERE).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}
