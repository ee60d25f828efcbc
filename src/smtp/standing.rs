//! Where a server session stands: what was agreed on, what is due, what was said and not yet sent, and what the peer
//! has done wrong so far. The answers to what was asked are taken here.

use super::ask::Answer;
use super::command::Command;
use super::message::Message;
use super::recipient::Recipient;
use super::reply::{Enhanced, Reply};
use super::session::{Role, Session, Setup};
use super::transaction::Transaction;
use crate::base::{Timestamp, TlsFacts};
use crate::sasl::Exchange;
use std::time::Duration;

/// Everything of a session but its input and its clock.
#[derive(Debug)]
pub struct Standing {
    /// What is known of the connection.
    pub session: Session,
    /// What MAIL and RCPT have agreed on.
    pub transaction: Option<Transaction>,
    /// What is due.
    pub state: State,
    /// What was said and is not sent yet.
    pub replies: Vec<u8>,
    bad_commands: u32,
    unknown_recipients: u32,
    failed_logins: u32,
}

/// What is due.
#[derive(Debug)]
pub enum State {
    /// Nothing has been said.
    Fresh,
    /// A command is due.
    Command,
    /// This command is to be run.
    Due(Command),
    /// In a line that is too long; said at its end.
    Overlong(Reply),
    /// An answer to a challenge is due.
    Login(Exchange),
    /// A message is due.
    Message(Message),
    /// An answer of ours is due.
    Asked(Question),
    /// A reply is held back for so long.
    Slow(Duration, Reply, After),
    /// A reply is held back until then.
    Held(Timestamp, Reply, After),
    /// TLS is due.
    Handshake,
    /// Nothing is due any more.
    Closed,
}

/// What comes after a reply that was held back.
#[derive(Debug, Clone, Copy)]
pub enum After {
    /// The next command.
    Command,
    /// This is said and the session ends.
    Close(&'static str),
}

/// What the answer that is due is about.
#[derive(Debug)]
pub enum Question {
    /// Who is it?
    Login,
    /// What is known of a name?
    Secrets(Exchange),
    /// May it send?
    Sender(Transaction),
    /// Do we take mail for this one?
    Recipient(Recipient),
    /// May the message begin?
    Begin(Message),
    /// Was the piece written?
    Write(Message),
    /// Is the message safe?
    Commit,
    /// The rest of a refused message is drained after this.
    Drain(Message),
    /// This command is run after what has come of a message is forgotten.
    Forget(Command),
    /// The session is over after this.
    Leave,
}

impl Standing {
    /// At the start.
    pub fn new(setup: Setup) -> Self {
        let login = setup.login.clone();
        Self {
            session: Session { setup, greeting: None, tls: None, login, now: Timestamp::default() },
            transaction: None,
            state: State::Fresh,
            replies: Vec::new(),
            bad_commands: 0,
            unknown_recipients: 0,
            failed_logins: 0,
        }
    }

    /// Says it; after a 421 the session is over (RFC 5321 §3.8).
    pub fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.replies);
        if reply.code() == 421 {
            self.state = State::Closed;
        }
    }

    /// Says why and ends the session.
    pub fn leave(&mut self, enhanced: Enhanced, text: &'static str) {
        self.say(&Reply::new(421, enhanced, text));
    }

    /// Says it and counts it; the next command is due.
    pub fn fault(&mut self, reply: &Reply) {
        self.state = State::Command;
        self.bad_commands += 1;
        if self.bad_commands >= self.session.setup.limits.bad_commands_max {
            self.leave(Enhanced(4, 7, 0), "Too many bad commands");
        } else {
            self.say(reply);
        }
    }

    /// Says how it ended; the next command is due.
    pub fn end_transaction(&mut self, reply: &Reply) {
        self.transaction = None;
        self.state = State::Command;
        self.say(reply);
    }

    /// Says how a message ended, by LMTP once for each recipient (RFC 2033 §4.2 and §4.3); the next command is due.
    pub fn end_message(&mut self, reply: &Reply) {
        let count = match (self.session.setup.role, &self.transaction) {
            (Role::Lmtp, Some(transaction)) => transaction.recipients.len(),
            (Role::Lmtp, None) | (Role::Relay { .. } | Role::Submission(_) | Role::Local, _) => 1,
        };
        self.transaction = None;
        self.state = State::Command;
        for _ in 0..count {
            self.say(reply);
        }
    }

    /// Says of each recipient how a message ended.
    fn end_message_for_each(&mut self, mut refused: Vec<Option<Reply>>) {
        let recipients = self.transaction.take().map_or(0, |begun| begun.recipients.len());
        refused.resize_with(recipients, || {
            Some(Reply::new(451, Enhanced(4, 3, 0), "We have a fault here; try later"))
        });
        for refused in refused {
            // The replies to the others are still to come.
            self.say(&refused.map_or_else(safe, Reply::without_farewell));
        }
    }

    /// A chunk has come, and more are to follow. Those of a refused message are all answered alike (RFC 3030 §2).
    pub fn end_chunk(&mut self, message: Message, reply: &Reply) {
        self.state = State::Command;
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(message);
        }
        self.say(reply);
    }

    /// True between two chunks of a message that was not refused.
    pub fn is_in_chunks(&self) -> bool {
        let chunks = self.transaction.as_ref().and_then(|transaction| transaction.chunks.as_ref());
        chunks.is_some_and(Message::is_wanted)
    }

    /// Takes the answer to `question`.
    pub fn answer(&mut self, question: Question, answer: Answer) {
        self.state = State::Command;
        match (question, answer) {
            (Question::Login, Answer::LoggedIn(login)) => {
                self.session.login = Some(login);
                self.say(&Reply::new(235, Enhanced(2, 7, 0), "Logged in"));
            }
            (Question::Commit, Answer::Each(refused)) => self.end_message_for_each(refused),
            (question, Answer::Refuse(reply)) => self.refused(question, reply),
            (
                question,
                Answer::Accept | Answer::LoggedIn(_) | Answer::Secrets(_) | Answer::Each(_),
            ) => self.accepted(question),
        }
    }

    fn accepted(&mut self, question: Question) {
        self.state = State::Command;
        match question {
            // Only `LoggedIn` logs in: an `Accept` without an account is nobody's.
            Question::Login | Question::Secrets(_) => {
                self.say(&Reply::new(454, Enhanced(4, 7, 0), "Login failed; try later"));
            }
            Question::Sender(transaction) => {
                self.transaction = Some(transaction);
                self.say(&Reply::new(250, Enhanced(2, 1, 0), "Sender taken"));
            }
            Question::Recipient(recipient) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients.push(recipient);
                }
                self.say(&Reply::new(250, Enhanced(2, 1, 5), "Recipient taken"));
            }
            Question::Begin(message) => {
                if !message.is_chunked() {
                    self.say(&Reply::plain(354, "Go on; end with <CRLF>.<CRLF>"));
                }
                self.state = State::Message(message);
            }
            Question::Write(message) => self.state = State::Message(message),
            Question::Commit => self.end_message(&safe()),
            Question::Drain(message) => self.state = State::Message(message),
            Question::Forget(command) => self.state = State::Due(command),
            Question::Leave => self.state = State::Closed,
        }
    }

    fn refused(&mut self, question: Question, reply: Reply) {
        match question {
            Question::Login | Question::Secrets(_) => self.refused_login(reply),
            Question::Recipient(_) => self.refused_recipient(reply),
            Question::Begin(message) if !message.is_chunked() => self.end_transaction(&reply),
            Question::Sender(_) => self.end_transaction(&reply),
            Question::Commit => self.end_message(&reply),
            Question::Begin(mut message) | Question::Write(mut message) => {
                message.refuse(reply);
                self.state = State::Message(message);
            }
            Question::Drain(message) => self.state = State::Message(message),
            Question::Forget(command) => self.state = State::Due(command),
            Question::Leave => self.state = State::Closed,
        }
    }

    fn refused_login(&mut self, reply: Reply) {
        self.state = State::Command;
        if reply.code() != 535 {
            self.say(&reply);
            return;
        }
        self.failed_logins += 1;
        let limits = &self.session.setup.limits;
        let after = if self.failed_logins >= limits.failed_logins_max {
            After::Close("Too many failed logins")
        } else {
            After::Command
        };
        self.state = State::Slow(limits.failed_login_wait, reply, after);
    }

    fn refused_recipient(&mut self, reply: Reply) {
        self.state = State::Command;
        // The server before us does not guess addresses: it hands on what others guessed.
        let lmtp = self.session.setup.role == Role::Lmtp;
        if lmtp || reply.enhanced() != Some(Enhanced(5, 1, 1)) {
            self.say(&reply);
            return;
        }
        self.unknown_recipients += 1;
        let limits = &self.session.setup.limits;
        if self.unknown_recipients >= limits.unknown_recipients_max {
            self.leave(Enhanced(4, 7, 0), "Too many unknown recipients");
        } else if self.unknown_recipients > limits.unknown_recipients_free {
            self.state = State::Slow(limits.unknown_recipient_wait, reply, After::Command);
        } else {
            self.say(&reply);
        }
    }

    /// TLS stands. After STARTTLS what was learnt before counts no more, and there is no second greeting
    /// (RFC 3207 §4.2).
    pub fn secured(&mut self, tls: TlsFacts) {
        self.session.tls = Some(tls);
        if let State::Handshake = self.state {
            self.session.greeting = None;
            self.session.login = None;
            self.transaction = None;
            self.state = State::Command;
        }
    }
}

/// Said only when it is on the disk.
fn safe() -> Reply {
    Reply::new(250, Enhanced(2, 0, 0), "Message is safe")
}
