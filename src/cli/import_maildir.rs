//! `pillarbox import maildir`: the mail of another server, or of a mail program that keeps a Maildir.

use super::command::{Command, Stop};
use super::import::{Courier, Options, bring_maildir};
use super::server::Server;
use argh::FromArgs;
use std::path::PathBuf;

/// Import a Maildir: messages with their flags, keywords and dates.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "import maildir")]
pub struct ImportMaildir {
    /// the folder that has `cur` in it, or whose folders have
    #[argh(positional)]
    path: PathBuf,
    /// an address of the one whose mail it becomes
    #[argh(positional)]
    user: String,
    /// change nothing, and say what would be done
    #[argh(switch)]
    dry_run: bool,
    /// bring back, too, what was imported before and has been moved or deleted since
    #[argh(switch)]
    again: bool,
    /// print the summary as one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// instead: the folder of a server that was started by `try`
    #[argh(option)]
    dir: Option<PathBuf>,
}

impl Command for ImportMaildir {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let options = Options::of(self.dry_run, self.again, self.json)?;
        let mut courier = Courier::begin(&server, self.user, options)?;
        bring_maildir(&mut courier, &self.path)?;
        courier.finish()
    }
}
