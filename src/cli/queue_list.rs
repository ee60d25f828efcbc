//! `pillarbox queue list`: what waits to leave.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{QueuedMessage, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// List the messages that wait to leave.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "queue list")]
pub struct QueueList {
    /// print one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
}

impl Command for QueueList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), None)?;
        let queued: Vec<QueuedMessage> = server.ask(&Request::QueueList)?;
        if self.json {
            return show::json(&queued);
        }
        let row = |message: QueuedMessage| {
            let mut open = message.recipients.iter().filter(|recipient| !recipient.done);
            let to: Vec<&str> = open.clone().map(|recipient| recipient.address.as_str()).collect();
            let to = match to.as_slice() {
                [first, rest @ ..] if !rest.is_empty() => {
                    format!("{first} and {} more", rest.len())
                }
                to => to.join(", "),
            };
            let next = match (message.held, message.next) {
                (true, _) => "held".to_owned(),
                (false, Some(next)) => show::moment(next),
                (false, None) => "now".to_owned(),
            };
            let last = open.find_map(|recipient| recipient.result.clone());
            let from = message.from.unwrap_or_else(|| "(notice)".to_owned());
            let size = show::size(message.size);
            vec![
                message.id,
                from,
                to,
                size,
                show::moment(message.arrived),
                next,
                last.unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = queued.into_iter().map(row).collect();
        let names = ["id", "from", "to", "size", "since", "next try", "last said"];
        show::data(&show::table(&names, &rows));
        Ok(())
    }
}
