//! Imports: the command reads the files, which only its own user may be able to, and hands each message to the server.

mod courier;
mod maildir;
mod mbox;
mod mbox_file;
mod text;

pub use courier::{Courier, Options};
pub use maildir::bring as bring_maildir;
pub use mbox::bring as bring_mbox;
