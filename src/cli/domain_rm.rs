//! `pillarbox domain rm`: a domain is ours no more.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{DomainRow, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Take no more mail for a domain that was added.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "domain rm")]
pub struct DomainRemove {
    /// the domain
    #[argh(positional)]
    domain: String,
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

impl Command for DomainRemove {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: DomainRow = server.ask(&Request::DomainRemove { domain: self.domain })?;
        if self.json {
            return show::json(&done);
        }
        show::talk(&format!("{} is no longer ours", done.domain));
        Ok(())
    }
}
