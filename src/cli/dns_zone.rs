//! `pillarbox dns zone`: what to put into DNS, as a zone file or for a provider's form.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use super::zone_text::{values, zone_file};
use crate::daemon::{Request, Zone};
use argh::FromArgs;
use std::path::PathBuf;

/// Print the DNS records that a domain ought to have, as a zone file.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "dns zone")]
pub struct DnsZone {
    /// whose (default: of every domain)
    #[argh(positional)]
    domain: Option<String>,
    /// print names and values apart, to paste into the form of a DNS provider
    #[argh(switch)]
    values: bool,
    /// print one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// instead: the folder of a server that was started by `try`
    #[argh(option)]
    dir: Option<PathBuf>,
}

impl Command for DnsZone {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let zones: Vec<Zone> = server.ask(&Request::DnsZone { domain: self.domain })?;
        if self.json {
            return show::json(&zones);
        }
        let text = if self.values { values } else { zone_file };
        show::data(&zones.iter().map(text).collect::<Vec<_>>().join("\n"));
        Ok(())
    }
}
