//! `pillarbox dkim rotate`: other keys for a domain, without a moment in which its mail cannot be checked.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{DkimKey, Pace, Request};
use crate::verify::dkim::Standing;
use argh::FromArgs;
use std::path::PathBuf;

/// Make new keys for a domain, which sign when their records have been known for two days.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "dkim rotate")]
pub struct DkimRotate {
    /// the domain
    #[argh(positional)]
    domain: String,
    /// let them, or those that wait, sign at once: their records are in DNS, or somebody has stolen the old keys
    #[argh(switch)]
    now: bool,
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

impl Command for DkimRotate {
    fn run(self) -> Result<(), Stop> {
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let pace = if self.now { Pace::Now } else { Pace::Waiting };
        let keys: Vec<DkimKey> =
            server.ask(&Request::DkimRotate { domain: self.domain.clone(), pace })?;
        if self.json {
            return show::json(&keys);
        }
        show::talk(&told(&self.domain, pace, &keys));
        Ok(())
    }
}

fn told(domain: &str, pace: Pace, keys: &[DkimKey]) -> String {
    let of = |standing| -> Vec<&DkimKey> {
        keys.iter().filter(|key| key.standing == standing).collect()
    };
    let names = |keys: &[&DkimKey]| {
        keys.iter().map(|key| key.selector.clone()).collect::<Vec<_>>().join(" and ")
    };
    match pace {
        Pace::Waiting => {
            let next = of(Standing::Next);
            let until = next.iter().filter_map(|key| key.until).min().map(show::moment);
            format!(
                "{} will sign mail from {domain} from {} on. Put their records into DNS before (`pillarbox dns zone \
                 {domain}` prints them), and leave the old ones there",
                names(&next),
                until.unwrap_or_default()
            )
        }
        Pace::Now => format!(
            "{} sign mail from {domain} from now on. Their records must be in DNS (`pillarbox dns zone {domain}` prints \
             them). Leave the old ones there for 7 days, but take them away now if their keys were stolen",
            names(&of(Standing::Current))
        ),
    }
}
