//! Where a recipient's mail goes next, and by which way it leaves.

use super::smarthost::Smarthost;
use crate::base::Endpoint;
use crate::mail::{Domain, TlsDemand};
use std::fmt;

/// What one session is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Who takes it.
    pub to: To,
    /// Who hears if it fails. What nobody waits for has few sessions: strangers can make us send notices.
    pub hears: Hears,
    /// How it must cross: sessions for what must cross safely, and for what need not, are others.
    pub tls: TlsDemand,
}

/// Does anybody hear of a failure?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hears {
    /// Its sender.
    Sender,
    /// Nobody: it is a notice, or a report.
    Nobody,
}

/// Who takes mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum To {
    /// The servers of a domain, by MX.
    Domain(Domain),
    /// The smarthost.
    Smarthost,
    /// A server behind us, by LMTP.
    Behind(Endpoint),
    /// Mailboxes here.
    Here,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            To::Domain(domain) => domain.fmt(f),
            To::Smarthost => f.write_str("smarthost"),
            To::Behind(server) => server.fmt(f),
            To::Here => f.write_str("here"),
        }
    }
}

/// Does the way straight to other servers (port 25) work?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Straight {
    /// As far as is known.
    Open,
    /// Nothing answers there, whomever we try.
    Shut,
}

/// After so many failures a message goes by the smarthost that stands by.
const FALLBACK_AFTER: u32 = 3;

/// Who takes the mail of a domain that is not ours, after so many tries.
pub fn out(smarthost: Option<&Smarthost>, domain: &Domain, tries: u32, straight: Straight) -> To {
    let by_it = smarthost.is_some_and(|smarthost| {
        let stands_by =
            smarthost.fallback && (tries >= FALLBACK_AFTER || straight == Straight::Shut);
        smarthost.takes_all() || smarthost.domains.contains(domain) || stands_by
    });
    if by_it { To::Smarthost } else { To::Domain(domain.clone()) }
}

#[cfg(test)]
mod tests {
    use super::{Domain, Smarthost, Straight, To, out};

    #[test]
    fn all_of_it_some_domains_or_what_fails() {
        let domain = |text: &str| Domain::parse(text).unwrap();
        let goes = |smarthost: &Smarthost, to: &str, tries, straight| {
            out(Some(smarthost), &domain(to), tries, straight) == To::Smarthost
        };
        let smarthost = |domains: &[&str], fallback| Smarthost {
            name: domain("smart.example"),
            port: 465,
            login: None,
            domains: domains.iter().map(|text| domain(text)).collect(),
            fallback,
        };
        let (open, shut) = (Straight::Open, Straight::Shut);
        let all = smarthost(&[], false);
        assert!(goes(&all, "a.example", 0, open));
        let some = smarthost(&["a.example"], false);
        assert!(goes(&some, "a.example", 0, open) && !goes(&some, "b.example", 9, shut));
        let last = smarthost(&[], true);
        assert!(!goes(&last, "a.example", 2, open) && goes(&last, "a.example", 3, open));
        assert!(goes(&last, "a.example", 0, shut));
        let both = smarthost(&["a.example"], true);
        assert!(goes(&both, "a.example", 0, open) && !goes(&both, "b.example", 0, open));
        assert_eq!(out(None, &domain("a.example"), 9, shut), To::Domain(domain("a.example")));
    }
}
