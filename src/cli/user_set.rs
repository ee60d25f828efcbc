//! `pillarbox user set`: someone may log in, or not.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Request, User};
use argh::FromArgs;
use std::path::PathBuf;

/// Let someone log in, or not any more; mail comes in either way.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "user set")]
pub struct UserSet {
    /// an address of theirs
    #[argh(positional)]
    address: String,
    /// no login, and sessions end
    #[argh(switch)]
    disable: bool,
    /// logins work again
    #[argh(switch)]
    enable: bool,
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

impl Command for UserSet {
    fn run(self) -> Result<(), Stop> {
        let enabled = match (self.enable, self.disable) {
            (true, false) => true,
            (false, true) => false,
            _ => return Err(Stop::Usage("say --enable or --disable".to_owned())),
        };
        let request = Request::UserSet { address: self.address, enabled };
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: User = server.ask(&request)?;
        if self.json {
            return show::json(&done);
        }
        let name = done.addresses.first().cloned().unwrap_or_default();
        show::talk(&match done.enabled {
            true => format!("{name} may log in"),
            false => format!("{name} may not log in; mail is kept and still comes in"),
        });
        Ok(())
    }
}
