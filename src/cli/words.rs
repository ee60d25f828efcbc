//! The subcommands and their help, and the way to each.

use super::attempt::{TryWords, try_out};
use argh::FromArgs;
use std::process::ExitCode;

/// Pillarbox, a mail server for a home.
#[derive(Debug, FromArgs)]
struct Words {
    #[argh(subcommand)]
    command: Command,
}

#[derive(Debug, FromArgs)]
#[argh(subcommand)]
enum Command {
    Try(TryWords),
    Version(VersionWords),
}

/// Say which version this is.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "version")]
struct VersionWords {}

/// Reads argv and does what it says.
pub fn main() -> ExitCode {
    let Words { command } = argh::from_env();
    let logger = simple_logger::SimpleLogger::new().with_level(log::LevelFilter::Info);
    if let Err(error) = logger.init() {
        eprintln!("pillarbox: no log: {error}");
    }
    let done = match command {
        Command::Try(words) => try_out(&words),
        Command::Version(VersionWords {}) => {
            println!("pillarbox {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pillarbox: {error}");
            ExitCode::FAILURE
        }
    }
}
