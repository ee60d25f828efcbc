//! One mail transaction (RFC 5321 §3.3): from MAIL to the end of DATA or the last BDAT. The envelope carries what a Received field
//! needs as well.

use super::message::Message;
use super::parameter::MailParameters;
use super::path::ForwardPath;
use super::session::{Greeting, Login, Role, Session};
use crate::base::TlsFacts;
use crate::mail::Address;
use crate::mail::trace::Protocol;
use std::net::IpAddr;

/// What has been agreed on so far.
#[derive(Debug)]
pub struct Transaction {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// Size and body type.
    pub parameters: MailParameters,
    /// Those that were accepted, in order; one may stand there twice.
    pub recipients: Vec<ForwardPath>,
    /// Between two chunks: what has come of the message.
    pub chunks: Option<Message>,
}

/// All that is known before the first byte of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// At least one.
    pub recipients: Vec<ForwardPath>,
    /// Size and body type as announced.
    pub parameters: MailParameters,
    /// The name of HELO or EHLO. Printable ASCII, otherwise anything may be in it.
    pub greeting: String,
    /// Who connected.
    pub peer: IpAddr,
    /// Of the port.
    pub role: Role,
    /// How it comes.
    pub protocol: Protocol,
    /// The TLS session.
    pub tls: Option<TlsFacts>,
    /// Who sends, on submission.
    pub login: Option<Login>,
}

impl Envelope {
    /// Of a transaction of this session.
    pub fn new(session: &Session, transaction: &Transaction) -> Self {
        let greeting = session.greeting.as_ref().map_or("", Greeting::name);
        Self {
            reverse_path: transaction.reverse_path.clone(),
            recipients: transaction.recipients.clone(),
            parameters: transaction.parameters,
            greeting: greeting.to_owned(),
            peer: session.setup.peer,
            role: session.setup.role,
            protocol: session.protocol(transaction.parameters.demands.letters),
            tls: session.tls.clone(),
            login: session.login.clone(),
        }
    }
}
