//! `pillarbox alias add`: mail for another address goes to someone too.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{AliasTo, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Let mail for another address go to someone here or elsewhere; several may share one.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "alias add")]
pub struct AliasAdd {
    /// the address, in one of the domains of the box
    #[argh(positional)]
    alias: String,
    /// an address of the one who gets its mail, on this server or any other
    #[argh(positional)]
    user: String,
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

impl Command for AliasAdd {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: AliasTo =
            server.ask(&Request::AliasAdd { alias: self.alias, user: self.user })?;
        if self.json {
            return show::json(&done);
        }
        show::talk(&format!("Mail for {} goes to {}", done.alias, done.users.join(", ")));
        Ok(())
    }
}
