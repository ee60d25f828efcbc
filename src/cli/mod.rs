//! The command line: the only reader of argv. Data goes to stdout, talk to stderr; no password is ever an argument.

mod attempt;
mod command;
mod device_add;
mod device_list;
mod device_revoke;

mod alias_add;
mod alias_list;
mod alias_rm;
mod dkim_list;
mod dkim_rotate;
mod dns_zone;
mod domain_add;
mod domain_list;
mod domain_rm;
mod export;
mod export_folder;
mod import;
mod import_maildir;
mod import_mbox;
mod progress;
mod queue_drop;
mod queue_hold;
mod queue_list;
mod queue_retry;
mod queue_show;
mod sendmail;
mod sendmail_words;
mod serve;
mod server;
mod show;
mod status;
mod user_add;
mod user_list;
mod user_rm;
mod user_set;
mod version;
mod words;
mod zone_text;

pub use words::main;
