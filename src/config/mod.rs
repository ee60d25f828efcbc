//! `pillarbox.toml`: the few settings of a box that runs for real. What it can find out itself is not a setting. Whoever
//! administers the box writes it, so every fault names its line and says what was expected.

mod error;
mod keys;
mod near;
mod providers;
mod settings;

pub use error::{ConfigError, Fault};
pub use settings::{DEFAULT_PATH, Settings, Smarthost, TlsFiles};
