//! Addresses that may do what others may not: hand on mail by LMTP, or say who stands behind them (PROXY). An
//! administrator writes them; who connects is compared with them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address, or all that begin alike: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// Bits that count.
    prefix: u8,
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                let digits = prefix.bytes().all(|b| b.is_ascii_digit());
                (address, Some(prefix.parse().ok().filter(|_| digits).ok_or(())?))
            }
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| ())?;
        let prefix_max = if first.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(prefix_max);
        if prefix > prefix_max { Err(()) } else { Ok(Self { first, prefix }) }
    }
}

impl Network {
    /// Is it one of them?
    pub fn contains(&self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differs = u32::from(first) ^ u32::from(address);
                differs.checked_shr(32 - prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differs = u128::from(first) ^ u128::from(address);
                differs.checked_shr(128 - prefix).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Who is trusted with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// They may hand on mail by LMTP.
    pub lmtp: Vec<Network>,
    /// They say who connected to them.
    pub proxy: Vec<Network>,
}

impl Default for Trust {
    /// LMTP from this machine, and no proxy.
    fn default() -> Self {
        let loopback = |first, prefix| Network { first, prefix };
        let lmtp = vec![
            loopback(Ipv4Addr::LOCALHOST.into(), 8),
            loopback(Ipv6Addr::LOCALHOST.into(), 128),
        ];
        Self { lmtp, proxy: Vec::new() }
    }
}

impl Trust {
    /// May it hand on mail by LMTP?
    pub fn hands_on(&self, peer: IpAddr) -> bool {
        self.lmtp.iter().any(|network| network.contains(peer))
    }

    /// Must it say who connected to it?
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxy.iter().any(|network| network.contains(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, Trust};

    #[test]
    fn an_address_is_in_its_network_and_in_no_other() {
        for (network, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.128/25", "10.0.0.255", "10.0.0.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001::1", "192.0.2.1"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1"),
        ] {
            let read: Network = network.parse().unwrap();
            assert!(read.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!read.contains(outside.parse().unwrap()), "{network} {outside}");
        }
        for text in [
            "",
            "192.0.2",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "10.0.0.0/8/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_hands_on_mail_unless_more_is_said() {
        let trust = Trust::default();
        for (peer, trusted) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("192.0.2.1", false),
            ("::2", false),
        ] {
            let peer = peer.parse().unwrap();
            assert_eq!((trust.hands_on(peer), trust.is_proxy(peer)), (trusted, false), "{peer}");
        }
    }
}
