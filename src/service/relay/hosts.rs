//! Where the servers of a destination are, by what DNS says.

use super::fate::Finding;
use super::queue::Queue;
use crate::dns::Name;
use crate::mail::Domain;
use crate::net::Resolver;
use crate::smtp::{Enhanced, Families, Host, NoMail, Route, Signed, draw, host, route};
use openssl::rand::rand_bytes;
use std::net::IpAddr;

/// The servers of a domain, the best first.
pub async fn of_domain(
    resolver: &Resolver,
    queue: &Queue,
    domain: &Domain,
    families: Families,
) -> Result<Vec<Host>, Finding> {
    let name = Name::parse(domain.as_str()).ok_or_else(|| malformed(domain))?;
    let ours = Name::parse(queue.host.as_str()).ok_or_else(|| malformed(&queue.host))?;
    match resolver.decide(|known| route(&name, &ours, families, known)).await {
        Route::Hosts(mut hosts) => {
            draw(&mut hosts, || {
                let mut bytes = [0; 8];
                // Without randomness the order is as it came.
                rand_bytes(&mut bytes).map_or(0, |()| u64::from_le_bytes(bytes))
            });
            Ok(hosts)
        }
        Route::NoMail(why) => Err(Finding::no_mail(why, domain.as_str())),
        Route::OnlySix => Err(Finding::later(
            Enhanced(4, 4, 4),
            format!(
                "the hosts that take mail for {domain} have IPv6 addresses only, and this box has none with a name (PTR)"
            ),
        )),
        Route::Later(failure) => Err(Finding::later(
            Enhanced(4, 4, 3),
            format!("DNS does not say who takes mail for {domain} ({failure:?})"),
        )),
    }
}

/// The smarthost. A slip in the settings is no reason to give a message up.
pub async fn of_smarthost(
    resolver: &Resolver,
    name: &Domain,
    families: Families,
) -> Result<Vec<Host>, Finding> {
    let of = Name::parse(name.as_str()).ok_or_else(|| malformed(name))?;
    let why = match resolver.decide(|known| host(&of, families, known)).await {
        Route::Hosts(hosts) => return Ok(hosts),
        Route::NoMail(NoMail::NoAddress) => "it has no address".to_owned(),
        Route::OnlySix => "it has IPv6 addresses only".to_owned(),
        Route::NoMail(why) => format!("{why:?}"),
        Route::Later(failure) => format!("{failure:?}"),
    };
    let said = format!("DNS does not say where the smarthost {name} is ({why})");
    Err(Finding::later(Enhanced(4, 4, 3), said))
}

/// The one that an address literal names (RFC 5321 §4.1.3): `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
pub fn of_literal(domain: &Domain) -> Option<Vec<Host>> {
    let text = domain.as_str().strip_prefix('[')?.strip_suffix(']')?;
    let address: IpAddr = text.strip_prefix("ipv6:").unwrap_or(text).parse().ok()?;
    // Without a name nothing is asked for, and nothing can be proven.
    let name = Name::parse("")?;
    let (canonical, addresses) = (name.clone(), vec![address]);
    let (named, found) = (Signed::No, Signed::No);
    Some(vec![Host { preference: 0, name, canonical, addresses, named, found }])
}

fn malformed(domain: &Domain) -> Finding {
    Finding::never(Enhanced(5, 1, 2), format!("{domain} is no name that DNS can have"))
}
