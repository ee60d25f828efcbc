//! `state.db`: the people of the box, their addresses and their devices. SQLite, durable at each answer; it is the only
//! copy, so it is never made anew by itself.

mod backup;
mod error;
mod leaving;
mod login;
mod onward;
mod paths;
mod people;
mod routes;
mod tls;

pub use error::RegistryError;
pub use leaving::Left;
pub use login::LoggedIn;
pub use onward::Forward;
pub use paths::PathRecord;
pub use people::{Device, Person, Registry, Standing};
pub use routes::{Alias, OurDomain};
pub use tls::{DayTally, KeptPolicy};
