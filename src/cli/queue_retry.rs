//! `pillarbox queue retry`: a message is tried now.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::Request;
use argh::FromArgs;
use std::path::PathBuf;

/// Try a message now, or all that are not held; a held one is let go.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "queue retry")]
pub struct QueueRetry {
    /// the message, as `queue list` names it (default: all that are not held)
    #[argh(positional)]
    id: Option<String>,
    /// print one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
}

impl Command for QueueRetry {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), None)?;
        let count: usize = server.ask(&Request::QueueRetry { id: self.id })?;
        if self.json {
            return show::json(&count);
        }
        show::talk(&match count {
            1 => "1 message is tried now; `pillarbox queue list` shows what is left".to_owned(),
            count => {
                format!("{count} messages are tried now; `pillarbox queue list` shows what is left")
            }
        });
        Ok(())
    }
}
