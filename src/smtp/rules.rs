//! What each command does and in which order they may come (RFC 5321 §4.1.4, RFC 3030 §2, RFC 3207 §4, RFC 4954 §4, RFC 6409 §4.3).
//! The peer chooses the commands.

use super::ask::Ask;
use super::chunk::EndMarker;
use super::command::{Command, not_ascii, verbs};
use super::extension::announced;
use super::message::{Message, too_big};
use super::parameter::MailParameters;
use super::recipient::Recipient;
use super::reply::{Enhanced, Reply};
use super::session::{Greeting, Role, Session};
use super::transaction::{Envelope, Transaction};
use crate::base::Secret;
use crate::mail::{Address, Body, HOLD_MAX, Letters, TlsDemand};
use crate::sasl::{self, Exchange, Outcome};

/// What a command leads to.
#[derive(Debug)]
pub enum Next {
    /// Just this.
    Say(Reply),
    /// This, and it counts against the peer.
    Fault(Reply),
    /// A login begins.
    Login(Exchange, Outcome),
    /// Ask about this sender first.
    Sender(Ask, Transaction),
    /// Ask about this recipient first.
    Recipient(Ask, Recipient),
    /// Ask whether the message may begin.
    Begin(Ask, Message),
    /// The bytes of the next chunk, or of one that is not wanted.
    Chunk(Message),
    /// Say this, then TLS.
    StartTls(Reply),
    /// Say this, then close.
    Quit(Reply),
}

/// Runs a command. What it changes at once is changed; what must be asked for is left to the caller.
pub fn run(session: &mut Session, transaction: &mut Option<Transaction>, command: Command) -> Next {
    match command {
        Command::Hello(greeting) => {
            *transaction = None;
            hello(session, greeting)
        }
        Command::Mail(reverse_path, parameters) => {
            mail(session, transaction.as_ref(), reverse_path, parameters)
        }
        Command::Rcpt(recipient, letters) => {
            rcpt(session, transaction.as_ref(), recipient, letters)
        }
        Command::Data => data(session, transaction.as_ref()),
        Command::Bdat(size, end_marker) => bdat(session, transaction.as_mut(), size, end_marker),
        Command::Rset => {
            *transaction = None;
            Next::Say(Reply::new(250, Enhanced(2, 0, 0), "Reset"))
        }
        Command::Noop => Next::Say(Reply::new(250, Enhanced(2, 0, 0), "Yes")),
        Command::Quit => Next::Quit(Reply::new(221, Enhanced(2, 0, 0), "Bye")),
        Command::Vrfy if session.lacks_login() => Next::Say(login_first(session)),
        Command::Vrfy => {
            Next::Say(Reply::new(252, Enhanced(2, 5, 0), "Send to it and you will see"))
        }
        Command::Help => Next::Say(help()),
        Command::StartTls if has_chunks(transaction.as_ref()) => {
            out_of_order("Not within a message")
        }
        Command::StartTls => start_tls(session),
        Command::Auth(mechanism, initial) => {
            auth(session, transaction.as_ref(), &mechanism, initial.as_ref())
        }
    }
}

/// 503: a command that does not fit here.
fn out_of_order(text: &'static str) -> Next {
    Next::Say(Reply::new(503, Enhanced(5, 5, 1), text))
}

/// RFC 4954 §6, RFC 3207 §4.
fn login_first(session: &Session) -> Reply {
    let text = if session.offers_auth() {
        "Log in first (AUTH)"
    } else {
        "Start TLS first (STARTTLS), then log in"
    };
    Reply::new(530, Enhanced(5, 7, 0), text)
}

fn hello(session: &mut Session, greeting: Greeting) -> Next {
    let reply = Reply::plain(250, session.setup.host.to_string());
    let reply = match (session.setup.role, &greeting) {
        // RFC 2033 §4.1: so that neither end takes one protocol for the other.
        (Role::Lmtp, Greeting::Helo(_) | Greeting::Ehlo(_)) => {
            return Next::Fault(Reply::new(500, Enhanced(5, 5, 1), "This is LMTP; say LHLO"));
        }
        (Role::Relay { .. } | Role::Submission(_) | Role::Local, Greeting::Lhlo(_)) => {
            return Next::Fault(Reply::new(500, Enhanced(5, 5, 1), "This is SMTP; say EHLO"));
        }
        (Role::Relay { .. } | Role::Submission(_) | Role::Local, Greeting::Helo(_)) => reply,
        (_, Greeting::Ehlo(_) | Greeting::Lhlo(_)) => announced(session).fold(reply, Reply::line),
    };
    session.greeting = Some(greeting);
    Next::Say(reply)
}

fn help() -> Reply {
    let list = verbs().fold(String::new(), |all, verb| all + verb + " ");
    Reply::new(214, Enhanced(2, 0, 0), list.trim_end().to_owned()).line("See RFC 5321")
}

fn mail(
    session: &Session,
    transaction: Option<&Transaction>,
    reverse_path: Option<Address>,
    parameters: MailParameters,
) -> Next {
    let size_max = session.setup.limits.message_size_max;
    if session.greeting.is_none() {
        let lmtp = session.setup.role == Role::Lmtp;
        return out_of_order(if lmtp { "Say LHLO first" } else { "Say EHLO first" });
    }
    if session.lacks_login() {
        return Next::Say(login_first(session));
    }
    if transaction.is_some() {
        return out_of_order("There is a sender already; RSET starts again");
    }
    if parameters.size.is_some_and(|size| size > size_max) {
        return Next::Say(too_big(size_max));
    }
    // RFC 8689 §2: what must be safe has not been so until here.
    if parameters.demands.tls == TlsDemand::Required && session.tls.is_none() {
        let text = "REQUIRETLS is for sessions with TLS; say STARTTLS first";
        return Next::Say(Reply::new(530, Enhanced(5, 7, 10), text));
    }
    if let Some(release) = parameters.release {
        if !session.is_submission() {
            let text = "A message is held only for our own people";
            return Next::Say(Reply::new(555, Enhanced(5, 5, 4), text));
        }
        if release.at(session.now) > session.now + HOLD_MAX {
            let text = "No message is held for so long";
            return Next::Say(Reply::new(501, Enhanced(5, 5, 4), text));
        }
    }
    let ask = Ask::Sender {
        reverse_path: reverse_path.clone(),
        size: parameters.size,
        login: session.login.clone(),
    };
    let recipients = Vec::new();
    Next::Sender(ask, Transaction { reverse_path, parameters, recipients, chunks: None })
}

fn rcpt(
    session: &Session,
    transaction: Option<&Transaction>,
    recipient: Recipient,
    letters: Letters,
) -> Next {
    let Some(transaction) = transaction else {
        return if session.lacks_login() {
            Next::Say(login_first(session))
        } else {
            out_of_order("Say MAIL first")
        };
    };
    if transaction.chunks.is_some() {
        return out_of_order("The message has begun; no more recipients");
    }
    if letters == Letters::Utf8 && transaction.parameters.demands.letters == Letters::Ascii {
        return Next::Say(not_ascii(553));
    }
    let recipients_max = session.setup.limits.recipients_max;
    if transaction.recipients.len() >= recipients_max {
        let text = format!("Too many recipients; at most {recipients_max} for a message");
        return Next::Say(Reply::new(452, Enhanced(4, 5, 3), text));
    }
    let ask = Ask::Recipient {
        reverse_path: transaction.reverse_path.clone(),
        forward_path: recipient.path.clone(),
        size: transaction.parameters.size,
        login: session.login.clone(),
    };
    Next::Recipient(ask, recipient)
}

fn data(session: &Session, transaction: Option<&Transaction>) -> Next {
    let transaction = match ready(session, transaction) {
        Ok(transaction) => transaction,
        Err(reply) => return Next::Say(reply),
    };
    if transaction.chunks.is_some() {
        return out_of_order("This message comes by BDAT");
    }
    if transaction.parameters.demands.body == Body::BinaryMime {
        return out_of_order("BODY=BINARYMIME comes by BDAT");
    }
    let ask = Ask::Begin(Box::new(Envelope::new(session, transaction)));
    Next::Begin(ask, Message::lines())
}

/// Whatever is wrong, the bytes that follow are no commands: they are read first (RFC 3030 §2).
fn bdat(
    session: &Session,
    mut transaction: Option<&mut Transaction>,
    size: u64,
    end_marker: EndMarker,
) -> Next {
    if let Some(message) = transaction.as_mut().and_then(|begun| begun.chunks.take()) {
        return Next::Chunk(message.next_chunk(size, end_marker));
    }
    let mut message = Message::chunk(size, end_marker);
    match ready(session, transaction.as_deref()) {
        Ok(transaction) => {
            Next::Begin(Ask::Begin(Box::new(Envelope::new(session, transaction))), message)
        }
        Err(reply) => {
            message.refuse(reply);
            Next::Chunk(message)
        }
    }
}

/// The transaction if a message may come.
fn ready<'t>(
    session: &Session,
    transaction: Option<&'t Transaction>,
) -> Result<&'t Transaction, Reply> {
    match transaction {
        None if session.lacks_login() => Err(login_first(session)),
        None => Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first")),
        Some(transaction) if transaction.recipients.is_empty() => {
            // RFC 2033 §4.2 and RFC 5321 §3.3.
            let code = if session.setup.role == Role::Lmtp { 503 } else { 554 };
            Err(Reply::new(code, Enhanced(5, 5, 1), "No recipient was accepted"))
        }
        Some(transaction) => Ok(transaction),
    }
}

/// True between two chunks of a message, wanted or refused.
fn has_chunks(transaction: Option<&Transaction>) -> bool {
    transaction.is_some_and(|transaction| transaction.chunks.is_some())
}

/// True if what has come of a message is forgotten by this command.
pub const fn ends_transaction(command: &Command) -> bool {
    match command {
        Command::Hello(_) | Command::Rset | Command::Quit => true,
        Command::Mail(..)
        | Command::Rcpt(..)
        | Command::Data
        | Command::Bdat(..)
        | Command::Noop
        | Command::Vrfy
        | Command::Help
        | Command::StartTls
        | Command::Auth(..) => false,
    }
}

fn start_tls(session: &Session) -> Next {
    if session.offers_start_tls() {
        return Next::StartTls(Reply::new(220, Enhanced(2, 0, 0), "Go on with TLS"));
    }
    if session.tls.is_some() {
        return out_of_order("This is TLS already");
    }
    Next::Fault(Reply::new(502, Enhanced(5, 5, 1), "There is no TLS here"))
}

fn auth(
    session: &Session,
    transaction: Option<&Transaction>,
    mechanism: &[u8],
    initial: Option<&Secret<Vec<u8>>>,
) -> Next {
    if let Role::Relay { submission_port } = session.setup.role {
        let text =
            format!("No login on this port; people send mail through port {submission_port}");
        return Next::Fault(Reply::new(503, Enhanced(5, 5, 1), text));
    }
    if session.setup.role == Role::Lmtp {
        return Next::Fault(Reply::new(502, Enhanced(5, 5, 1), "Nobody logs in by LMTP"));
    }
    if session.login.is_some() {
        return out_of_order("You have logged in already");
    }
    if transaction.is_some() {
        return out_of_order("Not within a mail transaction");
    }
    if !session.offers_auth() {
        return Next::Fault(login_first(session));
    }
    let Some(row) = sasl::find(mechanism) else {
        return Next::Fault(Reply::new(504, Enhanced(5, 5, 4), "No such mechanism here"));
    };
    let (exchange, outcome) =
        Exchange::begin(row, initial.map(|text| text.reveal().as_slice()), session.tls.as_ref());
    Next::Login(exchange, outcome)
}
