//! `state.db`: the people of the box, their addresses and their devices. SQLite, durable at each answer; it is the only
//! copy, so it is never made anew by itself.

mod people;

pub use people::{Device, LoggedIn, Person, Registry, RegistryError};
