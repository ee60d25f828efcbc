//! `pillarbox domain add`: another domain of the box.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{DomainRow, Request};
use argh::FromArgs;
use std::path::PathBuf;

/// Take mail for another domain, or name another catch-all for one.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "domain add")]
pub struct DomainAdd {
    /// the domain
    #[argh(positional)]
    domain: String,
    /// an address of the one who gets mail for addresses that nobody has (default: it is refused)
    #[argh(option)]
    catch_all: Option<String>,
    /// a server behind this one that keeps the mail of those whom nobody here is, and says who they are: where it listens
    /// for LMTP, like 192.0.2.7:24 or /run/dovecot/lmtp
    #[argh(option)]
    lmtp: Option<String>,
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

impl Command for DomainAdd {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let (domain, catch_all, lmtp) = (self.domain, self.catch_all, self.lmtp);
        let done: DomainRow = server.ask(&Request::DomainAdd { domain, catch_all, lmtp })?;
        if self.json {
            return show::json(&done);
        }
        show::talk(&match done.catch_all.or(done.lmtp) {
            Some(to) => format!("{} is ours; what nobody has here goes to {to}", done.domain),
            None => format!("{} is ours", done.domain),
        });
        Ok(())
    }
}
