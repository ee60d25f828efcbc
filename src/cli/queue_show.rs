//! `pillarbox queue show`: one message that waits to leave, and all that was tried.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{QueuedMessage, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Show a message that waits to leave, and what was tried.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "queue show")]
pub struct QueueShow {
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

impl Command for QueueShow {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), None)?;
        let message: QueuedMessage = server.ask(&Request::QueueShow { id: self.id })?;
        if self.json {
            return show::json(&message);
        }
        let mut text = format!(
            "{} from {}, {}, since {}\n",
            message.id,
            message.from.as_deref().unwrap_or("this server (a notice)"),
            show::size(message.size),
            show::moment(message.arrived)
        );
        text += &match (message.held, message.next) {
            (true, _) => "held; `pillarbox queue retry` lets it go\n".to_owned(),
            (false, Some(next)) => format!("next try {}\n", show::moment(next)),
            (false, None) => "being tried\n".to_owned(),
        };
        let recipient = |recipient: &crate::daemon::QueuedRecipient| {
            let state = if recipient.done { "done" } else { "waits" };
            vec![recipient.address.clone(), state.to_owned()]
        };
        let rows: Vec<_> = message.recipients.iter().map(recipient).collect();
        text += &format!("\n{}", show::table(&["to", ""], &rows));
        let tried = |tried: crate::daemon::QueuedTry| {
            let host = tried.host.unwrap_or_default();
            vec![show::moment(tried.at), tried.to.join(", "), host, tried.result]
        };
        let rows: Vec<_> = message.tries.into_iter().map(tried).collect();
        if !rows.is_empty() {
            text += &format!("\n{}", show::table(&["tried", "to", "host", "said"], &rows));
        }
        show::data(&text);
        Ok(())
    }
}
