//! What every command is to the command line, and how it ends.

use argh::SubCommand;
use std::error::Error;

/// A command: its words are parsed by argh, its name and help are read off them.
pub trait Command: SubCommand {
    /// Does it.
    fn run(self) -> Result<(), Stop>;
}

/// Why a command did not do what it is for.
#[derive(Debug)]
pub enum Stop {
    /// Only help was asked for: data, not a fault.
    Help(String),
    /// The words are wrong.
    Usage(String),
    /// No server answers; the same words may do later.
    Unreachable(String),
    /// It went wrong, or may not be.
    Failed(String),
    /// The same, with an exit code that the caller understands.
    Exit(u8, String),
}

impl<E: Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}
