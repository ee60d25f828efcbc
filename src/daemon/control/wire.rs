//! What is said over the control socket. Both ends are this program, perhaps in two versions.

use crate::selfcheck::Tier;
use crate::service::Pace;
use crate::verify::dkim::Standing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Bytes of a request with its line's end.
pub const REQUEST_LEN_MAX: usize = 4096;
/// Bytes of an answer with its line's end.
pub const ANSWER_LEN_MAX: usize = 4 << 20;

/// What the server is asked to do. An address is a person's, in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the variants and fields are the commands' own words")]
pub enum Request {
    Status,
    UserList,
    UserAdd {
        address: String,
    },
    UserRemove {
        address: String,
    },
    DeviceList {
        user: String,
    },
    DeviceAdd {
        user: String,
        name: Option<String>,
    },
    DeviceRevoke {
        user: String,
        id: i64,
    },
    AliasList,
    AliasAdd {
        alias: String,
        user: String,
    },
    AliasRemove {
        alias: String,
        user: Option<String>,
    },
    DomainList,
    DomainAdd {
        domain: String,
        catch_all: Option<String>,
        lmtp: Option<String>,
    },
    DomainRemove {
        domain: String,
    },
    UserSet {
        address: String,
        enabled: Option<bool>,
        quota: Option<Quota>,
        message_quota: Option<MessageQuota>,
        kept: Option<Kept>,
    },
    /// Without a domain: of all.
    DkimList {
        domain: Option<String>,
    },
    DkimRotate {
        domain: String,
        pace: Pace,
    },
    /// Without a domain: of all.
    DnsZone {
        domain: Option<String>,
    },
    QueueList,
    QueueShow {
        id: String,
    },
    /// Without a name, all that are not held. The answer is a number.
    QueueRetry {
        id: Option<String>,
    },
    QueueHold {
        id: String,
    },
    QueueDrop {
        id: String,
    },
    /// The answer is an account's number; then the connection goes on as an import (`ImportStep`).
    Import {
        user: String,
        way: ImportWay,
    },
    /// The same with an export (`ExportStep`).
    Export {
        user: String,
    },
}

/// What an import does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportWay {
    /// Takes what is not there.
    Take,
    /// Takes also what was imported before and is not in its mailbox any more.
    TakeAgain,
    /// Changes nothing.
    Try,
}

/// What the server says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done; the value is one of the types below.
    Done(serde_json::Value),
    /// Not done: it may not be, or there is nothing to do it to.
    Refused(String),
    /// Not done, or not wholly: a fault of the machine.
    Failed(String),
}

/// Of `UserAdd`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct UserAdded {
    pub account: u32,
    pub address: String,
}

/// One of the list that answers `UserList`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct User {
    pub account: u32,
    pub addresses: Vec<String>,
    /// How many there are.
    pub devices: usize,
    /// May the person log in?
    pub enabled: bool,
    /// Bytes of mail that the person may have; none: as the disk has room.
    pub quota: Option<u64>,
    /// Bytes of mail that the person has.
    pub used: u64,
    /// Messages that the person may have; none: any number.
    pub message_quota: Option<u64>,
    /// Messages that the person has.
    pub messages: u64,
    /// The server behind us that keeps the person's mail.
    pub lmtp: Option<String>,
}

/// How much mail someone may have.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// As the disk has room.
    None,
    /// So many bytes.
    Bytes(u64),
}

/// How many messages someone may have.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageQuota {
    /// Any number.
    None,
    /// So many.
    Messages(u64),
}

/// Where someone's mail is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// In a mailbox here.
    Here,
    /// By a server behind us, that listens there.
    Behind(String),
}

/// One of the list that answers `AliasList`; what `AliasAdd` and `AliasRemove` leave.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct AliasTo {
    pub alias: String,
    pub users: Vec<String>,
}

/// One of the list that answers `DomainList`; what `DomainAdd` and `DomainRemove` were about.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct DomainRow {
    pub domain: String,
    pub catch_all: Option<String>,
    /// The server behind us that keeps the mail of those whom nobody here is.
    pub lmtp: Option<String>,
    /// It stands in the settings, so that no command removes it.
    pub in_settings: bool,
}

/// One of the list that answers `DkimList` and `DkimRotate`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct DkimKey {
    pub domain: String,
    pub selector: String,
    /// As `a=` says it.
    pub algorithm: String,
    pub standing: Standing,
    /// Seconds since 1970.
    pub since: i64,
    /// When it goes on by itself, seconds since 1970.
    pub until: Option<i64>,
    /// Where its record stands.
    pub name: String,
    /// The text of its TXT record, whole.
    pub text: String,
}

/// One of the list that answers `DnsZone`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct Zone {
    pub domain: String,
    pub host: String,
    /// Those that matter most first.
    pub records: Vec<ZoneRecord>,
}

/// A record that ought to be there.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct ZoneRecord {
    pub tier: Tier,
    /// In full, without a dot at its end.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// As a zone file has it; none for an address that is not known.
    pub data: Option<String>,
    /// Of a TXT record: its text, whole.
    pub text: Option<String>,
    pub about: String,
}

/// Of `UserRemove`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct UserRemoved {
    pub account: u32,
    pub addresses: Vec<String>,
    /// How many were revoked.
    pub devices: usize,
    /// Where the mail lies now.
    pub mail: PathBuf,
}

/// One of the list that answers `DeviceList`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct Device {
    pub id: i64,
    pub name: String,
    /// Seconds since 1970.
    pub added: i64,
    /// Seconds since 1970, to the hour.
    pub used: Option<i64>,
}

/// Of `DeviceAdd`.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct NewDevice {
    pub id: i64,
    pub name: String,
    /// Shown this once.
    pub password: String,
}

/// Of `DeviceRevoke`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct Revoked {
    pub id: i64,
}

/// Of `Status`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct Status {
    pub version: String,
    pub pid: u32,
    /// Seconds since 1970.
    pub started: i64,
    pub data: PathBuf,
    pub host: String,
    pub ports: Vec<PortAt>,
    pub users: usize,
    pub devices: usize,
    /// Connections, those that have not logged in as well.
    pub sessions: usize,
    pub free_bytes: u64,
    /// By which ways mail leaves.
    pub paths: Vec<PathShown>,
}

/// A way by which mail leaves.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct PathShown {
    /// `straight`, `smarthost` or `lmtp`.
    pub path: String,
    /// To the hour, seconds since 1970.
    pub worked: Option<i64>,
    /// The same.
    pub failed: Option<i64>,
    /// Why it failed then.
    pub why: Option<String>,
}

/// Where something listens.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct PortAt {
    pub name: String,
    /// An address with a port, or a socket's path.
    pub address: String,
}

/// One of the list that answers `QueueList`; alone it answers `QueueShow`, `QueueHold` and `QueueDrop`.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct QueuedMessage {
    pub id: String,
    /// None: a notice of ours.
    pub from: Option<String>,
    /// Seconds since 1970.
    pub arrived: i64,
    /// Bytes.
    pub size: u64,
    pub held: bool,
    /// Seconds since 1970; none: it is being tried, or held.
    pub next: Option<i64>,
    pub recipients: Vec<QueuedRecipient>,
    /// Of `QueueShow` alone.
    pub tries: Vec<QueuedTry>,
}

/// Of a message in the queue.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct QueuedRecipient {
    pub address: String,
    /// Handed on, or given up.
    pub done: bool,
    /// The last time, seconds since 1970.
    pub tried: Option<i64>,
    /// The server that answered.
    pub host: Option<String>,
    /// What it said, or what was wrong.
    pub result: Option<String>,
}

/// A try.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as their names say")]
pub struct QueuedTry {
    /// Seconds since 1970.
    pub at: i64,
    pub to: Vec<String>,
    /// The server that answered.
    pub host: Option<String>,
    /// What it said, or what was wrong.
    pub result: String,
}
