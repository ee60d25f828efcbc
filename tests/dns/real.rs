//! The resolver before servers that others wrote: Knot DNS serves and signs zones, Unbound looks them up and checks their
//! signatures. Both run on loopback, in a folder of their own.

use crate::message::question;
use crate::script::show;
use pillarbox::dns::Kind;
use pillarbox::net::{Believed, Resolver, Servers};
use smol::block_on;
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const APEX: &str =
    "@ 3600 SOA ns hostmaster 7 3600 600 86400 60\n@ 3600 NS ns\nns 300 A 127.0.0.1\n";

const HOUSE: &str = r#"
@ 300 A 192.0.2.1
@ 300 AAAA 2001:db8::1
@ 300 MX 10 mail
@ 300 MX 20 mail.plain.example.
@ 300 TXT "v=spf1 " "-all"
@ 300 CAA 0 issue "ca.example"
mail 300 A 192.0.2.25
_25._tcp.mail 300 TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_imaps._tcp 300 SRV 0 1 993 mail
nobody 300 MX 0 .
large 300 TXT LARGE
www 300 CAA 0 issue ";"
c1 300 CNAME c2
c2 300 CNAME c3
c3 300 CNAME mail
out 300 CNAME mail.plain.example.
lost 300 CNAME gone
round 300 CNAME about
about 300 CNAME round
odd 300 MX 10 m/a.example.
"#;

/// Those who serve; they end with it.
struct House {
    folder: PathBuf,
    children: Vec<Child>,
    knot: SocketAddr,
    unbound: SocketAddr,
}

impl Drop for House {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where Debian puts servers, which is not always in PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A port that was free a moment ago, for UDP and TCP; of an address that no other test takes ports of.
fn free_address() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.53.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn at(address: SocketAddr) -> String {
    format!("{}@{}", address.ip(), address.port())
}

fn resolver(server: SocketAddr, believed: Believed) -> Resolver {
    Resolver::new(Servers { listed: vec![server], believed })
}

impl House {
    /// `None` if the programs are not there.
    fn new() -> Option<Self> {
        let [knotd, keymgr, unbound] = ["knotd", "keymgr", "unbound"].map(program);
        let (knotd, keymgr, unbound) = (knotd?, keymgr?, unbound?);
        let folder = std::env::temp_dir().join(format!("pillarbox-dns-{}", std::process::id()));
        for inner in ["run", "keys"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        let knot = free_address();
        let house = Self { folder, children: Vec::new(), knot, unbound: free_address() };
        Some(house.serve(&knotd).validate(&keymgr, &unbound))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn start(&mut self, command: &mut Command, log: &str) {
        let log = fs::File::create(self.path(log)).unwrap();
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.children.push(command.spawn().unwrap());
    }

    /// Starts Knot, and waits until it answers.
    fn serve(mut self, knotd: &Path) -> Self {
        let pieces: Vec<_> = (0..12).map(|_| format!("\"{}\"", "x".repeat(250))).collect();
        let house = HOUSE.replace("LARGE", &pieces.join(" "));
        let zones = [
            ("house.example", house.as_str(), "on"),
            ("bogus.example", "@ 300 A 192.0.2.66\n", "on"),
            ("plain.example", "mail 300 A 192.0.2.26\n", "off"),
            (
                "2.0.192.in-addr.arpa",
                "25 300 PTR mail.house.example.\n1 300 CNAME 1.0/25\n1.0/25 300 PTR house.example.\n",
                "on",
            ),
        ];
        let folder = self.folder.display().to_string();
        let mut config = format!(
            "server:\n    rundir: {folder}/run\n    listen: {}\ndatabase:\n    storage: {folder}/keys\nlog:\n  - target: stderr\n    any: info\n\
             policy:\n  - id: one\n    algorithm: ecdsap256sha256\ntemplate:\n  - id: default\n    storage: {folder}\n    dnssec-policy: one\nzone:\n",
            at(self.knot)
        );
        for (zone, text, signed) in zones {
            fs::write(self.path(&format!("{zone}.zone")), format!("{APEX}{text}")).unwrap();
            writeln!(
                config,
                "  - domain: {zone}\n    file: {zone}.zone\n    dnssec-signing: {signed}"
            )
            .unwrap();
        }
        fs::write(self.path("knot.conf"), config).unwrap();
        let mut command = Command::new(knotd);
        self.start(command.arg("-c").arg(self.path("knot.conf")), "knot.log");
        for (zone, ..) in zones {
            self.wait_for(self.knot, zone, "knot.log");
        }
        self
    }

    /// Starts Unbound with the keys of these zones, one of them wrong, and waits until it answers.
    fn validate(mut self, keymgr: &Path, unbound: &Path) -> Self {
        let mut config = format!(
            "server:\n interface: {}\n directory: \"{}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n\
             do-not-query-localhost: no\n module-config: \"validator iterator\"\n local-zone: \"2.0.192.in-addr.arpa.\" nodefault\n",
            at(self.unbound),
            self.folder.display()
        );
        for zone in ["house.example", "bogus.example"] {
            let mut command = Command::new(keymgr);
            let command = command.arg("-c").arg(self.path("knot.conf")).args([zone, "ds"]);
            let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
            let mut ds = said.lines().find(|line| line.contains(" 13 2 ")).unwrap().to_owned();
            if zone == "bogus.example" {
                // The digest of some other key.
                let digit = if ds.pop() == Some('0') { '1' } else { '0' };
                ds.push(digit);
            }
            writeln!(config, " trust-anchor: \"{ds}\"").unwrap();
        }
        config += "remote-control:\n control-enable: no\n";
        for zone in ["house.example", "bogus.example", "plain.example", "2.0.192.in-addr.arpa"] {
            writeln!(config, "stub-zone:\n name: {zone}\n stub-addr: {}", at(self.knot)).unwrap();
        }
        fs::write(self.path("unbound.conf"), config).unwrap();
        let mut command = Command::new(unbound);
        self.start(command.arg("-d").arg("-c").arg(self.path("unbound.conf")), "unbound.log");
        self.wait_for(self.unbound, "house.example", "unbound.log");
        self
    }

    fn wait_for(&self, server: SocketAddr, zone: &str, log: &str) {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            // A new one each time: a failure is remembered for a moment.
            let asking = resolver(server, Believed::Nobody);
            let answer = block_on(asking.ask(question(zone, Kind::Soa)));
            if show(&answer).contains("hostmaster") || show(&answer).starts_with(zone) {
                return;
            }
            let log = || fs::read_to_string(self.path(log)).unwrap_or_default();
            assert!(Instant::now() < limit, "{}: {}", show(&answer), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(resolver: &Resolver, expected: &[(&str, Kind, &str)]) {
    for (name, kind, shown) in expected {
        let answer = block_on(resolver.ask(question(name, *kind)));
        let shown = shown.replace("LARGE", &"x".repeat(3000));
        let seen = show(&answer).replace("\" \"", "");
        assert_eq!(seen, shown, "{name} {kind}");
    }
}

#[test]
fn knot_and_unbound() {
    let Some(house) = House::new() else {
        println!("\nskipped: knot or unbound is not installed");
        return;
    };
    let checked = [
        ("house.example", Kind::A, "AD house.example 192.0.2.1"),
        ("HOUSE.example", Kind::Aaaa, "AD house.example 2001:db8::1"),
        (
            "house.example",
            Kind::Mx,
            "AD house.example 10 mail.house.example., 20 mail.plain.example.",
        ),
        ("house.example", Kind::Txt, "AD house.example \"v=spf1 -all\""),
        ("house.example", Kind::Caa, "AD house.example 0 issue \"ca.example\""),
        ("house.example", Kind::Ns, "AD house.example ns.house.example."),
        (
            "_25._tcp.mail.house.example",
            Kind::Tlsa,
            "AD _25._tcp.mail.house.example 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        ),
        (
            "_imaps._tcp.house.example",
            Kind::Srv,
            "AD _imaps._tcp.house.example 0 1 993 mail.house.example.",
        ),
        ("nobody.house.example", Kind::Mx, "AD nobody.house.example 0 ."),
        // 3 KB do not fit.
        ("large.house.example", Kind::Txt, "AD large.house.example \"LARGE\""),
        ("www.house.example", Kind::Caa, "AD www.house.example 0 issue \";\""),
        ("mail.house.example", Kind::Aaaa, "AD NoData"),
        ("_tcp.mail.house.example", Kind::Tlsa, "AD NoData"),
        ("gone.house.example", Kind::A, "AD NoName"),
        ("c1.house.example", Kind::A, "AD mail.house.example 192.0.2.25"),
        ("c1.house.example", Kind::Mx, "AD NoData"),
        ("lost.house.example", Kind::A, "AD NoName"),
        // From a zone that is signed to one that is not.
        ("out.house.example", Kind::A, "mail.plain.example 192.0.2.26"),
        ("mail.plain.example", Kind::A, "mail.plain.example 192.0.2.26"),
        ("gone.plain.example", Kind::A, "NoName"),
        ("25.2.0.192.in-addr.arpa", Kind::Ptr, "25.2.0.192.in-addr.arpa mail.house.example."),
        // RFC 2317: an alias by way of a name that no host has.
        ("1.2.0.192.in-addr.arpa", Kind::Ptr, "1.2.0.192.in-addr.arpa house.example."),
        ("odd.house.example", Kind::Mx, "Malformed"),
        ("bogus.example", Kind::A, "Servfail"),
        ("gone.bogus.example", Kind::A, "Servfail"),
    ];
    ask(&resolver(house.unbound, Believed::Nearby), &checked);
    // The same from one who is not believed: everything but the bit.
    let unchecked =
        checked.map(|(name, kind, shown)| (name, kind, shown.strip_prefix("AD ").unwrap_or(shown)));
    ask(&resolver(house.unbound, Believed::Nobody), &unchecked);
    // A circle is nobody's answer, whatever Unbound calls it.
    let round = block_on(
        resolver(house.unbound, Believed::Nearby).ask(question("round.house.example", Kind::A)),
    );
    assert!(["Servfail", "Malformed"].contains(&show(&round).as_str()), "{}", show(&round));
    // Knot is no resolver: it answers for its own zones, sets no AD, and refuses the rest.
    ask(
        &resolver(house.knot, Believed::All),
        &[
            ("house.example", Kind::A, "house.example 192.0.2.1"),
            ("large.house.example", Kind::Txt, "large.house.example \"LARGE\""),
            ("bogus.example", Kind::A, "bogus.example 192.0.2.66"),
            ("c1.house.example", Kind::A, "mail.house.example 192.0.2.25"),
            ("out.house.example", Kind::A, "mail.plain.example 192.0.2.26"),
            ("round.house.example", Kind::A, "Malformed"),
            ("gone.house.example", Kind::A, "NoName"),
            ("elsewhere.example", Kind::A, "Refused"),
        ],
    );
}
