//! `pillarbox queue hold`: a message is kept back.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{QueuedMessage, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Keep a message back until `queue retry`.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "queue hold")]
pub struct QueueHold {
    /// the message, as `queue list` names it
    #[argh(positional)]
    id: String,
    /// print one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
}

impl Command for QueueHold {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), None)?;
        let message: QueuedMessage = server.ask(&Request::QueueHold { id: self.id })?;
        if self.json {
            return show::json(&message);
        }
        show::talk(&format!("{} stays until `pillarbox queue retry {}`", message.id, message.id));
        Ok(())
    }
}
