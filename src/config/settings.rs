//! The settings as the rest of the house gets them: checked, and with what the file leaves out.

use super::error::{ConfigError, Fault};
use super::keys::{Draft, read};
use crate::base::Endpoint;
use crate::mail::Domain;
use crate::net::{Servers, Trust};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the file lies if nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/pillarbox/pillarbox.toml";
const DATA: &str = "/var/lib/pillarbox";
const CONTROL: &str = "/run/pillarbox/control";
/// In the folder of the other.
const SUBMIT: &str = "submit";

/// A box's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// The socket over which the commands speak to the server.
    pub control: PathBuf,
    /// The socket over which programs of this machine send; beside `control` if the file does not say.
    pub submit: PathBuf,
    /// Our name in greetings and trace fields.
    pub host: Domain,
    /// In these people have addresses; at least one.
    pub domains: Vec<Domain>,
    /// `None`: a certificate is made that nobody vouches for.
    pub tls: Option<TlsFiles>,
    /// Addresses that may do what others may not.
    pub trust: Trust,
    /// Who is asked for names: what `net::Resolver` is made of.
    pub dns: Servers,
    /// Recipients elsewhere that a device has in a day without being held up.
    pub recipients_a_day: Option<u32>,
    /// Who brings our mail on; `None`: it goes straight to the recipients' servers.
    pub smarthost: Option<Smarthost>,
    listen: Vec<(&'static str, Vec<Endpoint>)>,
}

/// A server that brings our mail on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// Its name.
    pub name: Domain,
    /// Its port.
    pub port: u16,
    /// The name by which we log in, and the file with the password.
    pub login: Option<(String, PathBuf)>,
    /// The recipients' domains whose mail goes by it.
    pub domains: Vec<Domain>,
    /// Does it take what cannot go straight? With neither domains nor this it takes everything.
    pub fallback: bool,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the leaf first.
    pub certificate: PathBuf,
    /// The leaf's key.
    pub key: PathBuf,
}

impl Settings {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let io = |error| ConfigError::Io(path.to_owned(), error);
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::parse(&text).map_err(|faults| ConfigError::Faults(path.to_owned(), faults))
    }

    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        // Editors of other systems put a byte order mark first.
        let (draft, mut faults) = read(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let Draft {
            data,
            control,
            submit,
            host,
            domains,
            listen,
            certificate,
            key,
            trust,
            dns,
            ..
        } = draft;
        let (server, user, password) =
            (draft.smarthost, draft.smarthost_user, draft.smarthost_password);
        let mut missing = |key: &str, what: &str| {
            let key = format!("`{key}`");
            // One that is there and wrong has been named already.
            if !faults.iter().any(|fault| fault.what.starts_with(&key)) {
                faults.push(Fault { line: None, what: format!("{key} is missing{what}") });
            }
        };
        if host.is_none() {
            missing(
                "host",
                ": the name by which others find this box, host = \"mail.example.org\"",
            );
        }
        if domains.is_none() {
            missing("domains", ": the domains of your addresses, domains = [\"example.org\"]");
        }
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                missing("key", " in [tls]: the file of the certificate's key");
                None
            }
            (None, Some(_)) => {
                missing("certificate", " in [tls]: the file of the key's certificate");
                None
            }
        };
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => {
                missing("password_file", " in [smarthost]: the file with the password");
                None
            }
            (None, Some(_)) => {
                missing("user", " in [smarthost]: the name for that password");
                None
            }
        };
        if server.is_none() && login.is_some() {
            missing("server", " in [smarthost]: server = \"smtp.example.net\"");
        }
        let (domains_by_it, fallback) = (draft.smarthost_domains, draft.smarthost_fallback);
        let smarthost = server.map(|(name, port)| Smarthost {
            name,
            port,
            login,
            domains: domains_by_it,
            fallback,
        });
        match (host, domains) {
            (Some(host), Some(domains)) if faults.is_empty() => {
                let data = data.unwrap_or_else(|| DATA.into());
                let control = control.unwrap_or_else(|| CONTROL.into());
                let submit = submit.unwrap_or_else(|| control.with_file_name(SUBMIT));
                Ok(Self {
                    data,
                    control,
                    submit,
                    host,
                    domains,
                    tls,
                    trust,
                    dns,
                    recipients_a_day: draft.recipients_a_day,
                    smarthost,
                    listen,
                })
            }
            _ => Err(faults),
        }
    }

    /// Where a port listens; `usual` is its number if the file does not say, `None` if it does not listen then.
    pub fn listen(&self, name: &str, usual: Option<u16>) -> Vec<Endpoint> {
        let said = self.listen.iter().find(|(said, _)| *said == name);
        match said {
            Some((_, addresses)) => addresses.clone(),
            None => {
                let everywhere = |number| SocketAddr::from((Ipv6Addr::UNSPECIFIED, number)).into();
                usual.map(everywhere).into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Servers, Settings, TlsFiles, Trust};
    use crate::net::Believed;

    fn at(text: &str) -> Endpoint {
        Endpoint::address_or_socket(text).unwrap()
    }

    const LEAST: &str = "host = 'mail.example.org'\ndomains = ['example.org']\n";

    #[test]
    fn two_lines_are_enough() {
        let settings = Settings::parse(&format!("\u{feff}{LEAST}").replace('\n', "\r\n")).unwrap();
        assert_eq!(settings.host.as_str(), "mail.example.org");
        assert_eq!(settings.domains[0].as_str(), "example.org");
        assert_eq!(settings.data.to_str(), Some("/var/lib/pillarbox"));
        assert_eq!(settings.control.to_str(), Some("/run/pillarbox/control"));
        assert_eq!(settings.submit.to_str(), Some("/run/pillarbox/submit"));
        assert_eq!(settings.listen("smtp", Some(25)), [at("[::]:25")]);
        assert_eq!(settings.listen("lmtp", None), []);
        assert_eq!(settings.trust, Trust::default());
        assert_eq!(settings.dns, Servers::default());
        assert_eq!(settings.tls, None);
    }

    #[test]
    fn everything_can_be_said() {
        let text = format!(
            "{LEAST}data = '/d'\ncontrol = '/d/c'\n[listen]\nsmtp = ['127.0.0.1:25', '[::1]:25']\nsubmission = []\n\
             submissions = '127.0.0.1:0'\nlmtp = ['/run/x/lmtp', '127.0.0.1:24']\n[tls]\ncertificate = '/c'\nkey = '/k'\n[trust]\nlmtp = []\nproxy = ['10.0.0.0/8', '::1']\n[dns]\nservers = ['192.0.2.53', '[::1]:5353']\ntrusted = true\n"
        );
        let settings = Settings::parse(&text).unwrap();
        assert_eq!(settings.data.to_str(), Some("/d"));
        assert_eq!(settings.control.to_str(), Some("/d/c"));
        assert_eq!(settings.submit.to_str(), Some("/d/submit"));
        let settings = Settings::parse(&format!("submit = '/s/t'\n{text}")).unwrap();
        assert_eq!(settings.submit.to_str(), Some("/s/t"));
        assert_eq!(settings.listen("smtp", Some(25)).len(), 2);
        assert_eq!(settings.listen("submission", Some(587)), []);
        assert_eq!(settings.listen("submissions", Some(465)), [at("127.0.0.1:0")]);
        let lmtp = settings.listen("lmtp", None);
        assert_eq!(lmtp, [Endpoint::Socket("/run/x/lmtp".into()), at("127.0.0.1:24")]);
        let files = TlsFiles { certificate: "/c".into(), key: "/k".into() };
        assert_eq!(settings.tls, Some(files));
        assert!(!settings.trust.hands_on([127, 0, 0, 1].into()));
        assert!(settings.trust.is_proxy([10, 1, 2, 3].into()));
        let listed = ["192.0.2.53:53", "[::1]:5353"].map(|address| address.parse().unwrap());
        assert_eq!(settings.dns, Servers { listed: listed.into(), believed: Believed::All });
    }

    #[test]
    fn a_smarthost_by_its_name_or_a_providers_word() {
        let of = |text: &str| {
            let text = format!(
                "{LEAST}[smarthost]\nserver = '{text}'\ndomains = ['a.example']\nfallback = true\n"
            );
            let smarthost = Settings::parse(&text).unwrap().smarthost.unwrap();
            assert!(smarthost.fallback && smarthost.domains.len() == 1);
            (smarthost.name.to_string(), smarthost.port)
        };
        assert_eq!(of("smtp.example.net"), ("smtp.example.net".into(), 465));
        assert_eq!(of("smtp.example.net:587"), ("smtp.example.net".into(), 587));
        assert_eq!(of("icloud"), ("smtp.mail.me.com".into(), 587));
        assert_eq!(of("mailbox.org"), ("smtp.mailbox.org".into(), 465));
    }

    #[test]
    fn a_fault_names_its_line_and_what_was_expected() {
        for (text, line, parts) in [
            (
                "[lsiten]\nsmtp = '[::]:25'",
                Some(3),
                &["`lsiten` is not a key here", "did you mean `listen`?"][..],
            ),
            (
                "\nhosts = 'x'",
                Some(4),
                &[
                    "`hosts`",
                    "did you mean `host`?",
                    "Known here: data, control, submit, host, domains, listen, tls",
                ],
            ),
            (
                "[listen]\nsmpt = '[::]:25'",
                Some(4),
                &["`smpt` is not a key in [listen]", "did you mean `smtp`?"],
            ),
            ("[tls]\ndata = '/x'", Some(4), &["not a key in [tls]; it stands above all sections."]),
            ("listen = 25", Some(3), &["a line [listen], and below it smtp,"]),
            (
                "[listen]\nsmtp = 25",
                Some(4),
                &["`smtp` must be an address with a port", "it is 25"],
            ),
            (
                "[listen]\nsmtp = [\n'[::]:25',\n'25']",
                Some(6),
                &["`smtp` must be an address with a port"],
            ),
            ("[listen]\nsmtp = '[::]:70000'", Some(4), &["it is '[::]:70000'"]),
            ("[listen]\nsmtp = '/run/smtp'", Some(4), &["`smtp` must be an address with a port"]),
            ("[listen]\nlmtp = 'lmtp'", Some(4), &["or the path of a socket", "it is 'lmtp'"]),
            (
                "data = 'pillarbox'",
                Some(3),
                &["`data` must be a path from the root", "it is 'pillarbox'"],
            ),
            (
                "[trust]\nproxy = ['10.0.0.0/8',\n'10.0.0.0/99']",
                Some(5),
                &["`proxy` must be an address or a network"],
            ),
            ("[dns]\nservers = ['dns.example']", Some(4), &["`servers` must be the addresses"]),
            ("[dns]\nservers = []", Some(4), &["`servers` must be the addresses", "it is []"]),
            ("[dns]\ntrusted = 'yes'", Some(4), &["`trusted` must be true"]),
            ("[smarthost]\nserver = 'a.example:x'", Some(4), &["`server` must be the server"]),
            ("[smarthost]\nfallback = 1", Some(4), &["`fallback` must be true"]),
            ("[limits]\nrecipients_a_day = 0", Some(4), &["`recipients_a_day` must be how many"]),
            (
                "[smarthost]\nserver = 'a.example'\nuser = 'ann'",
                None,
                &["`password_file` is missing in [smarthost]"],
            ),
            ("[tls]\nkey = '/k'", None, &["`certificate` is missing in [tls]"]),
            ("[tls]\ncertificate = '/k'", None, &["`key` is missing in [tls]"]),
            (
                "[tls]\nkey = true\ncertificate = '/k'",
                Some(4),
                &["`key` must be the path", "it is true"],
            ),
            ("data = '/x", Some(3), &["string"]),
            ("data", Some(3), &[""]),
            ("data = '/x'\ndata = '/y'", Some(4), &["duplicate key"]),
        ] {
            let faults = Settings::parse(&format!("{LEAST}{text}\n")).unwrap_err();
            assert_eq!((faults.len(), faults[0].line), (1, line), "{text}: {faults:?}");
            for part in parts {
                assert!(faults[0].what.contains(part), "{text}: {:?}", faults[0]);
            }
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = Settings::parse("host = 'not a name'\ndomains = []\ntsl = 1\n").unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [Some(1), Some(2), Some(3)]);
        let faults = Settings::parse("").unwrap_err();
        assert!(faults.iter().all(|fault| fault.line.is_none()) && faults.len() == 2);
        let long = format!("{LEAST}data = '{}'", "x".repeat(5000));
        assert!(Settings::parse(&long).unwrap_err()[0].what.len() < 200);
        let literal = "host = '[192.0.2.1]'\ndomains = ['example.org', 7]";
        assert_eq!(Settings::parse(literal).unwrap_err().len(), 2);
    }

    #[test]
    fn no_text_makes_it_fall() {
        let whole = format!(
            "\u{feff}{LEAST}data = '/ü'\r\n[listen]\nsmtp = ['[::1]:25',\n'x']\n[tls]\nkey = \"\\u00e9\"\nx.y = {{ a = 1 }}\n"
        );
        for (at, _) in whole.char_indices() {
            let (before, after) = whole.split_at(at);
            for odd in ["", "\0", "\"\"\"", "[[", "]", "=", "\n", ".", "{", "é", "'", "#"] {
                let rest = after.chars().skip(1).collect::<String>();
                for text in [
                    format!("{before}{odd}{after}"),
                    format!("{before}{odd}{rest}"),
                    format!("{before}{odd}"),
                ] {
                    let lines = text.matches('\n').count() + 1;
                    if let Err(faults) = Settings::parse(&text) {
                        assert!(!faults.is_empty(), "{text:?}");
                        assert!(
                            faults.iter().all(|fault| fault.line.is_none_or(|line| line <= lines)),
                            "{text:?}: {faults:?}"
                        );
                    }
                }
            }
        }
    }
}
