//! `pillarbox device add`: a password for one phone or program.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{NewDevice, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Make a password for a phone or mail program; it is shown this once.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "device add")]
pub struct DeviceAdd {
    /// the person's address
    #[argh(positional)]
    user: String,
    /// what it is for, like "Ann's phone" (default: device)
    #[argh(positional)]
    name: Option<String>,
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

impl Command for DeviceAdd {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let device: NewDevice =
            server.ask(&Request::DeviceAdd { user: self.user.clone(), name: self.name })?;
        if self.json {
            return show::json(&device);
        }
        show::data(&device.password);
        show::talk(&format!(
            "This is the password of \"{}\" (device {}) for {}, for sending and reading. It is not shown again.",
            device.name, device.id, self.user
        ));
        Ok(())
    }
}
