//! `pillarbox user list`: who has a mailbox.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Request, User};
use argh::FromArgs;
use std::path::PathBuf;

/// List everyone with a mailbox.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "user list")]
pub struct UserList {
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

impl Command for UserList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let users: Vec<User> = server.ask(&Request::UserList)?;
        if self.json {
            return show::json(&users);
        }
        let row = |user: User| {
            let login = if user.enabled { "" } else { "disabled" };
            vec![
                user.account.to_string(),
                user.addresses.join(", "),
                user.devices.to_string(),
                show::size(user.used),
                user.quota.map(show::size).unwrap_or_default(),
                match user.message_quota {
                    Some(quota) => format!("{} of {quota}", user.messages),
                    None => user.messages.to_string(),
                },
                login.to_owned(),
            ]
        };
        let rows: Vec<_> = users.into_iter().map(row).collect();
        show::data(&show::table(
            &["account", "addresses", "devices", "mail", "quota", "messages", "login"],
            &rows,
        ));
        Ok(())
    }
}
