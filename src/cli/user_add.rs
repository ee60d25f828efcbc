//! `pillarbox user add`: someone gets a mailbox.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Request, UserAdded};
use argh::FromArgs;
use std::path::PathBuf;

/// Give someone an address and a mailbox.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "user add")]
pub struct UserAdd {
    /// a mail address in one of the domains of the settings
    #[argh(positional)]
    address: String,
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

impl Command for UserAdd {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let added: UserAdded = server.ask(&Request::UserAdd { address: self.address })?;
        if self.json {
            return show::json(&added);
        }
        show::talk(&format!(
            "{0} has a mailbox. A password for a phone or mail program: pillarbox device add {0} phone",
            added.address
        ));
        Ok(())
    }
}
