//! Pillarbox, a mail server for a home. This is the map: the floors from the ground up. Imports point down only,
//! never sideways between folders; `tests/tidy.rs` holds that.
#![deny(unsafe_code)]

/// Floor 1: what every other floor stands on.
pub mod base;

/// Floor 2: what DNS says: names, records, what is known and what is missing.
pub mod dns;
/// Floor 2: what mail is made of: addresses, header fields, dates, MIME structure, and the card of a message.
pub mod mail;
/// Floor 2: a Maildir on the disk: names, the account's texts, the change log.
pub mod maildir;
/// Floor 2: who is it: SASL exchanges, device passwords, password hashes.
pub mod sasl;

/// Floor 3: sockets, TLS and the clock; drives the machines.
pub mod net;
/// Floor 3: `state.db`: people, addresses, devices.
pub mod registry;
/// Floor 3: SMTP: what a server session says and asks.
pub mod smtp;
/// Floor 3: the queue on the disk: what is to leave, until it has.
pub mod spool;
/// Floor 3: one account's mail: memory state, index, cards, changes.
pub mod store;

/// Floor 3: is a message from whom it says: DKIM.
pub mod verify;

/// Floor 4: IMAP: what a session says, and the work of each command on the store.
pub mod imap;

/// Floor 4: the files of the DKIM keys, and when keys change over.
pub mod keyring;

/// Floor 4: POP3: a session on INBOX as it was at the login.
pub mod pop3;

/// Floor 4: what DNS records the box ought to have.
pub mod selfcheck;

/// Floor 6: workflows: a message arrives, a program logs in.
pub mod service;

/// Between the floors 6 and 7: `pillarbox.toml`, for those who start the box.
pub mod config;

/// Floor 7: takes the lock, opens the stores, binds the ports, stops in order.
pub mod daemon;

/// Floor 8: the command line.
pub mod cli;
