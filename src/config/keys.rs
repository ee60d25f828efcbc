//! The keys of `pillarbox.toml`, a row each: where it stands, what it must be, and what reads it.

use super::error::Fault;
use super::near::nearest;
use super::providers::provider;
use crate::base::Endpoint;
use crate::mail::Domain;
use crate::net::{Believed, Network, Servers, Trust, server_address};
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the file says, before what it leaves out is filled in.
#[derive(Debug, Default)]
pub struct Draft {
    pub data: Option<PathBuf>,
    pub control: Option<PathBuf>,
    pub submit: Option<PathBuf>,
    pub host: Option<Domain>,
    pub domains: Option<Vec<Domain>>,
    /// By the name of the port.
    pub listen: Vec<(&'static str, Vec<Endpoint>)>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub trust: Trust,
    pub dns: Servers,
    pub recipients_a_day: Option<u32>,
    pub smarthost: Option<(Domain, u16)>,
    pub smarthost_user: Option<String>,
    pub smarthost_password: Option<PathBuf>,
    pub smarthost_domains: Vec<Domain>,
    pub smarthost_fallback: bool,
}

/// A key.
pub struct Key {
    /// `None` at the top.
    section: Option<&'static str>,
    name: &'static str,
    expected: &'static str,
    /// Takes the value, or gives the place in the text that is wrong.
    take: fn(&mut Draft, &'static str, &Value<'_>) -> Result<(), usize>,
}

type Value<'i> = Spanned<DeValue<'i>>;

const PATH: &str = "a path from the root, like \"/var/lib/pillarbox\"";
const LISTEN: &str =
    "an address with a port, like \"[::]:25\" or \"192.0.2.1:25\", or a list of these";

const LISTEN_OR_PATH: &str = "an address with a port, like \"127.0.0.1:24\", or the path of a socket, like \"/run/pillarbox/lmtp\", or a list of these";

const NETWORKS: &str =
    "an address or a network, like \"192.0.2.7\" or \"10.0.0.0/8\", or a list of these";

/// Every key that may stand in the file.
pub const KEYS: [Key; 25] = [
    Key {
        section: None,
        name: "data",
        expected: PATH,
        take: |to, _, v| put(&mut to.data, path(v)),
    },
    Key {
        section: None,
        name: "control",
        expected: "the path of a socket, like \"/run/pillarbox/control\"",
        take: |to, _, v| put(&mut to.control, path(v)),
    },
    Key {
        section: None,
        name: "submit",
        expected: "the path of a socket, like \"/run/pillarbox/submit\"",
        take: |to, _, v| put(&mut to.submit, path(v)),
    },
    Key {
        section: None,
        name: "host",
        expected: "the name by which others find this box, like \"mail.example.org\"",
        take: |to, _, v| put(&mut to.host, domain(v)),
    },
    Key {
        section: None,
        name: "domains",
        expected: "the domains of your addresses, like [\"example.org\"]",
        take: |to, _, v| put(&mut to.domains, list(v, domain)),
    },
    Key { section: Some("listen"), name: "smtp", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "submission", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "submissions", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "imap", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "imaps", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "pop3", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "pop3s", expected: LISTEN, take: listen },
    Key { section: Some("listen"), name: "lmtp", expected: LISTEN_OR_PATH, take: listen_or_path },
    Key {
        section: Some("tls"),
        name: "certificate",
        expected: "the path of a certificate chain (PEM)",
        take: |to, _, v| put(&mut to.certificate, path(v)),
    },
    Key {
        section: Some("tls"),
        name: "key",
        expected: "the path of the certificate's key (PEM)",
        take: |to, _, v| put(&mut to.key, path(v)),
    },
    Key {
        section: Some("trust"),
        name: "lmtp",
        expected: NETWORKS,
        take: |to, _, v| networks(v).map(|all| to.trust.lmtp = all),
    },
    Key {
        section: Some("trust"),
        name: "proxy",
        expected: NETWORKS,
        take: |to, _, v| networks(v).map(|all| to.trust.proxy = all),
    },
    Key {
        section: Some("dns"),
        name: "servers",
        expected: "the addresses of DNS servers, like [\"192.0.2.53\", \"[2001:db8::53]:5353\"]",
        take: |to, _, v| list(v, server).map(|all| to.dns.listed = all),
    },
    Key {
        section: Some("dns"),
        name: "trusted",
        expected: "true (these servers check signatures, and the way to them is safe) or false",
        take: |to, _, v| believed(v).map(|believed| to.dns.believed = believed),
    },
    Key {
        section: Some("limits"),
        name: "recipients_a_day",
        expected: "how many recipients elsewhere a device may send to in a day, like 300",
        take: |to, _, v| put(&mut to.recipients_a_day, count(v)),
    },
    Key {
        section: Some("smarthost"),
        name: "server",
        expected: "the server that brings your mail on, like \"smtp.example.net\" or \"smtp.example.net:587\", or the word for a provider, like \"gmail\"",
        take: |to, _, v| put(&mut to.smarthost, smarthost(v)),
    },
    Key {
        section: Some("smarthost"),
        name: "user",
        expected: "the name by which you log in there",
        take: |to, _, v| put(&mut to.smarthost_user, text(v, |text| Some(text.to_owned()))),
    },
    Key {
        section: Some("smarthost"),
        name: "password_file",
        expected: "the path of a file with the password, like \"/etc/pillarbox/smarthost.password\"",
        take: |to, _, v| put(&mut to.smarthost_password, path(v)),
    },
    Key {
        section: Some("smarthost"),
        name: "domains",
        expected: "the recipients' domains whose mail goes by it, like [\"outlook.com\", \"hotmail.com\"]",
        take: |to, _, v| list(v, domain).map(|all| to.smarthost_domains = all),
    },
    Key {
        section: Some("smarthost"),
        name: "fallback",
        expected: "true (it takes what cannot go straight to the recipients' servers) or false",
        take: |to, _, v| truth(v).map(|fallback| to.smarthost_fallback = fallback),
    },
];

fn put<T>(place: &mut Option<T>, value: Result<T, usize>) -> Result<(), usize> {
    *place = Some(value?);
    Ok(())
}

fn text<T>(value: &Value<'_>, read: impl Fn(&str) -> Option<T>) -> Result<T, usize> {
    value.get_ref().as_str().and_then(read).ok_or(value.span().start)
}

fn path(value: &Value<'_>) -> Result<PathBuf, usize> {
    text(value, |text| Some(PathBuf::from(text)).filter(|path| path.is_absolute()))
}

fn domain(value: &Value<'_>) -> Result<Domain, usize> {
    text(value, |text| Domain::parse(text).filter(|domain| !domain.is_literal()))
}

/// One or several; an empty list means nobody.
fn networks(value: &Value<'_>) -> Result<Vec<Network>, usize> {
    let network = |value: &Value<'_>| text(value, |text| text.parse().ok());
    match value.get_ref().as_array() {
        Some(array) => array.iter().map(network).collect(),
        None => Ok(vec![network(value)?]),
    }
}

fn server(value: &Value<'_>) -> Result<SocketAddr, usize> {
    text(value, server_address)
}

/// A provider's word, or a name. Without a port, the one of implicit TLS (RFC 8314 §7.3).
fn smarthost(value: &Value<'_>) -> Result<(Domain, u16), usize> {
    text(value, |text| {
        if let Some(known) = provider(text) {
            return Some((Domain::parse(known.host)?, known.port));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0)?),
            None => (text, 465),
        };
        Some((Domain::parse(name).filter(|name| !name.is_literal())?, port))
    })
}

fn count(value: &Value<'_>) -> Result<u32, usize> {
    let number = value.get_ref().as_integer();
    let read = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
    read.filter(|count| *count > 0).ok_or(value.span().start)
}

fn truth(value: &Value<'_>) -> Result<bool, usize> {
    value.get_ref().as_bool().ok_or(value.span().start)
}

fn believed(value: &Value<'_>) -> Result<Believed, usize> {
    Ok(if truth(value)? { Believed::All } else { Believed::Nobody })
}

/// At least one.
fn list<T>(
    value: &Value<'_>,
    each: impl Fn(&Value<'_>) -> Result<T, usize>,
) -> Result<Vec<T>, usize> {
    let array = value.get_ref().as_array().filter(|array| !array.is_empty());
    array.ok_or(value.span().start)?.iter().map(each).collect()
}

fn listen(to: &mut Draft, name: &'static str, value: &Value<'_>) -> Result<(), usize> {
    endpoints(to, name, value, Endpoint::address)
}

fn listen_or_path(to: &mut Draft, name: &'static str, value: &Value<'_>) -> Result<(), usize> {
    endpoints(to, name, value, Endpoint::address_or_socket)
}

/// One or several; an empty list means that this is not served.
fn endpoints(
    to: &mut Draft,
    name: &'static str,
    value: &Value<'_>,
    read: fn(&str) -> Option<Endpoint>,
) -> Result<(), usize> {
    let endpoints = match value.get_ref().as_array() {
        Some(array) => array.iter().map(|value| text(value, read)).collect::<Result<_, _>>()?,
        None => vec![text(value, read)?],
    };
    to.listen.push((name, endpoints));
    Ok(())
}

/// Reads a whole file's text: what it says, and its faults in the order of their lines. The error is what is against
/// TOML's grammar; after that the rest would be a guess.
pub fn read(text: &str) -> Result<(Draft, Vec<Fault>), Vec<Fault>> {
    let mut reading = Reading { text, draft: Draft::default(), faults: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reading.fault(at, error.message().replace('\n', ", "));
    }
    if !reading.faults.is_empty() {
        return Err(reading.faults);
    }
    reading.section(None, table.get_ref());
    reading.faults.sort_by_key(|fault| fault.line);
    Ok((reading.draft, reading.faults))
}

struct Reading<'t> {
    text: &'t str,
    draft: Draft,
    faults: Vec<Fault>,
}

/// As much of a wrong value as a message shows.
const SHOWN_MAX: usize = 40;

impl Reading<'_> {
    fn fault(&mut self, at: usize, what: String) {
        let line = self.text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        self.faults.push(Fault { line: Some(line), what });
    }

    fn section(&mut self, section: Option<&'static str>, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = name.span().start;
            let name = name.get_ref();
            let is_it = |key: &&Key| key.section == section && key.name == name;
            let inner = KEYS.iter().filter_map(|key| key.section).find(|inner| inner == name);
            match (KEYS.iter().find(is_it), inner.filter(|_| section.is_none())) {
                (Some(key), _) => {
                    if let Err(at) = (key.take)(&mut self.draft, key.name, value) {
                        let found = self.shown(value);
                        let expected = key.expected;
                        self.fault(at, format!("`{name}` must be {expected}; it is {found}"));
                    }
                }
                (None, Some(inner)) => match value.get_ref().as_table() {
                    Some(table) => self.section(Some(inner), table),
                    None => {
                        let names = names(Some(inner)).join(", ");
                        self.fault(at, format!("`{inner}` must be a section: a line [{inner}], and below it {names}"));
                    }
                },
                (None, None) => self.unknown(section, at, name),
            }
        }
    }

    fn unknown(&mut self, section: Option<&'static str>, at: usize, name: &str) {
        let known = names(section);
        let place = section.map_or("here".to_owned(), |section| format!("in [{section}]"));
        let meant = nearest(name, known.iter().copied())
            .map_or(String::new(), |meant| format!(" did you mean `{meant}`?"));
        // A key that is right elsewhere stands below the wrong section.
        let elsewhere = KEYS.iter().find(|key| key.name == name).map_or(String::new(), |key| {
            let right =
                key.section.map_or("above all sections".to_owned(), |s| format!("in [{s}]"));
            format!(" it stands {right}.")
        });
        let known = known.join(", ");
        self.fault(
            at,
            format!("`{name}` is not a key {place};{meant}{elsewhere} Known {place}: {known}"),
        );
    }

    fn shown(&self, value: &Value<'_>) -> String {
        let text = self.text.get(value.span()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let mut shown: String = first.chars().take(SHOWN_MAX).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    }
}

/// Keys and sections that may stand in a section.
fn names(section: Option<&'static str>) -> Vec<&'static str> {
    let keys = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
    let mut names: Vec<&str> = keys.collect();
    if section.is_none() {
        names.extend(KEYS.iter().filter_map(|key| key.section));
        names.dedup();
    }
    names
}
