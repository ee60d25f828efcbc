//! `pillarbox alias list`: the aliases and who gets their mail.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{AliasTo, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// List the aliases and who gets their mail.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "alias list")]
pub struct AliasList {
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

impl Command for AliasList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: Vec<AliasTo> = server.ask(&Request::AliasList)?;
        if self.json {
            return show::json(&done);
        }
        let rows: Vec<_> =
            done.into_iter().map(|row| vec![row.alias, row.users.join(", ")]).collect();
        show::data(&show::table(&["alias", "goes to"], &rows));
        Ok(())
    }
}
