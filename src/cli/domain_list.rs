//! `pillarbox domain list`: the domains of the box.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{DomainRow, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// List the domains of the box.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "domain list")]
pub struct DomainList {
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

impl Command for DomainList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: Vec<DomainRow> = server.ask(&Request::DomainList)?;
        if self.json {
            return show::json(&done);
        }
        let row = |row: DomainRow| {
            let from = if row.in_settings { "pillarbox.toml" } else { "domain add" };
            let rest = row.catch_all.or(row.lmtp).unwrap_or_default();
            vec![row.domain, from.to_owned(), rest]
        };
        let rows: Vec<_> = done.into_iter().map(row).collect();
        show::data(&show::table(&["domain", "from", "the rest goes to"], &rows));
        Ok(())
    }
}
