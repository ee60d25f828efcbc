//! `pillarbox dkim list`: the keys by which mail is signed.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{DkimKey, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// List the keys that sign mail (DKIM).
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "dkim list")]
pub struct DkimList {
    /// whose (default: of every domain, and of the box itself)
    #[argh(positional)]
    domain: Option<String>,
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

impl Command for DkimList {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let keys: Vec<DkimKey> = server.ask(&Request::DkimList { domain: self.domain })?;
        if self.json {
            return show::json(&keys);
        }
        let row = |key: DkimKey| {
            let until = key.until.map(show::moment).unwrap_or_default();
            let since = show::moment(key.since);
            let standing = key.standing.to_string();
            vec![key.domain, key.selector, key.algorithm, standing, since, until]
        };
        let rows: Vec<_> = keys.into_iter().map(row).collect();
        let names = ["domain", "selector", "algorithm", "standing", "since", "until"];
        show::data(&show::table(&names, &rows));
        Ok(())
    }
}
