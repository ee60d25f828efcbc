//! The table of SMTP extensions (RFC 5321 §2.2): what EHLO announces and which parameters MAIL takes are read off it.

use super::parameter::{self, MailParameters};
use super::session::Session;
use crate::sasl::offered;

/// Sets what a parameter says; `None` if its value is none.
pub type SetParameter = fn(&mut MailParameters, &[u8]) -> Option<()>;

/// A row.
pub struct Extension {
    /// The EHLO keyword.
    pub keyword: &'static str,
    /// The parameters behind the keyword, each after a blank; `None` while the extension is not to be used.
    pub announce: fn(&Session) -> Option<String>,
    /// The parameter's name and what it does.
    pub mail_parameter: Option<(&'static str, SetParameter)>,
}

/// All that we can.
const EXTENSIONS: &[Extension] = &[
    // RFC 2920
    Extension { keyword: "PIPELINING", announce: |_| Some(String::new()), mail_parameter: None },
    // RFC 1870
    Extension {
        keyword: "SIZE",
        announce: |session| Some(format!(" {}", session.setup.limits.message_size_max)),
        mail_parameter: Some(("SIZE", parameter::size)),
    },
    // RFC 6152
    Extension {
        keyword: "8BITMIME",
        announce: |_| Some(String::new()),
        mail_parameter: Some(("BODY", parameter::body)),
    },
    // RFC 3030
    Extension { keyword: "CHUNKING", announce: |_| Some(String::new()), mail_parameter: None },
    // RFC 3030 §3; its word stands in BODY, which the row of 8BITMIME has.
    Extension { keyword: "BINARYMIME", announce: |_| Some(String::new()), mail_parameter: None },
    // RFC 9422. There is no MAILMAX: a session may bring as many messages as it likes.
    Extension {
        keyword: "LIMITS",
        announce: |session| Some(format!(" RCPTMAX={}", session.setup.limits.recipients_max)),
        mail_parameter: None,
    },
    // RFC 6531
    Extension {
        keyword: "SMTPUTF8",
        announce: |_| Some(String::new()),
        mail_parameter: Some(("SMTPUTF8", parameter::smtputf8)),
    },
    // RFC 2034
    Extension {
        keyword: "ENHANCEDSTATUSCODES",
        announce: |_| Some(String::new()),
        mail_parameter: None,
    },
    // RFC 3207
    Extension {
        keyword: "STARTTLS",
        announce: |session| session.offers_start_tls().then(String::new),
        mail_parameter: None,
    },
    // RFC 4954
    Extension {
        keyword: "AUTH",
        announce: |session| {
            let names = offered(session.tls.as_ref());
            session.offers_auth().then(|| names.fold(String::new(), |all, name| all + " " + name))
        },
        mail_parameter: Some(("AUTH", parameter::auth)),
    },
];

/// The lines of the EHLO reply after the first.
pub fn announced(session: &Session) -> impl Iterator<Item = String> {
    let row = |row: &Extension| Some(row.keyword.to_owned() + &(row.announce)(session)?);
    EXTENSIONS.iter().filter_map(row)
}

/// What the MAIL parameter of that name does.
pub fn mail_parameter(name: &[u8]) -> Option<SetParameter> {
    let parameters = EXTENSIONS.iter().filter_map(|row| row.mail_parameter);
    parameters
        .into_iter()
        .find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name))
        .map(|(_, set)| set)
}
