//! Which addresses of other servers we can go to: a rule over known answers. Whoever gave us our address controls these.

use crate::dns::{Answers, Found, Kind, Name, Need, Record};
use std::net::Ipv6Addr;

/// Which addresses we can send from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4.
    Four,
    /// Both.
    FourAndSix,
}

/// A host has not more names; the rest does not count.
const NAMES_MAX: usize = 10;

/// Has our IPv6 address a name that leads back to it? Without one, IPv4 alone is used: large providers refuse the rest.
pub fn families(own: Ipv6Addr, known: &Answers) -> Result<Families, Need> {
    if !is_global(own) {
        return Ok(Families::Four);
    }
    let Some(place) = Name::of_address(own.into()) else { return Ok(Families::Four) };
    let Found::Records(records, _) = &known.get(&place, Kind::Ptr)?.found else {
        return Ok(Families::Four);
    };
    let name = |record: &Record| match record {
        Record::Ptr(name) => Some(name.clone()),
        _ => None,
    };
    let mut need = Need::default();
    for name in records.iter().filter_map(name).take(NAMES_MAX) {
        match known.get(&name, Kind::Aaaa) {
            Err(missing) => need = need.and(missing),
            Ok(answer) => {
                if let Found::Records(records, _) = &answer.found
                    && records.contains(&Record::Aaaa(own))
                {
                    return Ok(Families::FourAndSix);
                }
            }
        }
    }
    if need.is_empty() { Ok(Families::Four) } else { Err(need) }
}

/// Of the addresses that the whole world can reach (2000::/3).
const fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::{Families, families};
    use crate::dns::Zone;

    #[test]
    fn a_name_that_leads_back_counts() {
        let place = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        let says = |zone: &str, own: &str| {
            let known = Zone::parse(&zone.replace("PLACE", place)).unwrap();
            known.decide(|known| families(own.parse().unwrap(), known))
        };
        let own = "2001:db8::1";
        let right = "PLACE PTR mail.example\nmail.example AAAA 2001:db8::1\n";
        assert_eq!(says(right, own), Families::FourAndSix);
        assert_eq!(says(right, "2001:db8::2"), Families::Four);
        assert_eq!(says(right, "fd00::1"), Families::Four);
        assert_eq!(
            says("PLACE PTR mail.example\nmail.example AAAA 2001:db8::2\n", own),
            Families::Four
        );
        assert_eq!(says("PLACE PTR mail.example\n", own), Families::Four);
        assert_eq!(says("PLACE SERVFAIL\n", own), Families::Four);
        let two = "PLACE PTR a.example\nPLACE PTR mail.example\nmail.example AAAA 2001:db8::1\n";
        assert_eq!(says(two, own), Families::FourAndSix);
    }
}
