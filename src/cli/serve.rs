//! `pillarbox serve`: the box for real, by the settings in `pillarbox.toml`.

use super::command::{Command, Stop};
use crate::base::{ClearText, Endpoint, Secret};
use crate::config::{self, DEFAULT_PATH, Settings};
use crate::daemon::{Control, Facts, Lock, Plan, Port, Running, certificate, serve, signing};
use crate::net::{Connector, Resolver};
use crate::registry::{Person, Registry};
use crate::service::{Queue, RECIPIENTS_A_DAY, Relay, Smarthost};
use crate::smtp::client::Login;
use crate::spool::Spool;
use crate::store::Store;
use argh::FromArgs;
use rustix::fs::Mode;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run the mail server.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "serve")]
pub struct ServeWords {
    /// the settings (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option, default = "PathBuf::from(DEFAULT_PATH)")]
    config: PathBuf,
}

impl Command for ServeWords {
    /// Runs until SIGINT or SIGTERM.
    fn run(self) -> Result<(), Stop> {
        let settings = Settings::read(&self.config)?;
        // Mail is nobody else's to read, whatever the mask was.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let folder = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.data);
        folder.map_err(|error| Stop::Failed(format!("{}: {error}", settings.data.display())))?;
        let _lock = Lock::take(&settings.data)?;
        let registry = Arc::new(Registry::open(&settings.data)?);
        tell_strays(&settings.data, &registry)?;
        let tls = certificate(&settings)?;
        let wanted = wanted(&settings);
        let facts = Facts { data: settings.data.clone(), domains: settings.domains };
        let signing = Arc::new(signing(&facts, &settings.host, &registry));
        let control = Control::bind(&settings.control, facts)?;
        let (host, trust) = (settings.host, settings.trust);
        let store = Arc::new(Store::new(&settings.data));
        let opened = Spool::open(&settings.data)?;
        let smarthost = settings.smarthost.as_ref().map(smarthost).transpose()?;
        let queue =
            Queue::new(opened, store.clone(), registry.clone(), host.clone(), signing.clone());
        let resolver = Resolver::new(settings.dns);
        let relay = Relay::new(queue, resolver, Connector::new()?, smarthost);
        let relay = Some(Arc::new(relay));
        let plan = Plan {
            host,
            clear_text: ClearText::Refused,
            tls,
            control,
            trust,
            signing,
            recipients_a_day: settings.recipients_a_day.unwrap_or(RECIPIENTS_A_DAY),
            relay,
        };
        serve(plan, &wanted, store, registry, ready)?;
        Ok(())
    }
}

/// With the password out of its file.
fn smarthost(settings: &config::Smarthost) -> Result<Smarthost, Stop> {
    let login = |(user, path): &(String, PathBuf)| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Stop::Failed(format!(
                "the smarthost's password cannot be read, so nothing could leave: {}: {error}. It is one line in a file \
                 that the user pillarbox may read ([smarthost] in pillarbox.toml)",
                path.display()
            ))
        })?;
        let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        Ok::<_, Stop>(Login { user: user.clone(), password })
    };
    let login = settings.login.as_ref().map(login).transpose()?;
    let (name, domains) = (settings.name.clone(), settings.domains.clone());
    Ok(Smarthost { name, port: settings.port, login, domains, fallback: settings.fallback })
}

/// Mail that is nobody's any more: a removal was cut off before it was moved aside. It is not touched, only told.
fn tell_strays(data: &Path, registry: &Registry) -> Result<(), Stop> {
    let Ok(folders) = std::fs::read_dir(data.join("accounts")) else { return Ok(()) };
    let people = registry.people()?;
    for folder in folders.filter_map(Result::ok) {
        let is_it = |person: &Person| folder.file_name() == *person.account.to_string();
        if !people.iter().any(is_it) {
            let path = folder.path();
            log::warn!(
                "folder={} belongs to nobody; move it to where you keep old mail",
                path.display()
            );
        }
    }
    Ok(())
}

fn wanted(settings: &Settings) -> Vec<(Port, Endpoint)> {
    let places = |port: Port| match port {
        Port::Submit => vec![(port, Endpoint::Socket(settings.submit.clone()))],
        port => {
            let places = settings.listen(port.name(), port.usual()).into_iter();
            places.map(|place| (port, place)).collect()
        }
    };
    Port::ALL.into_iter().flat_map(places).collect()
}

fn ready(ports: &[Running]) {
    log::info!("started version={}", env!("CARGO_PKG_VERSION"));
    for running in ports {
        log::info!("port={} address={}", running.port.name(), running.address);
    }
}

#[cfg(test)]
mod tests {
    use super::{Port, Settings, wanted};

    #[test]
    fn every_port_can_be_set() {
        let mut text = "host = 'a.example'\ndomains = ['a.example']\n[listen]\n".to_owned();
        for port in Port::ALL.into_iter().filter(|port| *port != Port::Submit) {
            text.push_str(&format!("{} = ['127.0.0.1:1', '[::1]:2']\n", port.name()));
        }
        let settings = Settings::parse(&text).unwrap();
        assert_eq!(wanted(&settings).len(), Port::ALL.len() * 2 - 1);
    }
}
