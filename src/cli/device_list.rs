//! `pillarbox device list`: someone's phones and programs.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Device, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// List someone's devices.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "device list")]
pub struct DeviceList {
    /// the person's address
    #[argh(positional)]
    user: String,
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

impl Command for DeviceList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let devices: Vec<Device> = server.ask(&Request::DeviceList { user: self.user })?;
        if self.json {
            return show::json(&devices);
        }
        let row = |device: Device| {
            let used = device.used.map_or("never".to_owned(), show::moment);
            vec![device.id.to_string(), device.name, show::moment(device.added), used]
        };
        let rows: Vec<_> = devices.into_iter().map(row).collect();
        show::data(&show::table(&["id", "name", "added", "last login (hour)"], &rows));
        Ok(())
    }
}
