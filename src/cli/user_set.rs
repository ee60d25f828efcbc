//! `pillarbox user set`: someone may log in, or not, and how much mail they may have.

use super::command::{Command, Stop};
use super::server::Server;
use super::show;
use crate::daemon::{Kept, MessageQuota, Quota, Request, User};
use argh::FromArgs;
use std::path::PathBuf;

/// Let someone log in, or not any more; mail comes in either way.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "user set")]
pub struct UserSet {
    /// an address of theirs
    #[argh(positional)]
    address: String,
    /// no login, and sessions end
    #[argh(switch)]
    disable: bool,
    /// logins work again
    #[argh(switch)]
    enable: bool,
    /// how much mail they may have: 500M, 20G, or none for as much as the disk holds
    #[argh(option)]
    quota: Option<String>,
    /// how many messages they may have: 50000, or none for any number
    #[argh(option)]
    quota_messages: Option<String>,
    /// a server behind this one that keeps their mail, by where it listens for LMTP: 192.0.2.7:24, /run/dovecot/lmtp; or
    /// none for a mailbox here
    #[argh(option)]
    lmtp: Option<String>,
    /// print one line of JSON
    #[argh(switch)]
    json: bool,
    /// the settings of the server (default: /etc/pillarbox/pillarbox.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// instead: the folder of a server that was started by `try`
    #[argh(option)]
    dir: Option<PathBuf>,
}

impl Command for UserSet {
    fn run(self) -> Result<(), Stop> {
        let quota = self.quota.as_deref().map(quota).transpose()?;
        let message_quota = self.quota_messages.as_deref().map(message_quota).transpose()?;
        let kept = self.lmtp.map(|server| match server.as_str() {
            "none" => Kept::Here,
            _ => Kept::Behind(server),
        });
        let changes = quota.is_some() || message_quota.is_some() || kept.is_some();
        let enabled = match (self.enable, self.disable) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            (false, false) if changes => None,
            _ => {
                let text =
                    "say --enable or --disable, or give a --quota, --quota-messages or --lmtp";
                return Err(Stop::Usage(text.to_owned()));
            }
        };
        let request =
            Request::UserSet { address: self.address, enabled, quota, message_quota, kept };
        let server = Server::find(self.config.as_deref(), self.dir.as_deref())?;
        let done: User = server.ask(&request)?;
        if self.json {
            return show::json(&done);
        }
        let name = done.addresses.first().cloned().unwrap_or_default();
        let login = match done.enabled {
            true => "may log in",
            false => "may not log in; mail is kept and still comes in",
        };
        let room = match done.quota {
            Some(quota) => format!("has {} of {}", show::size(done.used), show::size(quota)),
            None => format!("has {}, as much as the disk holds", show::size(done.used)),
        };
        let messages = match done.message_quota {
            Some(quota) => format!("in {} messages of {quota}", done.messages),
            None => format!("in {} messages", done.messages),
        };
        let behind =
            done.lmtp.map(|server| format!("; new mail is kept by {server}")).unwrap_or_default();
        show::talk(&format!("{name} {login}, {room}, {messages}{behind}"));
        Ok(())
    }
}

/// `500M`, `20G`, `1T`, a number of bytes, or `none`.
fn quota(text: &str) -> Result<Quota, Stop> {
    if text == "none" {
        return Ok(Quota::None);
    }
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit =
        units.iter().find(|(letter, _)| text.ends_with([*letter, letter.to_ascii_lowercase()]));
    let (digits, shift) = match unit {
        Some((_, shift)) => (text.get(..text.len() - 1).unwrap_or_default(), *shift),
        None => (text, 0),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.map(Quota::Bytes).ok_or_else(|| {
        Stop::Usage(format!("{text} is no quota: 500M, 20G, a number of bytes, or none"))
    })
}

/// A number of messages, or `none`.
fn message_quota(text: &str) -> Result<MessageQuota, Stop> {
    if text == "none" {
        return Ok(MessageQuota::None);
    }
    text.parse().map(MessageQuota::Messages).map_err(|_| {
        Stop::Usage(format!("{text} is no number of messages: 50000, or none for any number"))
    })
}

#[cfg(test)]
mod tests {
    use super::{MessageQuota, Quota, message_quota, quota};

    #[test]
    fn quotas_have_units() {
        let bytes = |text: &str| match quota(text) {
            Ok(Quota::Bytes(bytes)) => Some(bytes),
            Ok(Quota::None) | Err(_) => None,
        };
        assert_eq!(bytes("20G"), Some(20 << 30));
        assert_eq!(bytes("500m"), Some(500 << 20));
        assert_eq!(bytes("123"), Some(123));
        assert!(matches!(quota("none"), Ok(Quota::None)));
        for bad in ["", "G", "-1", "1.5G", "99999999999T", "1GB"] {
            assert!(quota(bad).is_err(), "{bad}");
        }
        assert!(matches!(message_quota("50000"), Ok(MessageQuota::Messages(50000))));
        assert!(matches!(message_quota("none"), Ok(MessageQuota::None)));
        assert!(message_quota("5K").is_err() && message_quota("-1").is_err());
    }
}
