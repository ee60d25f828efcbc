//! `pillarbox status`: what the running server is at.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{PathShown, Request, Status};
use argh::FromArgs;
use std::path::PathBuf;

/// Say how the running server is.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "status")]
pub struct StatusWords {
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

impl Command for StatusWords {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let status: Status = server.ask(&Request::Status)?;
        if self.json {
            return show::json(&status);
        }
        let mut lines = vec![
            ("version", format!("{} (pid {})", status.version, status.pid)),
            ("started", show::moment(status.started)),
            ("host", status.host),
            ("data", format!("{}, {} free", status.data.display(), show::size(status.free_bytes))),
            ("people", format!("{} with {} devices", status.users, status.devices)),
            ("sessions", status.sessions.to_string()),
        ];
        let ports: Vec<(String, String)> =
            status.ports.into_iter().map(|port| (port.name, port.address)).collect();
        lines.extend(ports.iter().map(|(name, address)| (name.as_str(), address.clone())));
        let path = |path: PathShown| {
            let worked = path.worked.map(|at| format!("worked on {}", show::moment(at)));
            let failed = path.failed.map(|at| {
                format!("failed on {}: {}", show::moment(at), path.why.unwrap_or_default())
            });
            let both = worked.into_iter().chain(failed).collect::<Vec<_>>().join("; ");
            (format!("{} out", path.path), both)
        };
        let paths: Vec<(String, String)> = status.paths.into_iter().map(path).collect();
        lines.extend(paths.iter().map(|(name, said)| (name.as_str(), said.clone())));
        let line = |(name, value): (&str, String)| format!("{name:<12} {value}\n");
        show::data(&lines.into_iter().map(line).collect::<String>());
        Ok(())
    }
}
