//! `pillarbox alias rm`: an alias goes, or one of those who share it.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{AliasTo, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Take an alias away, or one of those who share it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "alias rm")]
pub struct AliasRemove {
    /// the address
    #[argh(positional)]
    alias: String,
    /// an address of the one who gets its mail no more (default: all of them)
    #[argh(positional)]
    user: Option<String>,
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

impl Command for AliasRemove {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: AliasTo =
            server.ask(&Request::AliasRemove { alias: self.alias, user: self.user })?;
        if self.json {
            return show::json(&done);
        }
        show::talk(&match done.users.as_slice() {
            [] => format!("Nobody gets mail for {} any more", done.alias),
            users => format!("Mail for {} goes to {}", done.alias, users.join(", ")),
        });
        Ok(())
    }
}
