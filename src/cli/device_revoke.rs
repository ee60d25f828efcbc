//! `pillarbox device revoke`: a lost phone logs in no more.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Request, Revoked};
use argh::FromArgs;
use std::path::PathBuf;

/// Take a device password back, at once.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "device revoke")]
pub struct DeviceRevoke {
    /// the person's address
    #[argh(positional)]
    user: String,
    /// its number in `device list`
    #[argh(positional)]
    id: i64,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// instead: the folder of a server that was started by `try`
    #[argh(option)]
    dir: Option<PathBuf>,
}

impl Command for DeviceRevoke {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let Revoked { id } =
            server.ask(&Request::DeviceRevoke { user: self.user.clone(), id: self.id })?;
        show::talk(&format!(
            "Device {id} of {} can no longer log in, and sessions were ended; other devices come back by themselves.",
            self.user
        ));
        Ok(())
    }
}
