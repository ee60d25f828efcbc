//! What a server knows of one connection: how it was set up, and what it has learnt of the peer so far.

use super::limits::Limits;
use crate::base::{AccountId, ClearText, StartTls, Timestamp, TlsFacts};
use crate::mail::Domain;
use crate::mail::Letters;
use crate::mail::trace::Protocol;
use std::net::IpAddr;

/// Given once, when the connection is taken.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our name, as the greeting says it.
    pub host: Domain,
    /// Who connected.
    pub peer: IpAddr,
    /// What this port is for.
    pub role: Role,
    /// Whether STARTTLS is there.
    pub start_tls: StartTls,
    /// Who it is, where the connection itself says so (`Role::Local`).
    pub login: Option<Login>,
    /// What the session may cost.
    pub limits: Limits,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Port 25: other servers bring mail for us. Nobody logs in.
    Relay {
        /// Where people log in: named to those who try it here.
        submission_port: u16,
    },
    /// Ports 465 and 587: our own people send (RFC 6409). Mail only after a login.
    Submission(ClearText),
    /// LMTP (RFC 2033): a server that stands before us hands on what it took for us, and hears of each recipient apart.
    /// Nobody logs in: who may connect is for the listener to say.
    Lmtp,
    /// A program on this machine sends as the user that runs it, whom the kernel names.
    Local,
}

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Whose mail it is; `None`: a user of this machine who has none.
    pub account: Option<AccountId>,
    /// The name for logs, as the account has it, not as it was typed.
    pub name: String,
    /// By which device; `None`: by none of a person's.
    pub device: Option<i64>,
}

/// How the peer introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// HELO.
    Helo(String),
    /// EHLO.
    Ehlo(String),
    /// LHLO.
    Lhlo(String),
}

impl Greeting {
    /// The name it gave. Printable ASCII, otherwise anything may be in it.
    pub fn name(&self) -> &str {
        match self {
            Self::Helo(name) | Self::Ehlo(name) | Self::Lhlo(name) => name,
        }
    }
}

/// The facts of a connection.
#[derive(Debug)]
pub struct Session {
    /// As it was set up.
    pub setup: Setup,
    /// The last HELO or EHLO; none before it and none again after STARTTLS.
    pub greeting: Option<Greeting>,
    /// Set once TLS stands.
    pub tls: Option<TlsFacts>,
    /// Set once a login succeeded.
    pub login: Option<Login>,
    /// The time of the last step.
    pub now: Timestamp,
}

impl Session {
    /// True if STARTTLS may be used now.
    pub fn offers_start_tls(&self) -> bool {
        self.tls.is_none() && self.setup.start_tls == StartTls::Offered
    }

    /// True if AUTH may be used now, apart from who is logged in already.
    pub fn offers_auth(&self) -> bool {
        match self.setup.role {
            Role::Relay { .. } | Role::Lmtp | Role::Local => false,
            Role::Submission(ClearText::Refused) => self.tls.is_some(),
            Role::Submission(ClearText::Allowed) => true,
        }
    }

    /// Are our own people at the other end?
    pub const fn is_submission(&self) -> bool {
        matches!(self.setup.role, Role::Submission(_))
    }

    /// True if mail is taken only after a login and there was none.
    pub fn lacks_login(&self) -> bool {
        match self.setup.role {
            Role::Relay { .. } | Role::Lmtp => false,
            Role::Submission(_) | Role::Local => self.login.is_none(),
        }
    }

    /// How a message of this session comes (RFC 3848, RFC 6531 §4.3).
    pub const fn protocol(&self, letters: Letters) -> Protocol {
        if matches!(self.setup.role, Role::Local) {
            return Protocol::Local;
        }
        match self.greeting {
            None | Some(Greeting::Helo(_)) => return Protocol::Smtp,
            Some(Greeting::Lhlo(_)) => return self.lmtp(letters),
            Some(Greeting::Ehlo(_)) => {}
        }
        match (letters, &self.tls, &self.login) {
            (Letters::Ascii, None, None) => Protocol::Esmtp,
            (Letters::Ascii, Some(_), None) => Protocol::Esmtps,
            (Letters::Ascii, None, Some(_)) => Protocol::Esmtpa,
            (Letters::Ascii, Some(_), Some(_)) => Protocol::Esmtpsa,
            (Letters::Utf8, None, None) => Protocol::Utf8Smtp,
            (Letters::Utf8, Some(_), None) => Protocol::Utf8Smtps,
            (Letters::Utf8, None, Some(_)) => Protocol::Utf8Smtpa,
            (Letters::Utf8, Some(_), Some(_)) => Protocol::Utf8Smtpsa,
        }
    }

    const fn lmtp(&self, letters: Letters) -> Protocol {
        match (letters, &self.tls) {
            (Letters::Ascii, None) => Protocol::Lmtp,
            (Letters::Ascii, Some(_)) => Protocol::Lmtps,
            (Letters::Utf8, None) => Protocol::Utf8Lmtp,
            (Letters::Utf8, Some(_)) => Protocol::Utf8Lmtps,
        }
    }
}
