//! `pillarbox version`.

use super::command::{Command, Stop};
use super::show;
use argh::FromArgs;

/// Say which version this program is.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "version")]
pub struct VersionWords {}

impl Command for VersionWords {
    fn run(self) -> Result<(), Stop> {
        show::data(concat!("pillarbox ", env!("CARGO_PKG_VERSION")));
        Ok(())
    }
}
