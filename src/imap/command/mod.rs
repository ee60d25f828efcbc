//! The commands: a row each in `table`, a file each for what they do.

mod action;
pub mod append;
mod authenticate;
mod capability;
mod close;
mod compress;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
mod fetch;
mod fetch_item;
mod fetch_message;
mod id;
mod idle;
mod list;
mod login;
mod logout;
mod namespace;
mod noop;
mod rename;
mod search;
mod search_answer;
mod search_key;
mod search_return;
mod search_text;
mod search_trial;
mod select;
mod starttls;
mod status;
mod store;
mod subscribe;
mod table;

pub use action::Action;
pub use table::{Row, When, capabilities, find};
