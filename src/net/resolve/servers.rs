//! Which DNS servers are asked, and whether their word on signatures is believed: by the settings, or by
//! `/etc/resolv.conf` (resolv.conf(5)), which is read again when it changes. An administrator writes both, or a DHCP
//! client by what the local network tells it.

use rustix::net::netdevice::name_to_index;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Who is to be asked: `[dns]` of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers {
    /// None: those of `/etc/resolv.conf`.
    pub listed: Vec<SocketAddr>,
    /// Whose word is believed.
    pub believed: Believed,
}

/// Whose word is believed that the signatures were checked (the AD bit, RFC 4035 §4.9.3): there must be nobody on the way
/// who can set it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Believed {
    /// Servers on this machine, and those of a resolv.conf with `trust-ad`.
    #[default]
    Nearby,
    /// All: the way to them is safe.
    All,
    /// None.
    Nobody,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    pub address: SocketAddr,
    /// Is its AD bit believed?
    pub believed: bool,
}

const DNS_PORT: u16 = 53;
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// As many as the C library reads.
const SERVERS_MAX: usize = 3;

/// `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.
pub fn server_address(text: &str) -> Option<SocketAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => SocketAddr::from((address, DNS_PORT)),
        Err(_) => text.parse().ok()?,
    };
    Some(address).filter(|address| address.port() != 0)
}

/// Where the servers are taken from.
#[derive(Debug)]
pub enum Source {
    Listed(Vec<Server>),
    File(ResolvConf),
}

/// A resolv.conf, and what it said when it was last read.
#[derive(Debug)]
pub struct ResolvConf {
    path: PathBuf,
    believed: Believed,
    read: Mutex<Option<(Stamp, Vec<Server>)>>,
}

/// A file that has another one says something else: changed when, its number, its length.
type Stamp = (Option<SystemTime>, u64, u64);

impl Source {
    /// By the settings.
    pub fn new(servers: Servers) -> Self {
        let Servers { listed, believed } = servers;
        match listed.is_empty() {
            true => Self::File(ResolvConf::new(RESOLV_CONF.into(), believed)),
            false => {
                let server = |address| Server::new(address, believed, false);
                Self::Listed(listed.into_iter().map(server).collect())
            }
        }
    }

    /// Those to be asked now, in their order; at least one.
    pub fn servers(&self) -> Vec<Server> {
        match self {
            Self::Listed(servers) => servers.clone(),
            Self::File(file) => file.servers(),
        }
    }
}

impl Server {
    fn new(address: SocketAddr, believed: Believed, trust_ad: bool) -> Self {
        let believed = match believed {
            Believed::Nearby => trust_ad || address.ip().to_canonical().is_loopback(),
            Believed::All => true,
            Believed::Nobody => false,
        };
        Self { address, believed }
    }
}

impl ResolvConf {
    fn new(path: PathBuf, believed: Believed) -> Self {
        Self { path, believed, read: Mutex::default() }
    }

    /// A small local file: nothing that a task would have to wait for.
    fn servers(&self) -> Vec<Server> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match fs::metadata(&self.path) {
            Ok(file) => (file.modified().ok(), file.ino(), file.len()),
            Err(_) => (None, 0, 0),
        };
        match &*read {
            Some((before, servers)) if *before == stamp => servers.clone(),
            Some(_) | None => {
                let bytes = fs::read(&self.path).unwrap_or_default();
                let servers = parse(&String::from_utf8_lossy(&bytes), self.believed);
                *read = Some((stamp, servers.clone()));
                servers
            }
        }
    }
}

/// What a resolv.conf says; with no server in it, the one of this machine.
fn parse(text: &str, believed: Believed) -> Vec<Server> {
    let lines = || text.lines().map(str::split_whitespace);
    let trust_ad = lines().any(|mut words| {
        words.next() == Some("options") && words.any(|option| option == "trust-ad")
    });
    let addresses = lines().filter_map(|mut words| match words.next() {
        Some("nameserver") => words.next().and_then(nameserver),
        Some(_) | None => None,
    });
    let server = |address| Server::new(address, believed, trust_ad);
    let mut servers: Vec<Server> = addresses.take(SERVERS_MAX).map(server).collect();
    if servers.is_empty() {
        servers.push(server((Ipv4Addr::LOCALHOST, DNS_PORT).into()));
    }
    servers
}

/// An address without port; that of a neighbour has the name or the number of its interface behind it, `fe80::1%eth0`.
fn nameserver(text: &str) -> Option<SocketAddr> {
    let Some((address, interface)) = text.split_once('%') else {
        return text.parse::<IpAddr>().ok().map(|address| (address, DNS_PORT).into());
    };
    let scope = match interface.parse() {
        Ok(number) => number,
        Err(_) => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            name_to_index(&socket, interface).ok()?
        }
    };
    Some(SocketAddrV6::new(address.parse().ok()?, DNS_PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::{Believed, ResolvConf, Server, Servers, Source, parse, server_address};

    fn told(servers: &[Server]) -> Vec<(String, bool)> {
        servers.iter().map(|server| (server.address.to_string(), server.believed)).collect()
    }

    fn list(servers: &[(&str, bool)]) -> Vec<(String, bool)> {
        servers.iter().map(|(address, believed)| ((*address).to_owned(), *believed)).collect()
    }

    #[test]
    fn a_resolv_conf() {
        for (text, servers) in [
            ("", &[("127.0.0.1:53", true)][..]),
            (
                "# nameserver 192.0.2.1\n;nameserver 192.0.2.1\nnameserver\nnameserver x\n",
                &[("127.0.0.1:53", true)],
            ),
            (
                "search example.org\nnameserver 192.0.2.1\r\nnameserver\t::1 # here\n nameserver ::ffff:127.0.0.1\nnameserver 192.0.2.2",
                &[("192.0.2.1:53", false), ("[::1]:53", true), ("[::ffff:127.0.0.1]:53", true)],
            ),
            (
                "nameserver 192.0.2.1\nnameserver fe80::1%2\noptions edns0 trust-ad\n",
                &[("192.0.2.1:53", true), ("[fe80::1%2]:53", true)],
            ),
            (
                "options trust-ad-not\nnameserver fe80::1%lo\nnameserver fe80::1%none9",
                &[("[fe80::1%1]:53", false)],
            ),
        ] {
            assert_eq!(told(&parse(text, Believed::Nearby)), list(servers), "{text}");
        }
        let text = "nameserver 127.0.0.1\noptions trust-ad";
        assert_eq!(told(&parse(text, Believed::Nobody)), list(&[("127.0.0.1:53", false)]));
    }

    #[test]
    fn it_is_read_again_when_it_changes() {
        let folder = std::env::temp_dir().join(format!("pillarbox-resolv-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("resolv.conf");
        let file = ResolvConf::new(path.clone(), Believed::Nearby);
        assert_eq!(told(&file.servers()), list(&[("127.0.0.1:53", true)]), "it is not there");
        for address in ["192.0.2.1", "192.0.2.22", "192.0.2.3"] {
            // As DHCP clients do: a new file takes its place.
            let new = folder.join(address);
            std::fs::write(&new, format!("nameserver {address}\n")).unwrap();
            std::fs::rename(&new, &path).unwrap();
            let expected = format!("{address}:53");
            assert_eq!(told(&file.servers()), list(&[(&expected, false)]));
            assert_eq!(file.servers(), file.servers());
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(told(&file.servers()), list(&[("127.0.0.1:53", true)]), "it is gone");
    }

    #[test]
    fn those_of_the_settings() {
        for (text, address) in [
            ("192.0.2.1", Some("192.0.2.1:53")),
            ("192.0.2.1:5353", Some("192.0.2.1:5353")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
            ("192.0.2.1:0", None),
            ("dns.example", None),
            ("192.0.2.1:x", None),
            ("", None),
        ] {
            assert_eq!(server_address(text).map(|a| a.to_string()), address.map(str::to_owned));
        }
        let addresses = || ["127.0.0.1", "192.0.2.1"].iter().filter_map(|a| server_address(a));
        for (believed, expected) in [
            (Believed::Nearby, [true, false]),
            (Believed::All, [true, true]),
            (Believed::Nobody, [false, false]),
        ] {
            let source = Source::new(Servers { listed: addresses().collect(), believed });
            let seen: Vec<bool> = source.servers().iter().map(|s| s.believed).collect();
            assert_eq!(seen, expected, "{believed:?}");
        }
    }
}
