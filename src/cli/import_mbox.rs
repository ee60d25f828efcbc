//! `pillarbox import mbox`: the mail of a program that keeps a file a folder, like Thunderbird.

use super::command::{Command, Stop};
use super::import::{Courier, Options, bring_mbox};
use super::server::Server;
use argh::FromArgs;
use std::path::PathBuf;

/// Import an mbox file, or a folder of them: messages with their flags, keywords and dates.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "import mbox")]
pub struct ImportMbox {
    /// the file, or a folder with such files
    #[argh(positional)]
    path: PathBuf,
    /// an address of the one whose mail it becomes
    #[argh(positional)]
    user: String,
    /// where the messages of a single file go (default: by the file's name)
    #[argh(option)]
    mailbox: Option<String>,
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

impl Command for ImportMbox {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let options = Options::of(self.dry_run, self.again, self.json)?;
        let mut courier = Courier::begin(&server, self.user, options)?;
        bring_mbox(&mut courier, &self.path, self.mailbox.as_deref())?;
        courier.finish()
    }
}
