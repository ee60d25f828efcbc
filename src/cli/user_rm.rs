//! `pillarbox user rm`: someone leaves; the mail is put aside, and deleted 30 days later.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Request, UserRemoved};
use argh::FromArgs;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Take someone out; the mail is moved aside and kept for 30 days.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "user rm")]
pub struct UserRemove {
    /// the person's address
    #[argh(positional)]
    address: String,
    /// do not ask
    #[argh(switch)]
    yes: bool,
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

impl Command for UserRemove {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        if !self.yes && !confirmed(&self.address)? {
            return Err(Stop::Failed("nothing was done".to_owned()));
        }
        let removed: UserRemoved = server.ask(&Request::UserRemove { address: self.address })?;
        if self.json {
            return show::json(&removed);
        }
        show::talk(&format!(
            "{} has no mailbox any more; device passwords revoked: {}. The mail is kept in {} for 30 days; \
             move it elsewhere if it is needed longer",
            removed.addresses.join(", "),
            removed.devices,
            removed.mail.display()
        ));
        Ok(())
    }
}

/// Asks on the terminal; the address itself is the yes, so that no habit types it.
fn confirmed(address: &str) -> Result<bool, Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::Usage(
            "nobody is there to confirm it; with --yes it is done without asking".to_owned(),
        ));
    }
    show::talk(&format!(
        "{address} will get no mail and will not be able to log in. The mail is kept for 30 days. Type the address to go on:"
    ));
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim().eq_ignore_ascii_case(address))
}
