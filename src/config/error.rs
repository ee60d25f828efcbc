//! What is wrong in `pillarbox.toml`, a line each, all of it at once: nobody likes to mend a file by asking it ten times.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there are no settings.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Io(PathBuf, io::Error),
    /// It says what it may not say.
    Faults(PathBuf, Vec<Fault>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1; `None` for what is missing altogether.
    pub line: Option<usize>,
    /// What it is, and what was expected.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) if error.kind() == io::ErrorKind::NotFound => write!(
                f,
                "{} is not there. Two lines are enough to begin with: host = \"mail.example.org\" and \
                 domains = [\"example.org\"]",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Faults(path, faults) => {
                for (number, Fault { line, what }) in faults.iter().enumerate() {
                    let path = path.display();
                    let begin = if number == 0 { "" } else { "\n" };
                    match line {
                        Some(line) => write!(f, "{begin}{path} line {line}: {what}")?,
                        None => write!(f, "{begin}{path}: {what}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {}
