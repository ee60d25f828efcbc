//! `pillarbox queue drop`: a message is taken out of the queue.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{QueuedMessage, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Take a message out of the queue; its sender is not told.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "queue drop")]
pub struct QueueDrop {
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

impl Command for QueueDrop {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), None)?;
        let message: QueuedMessage = server.ask(&Request::QueueDrop { id: self.id })?;
        if self.json {
            return show::json(&message);
        }
        let open = message.recipients.iter().filter(|recipient| !recipient.done);
        let to: Vec<&str> = open.map(|recipient| recipient.address.as_str()).collect();
        show::talk(&format!("{} is gone and will not reach {}", message.id, to.join(", ")));
        Ok(())
    }
}
