//! The server end of an SMTP session (RFC 5321), for port 25 and for submission (RFC 6409). The peer controls all that
//! it receives; `rules` says what a command does, this file when it is read and how long it may take.

use super::ask::{Answer, Ask, News};
use super::command::{Command, CommandError, parse};
use super::message::{Message, Progress};
use super::reply::{Enhanced, Reply};
use super::rules::{Next, ends_transaction, run};
use super::session::{Role, Setup};
use super::standing::{After, Question, Standing, State};
use crate::base::{Input, Line, Machine, Output, Step, Timestamp, TlsFacts};
use crate::sasl::{EXCHANGE_LINE_MAX, Exchange, Failure, Outcome};

/// Replies to pipelined commands go out together, when nothing is left to do or when there are this many bytes.
const REPLIES_LEN: usize = 16 * 1024;

/// One session.
#[derive(Debug)]
pub struct Server {
    standing: Standing,
    input: Input,
    /// When the peer must have come further; set when we begin to wait for it.
    deadline: Option<Timestamp>,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Stopping,
}

/// What one round of work leads to.
enum Round {
    Again,
    Step(Step<Ask>),
}

/// What the input has of the next line.
enum Heard {
    /// All of it, without its line end.
    Line(Vec<u8>),
    /// A part, and more may come.
    Part,
    /// A part, and no more will come.
    Gone,
    /// All of it, and it is too long.
    Overlong,
    /// A part that is too long already.
    OverlongPart,
}

impl Server {
    /// A session that has just been connected.
    pub fn new(setup: Setup) -> Self {
        let (standing, input) = (Standing::new(setup), Input::default());
        Self { standing, input, deadline: None, life: Life::Running }
    }

    /// Works until there is a step. While a state is being worked on, the state is `Closed`: what returns without
    /// setting another one ends the session.
    fn round(&mut self, now: Timestamp) -> Round {
        if self.life == Life::Stopping && self.may_stop() {
            let text = "The server is stopping; try again in a minute";
            self.standing.leave(Enhanced(4, 3, 2), text);
        }
        self.standing.session.now = now;
        match std::mem::replace(&mut self.standing.state, State::Closed) {
            State::Fresh => {
                self.standing.state = State::Command;
                let setup = &self.standing.session.setup;
                let protocol = if setup.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
                let text = format!("{} {protocol} Pillarbox", setup.host);
                self.standing.say(&Reply::plain(220, text));
                Round::Again
            }
            State::Command => self.command(now),
            State::Due(command) => self.obey(command),
            State::Overlong(reply) => self.overlong(now, reply),
            State::Login(exchange) => self.login_line(now, exchange),
            State::Message(message) => self.message(now, message),
            State::Slow(wait, reply, after) => {
                self.standing.state = State::Held(now + wait, reply, after);
                Round::Again
            }
            State::Held(until, reply, after) => self.held(now, until, reply, after),
            State::Handshake => {
                self.standing.state = State::Handshake;
                Round::Step(Step::StartTls)
            }
            // The driver owes an answer; there is nothing to do before it.
            State::Asked(question) => self.wait(now, State::Asked(question)),
            State::Closed => Round::Step(Step::Close),
        }
    }

    fn may_stop(&self) -> bool {
        match self.standing.state {
            State::Command | State::Due(_) => !self.standing.is_in_chunks(),
            State::Fresh
            | State::Overlong(_)
            | State::Login(_)
            | State::Slow(..)
            | State::Held(..) => true,
            State::Message(_) | State::Asked(_) | State::Handshake | State::Closed => false,
        }
    }

    /// Waits for the peer in this state, or gives it up.
    fn wait(&mut self, now: Timestamp, state: State) -> Round {
        let idle_wait = self.standing.session.setup.limits.idle_wait;
        let until = *self.deadline.get_or_insert_with(|| now + idle_wait);
        if now < until {
            self.standing.state = state;
            return Round::Step(Step::Wait { until });
        }
        self.standing.leave(Enhanced(4, 4, 2), "Waited too long for you");
        self.forget(state)
    }

    /// The peer is gone or given up: a message that was begun is abandoned.
    fn forget(&mut self, state: State) -> Round {
        match state {
            State::Message(message) if message.is_wanted() => {
                self.ask(Ask::Abandon, Question::Leave)
            }
            _ if self.standing.is_in_chunks() => {
                self.standing.transaction = None;
                self.ask(Ask::Abandon, Question::Leave)
            }
            _ => Round::Again,
        }
    }

    fn ask(&mut self, ask: Ask, question: Question) -> Round {
        self.standing.state = State::Asked(question);
        Round::Step(Step::Ask(ask))
    }

    /// The next line; `max` counts its bytes without the line end.
    fn hear(&mut self, max: usize) -> Heard {
        match self.input.line(max + 1) {
            Line::Whole(mut line) => {
                self.deadline = None;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if line.len() <= max { Heard::Line(line) } else { Heard::Overlong }
            }
            Line::Partial if self.input.is_closed() => Heard::Gone,
            Line::Partial => Heard::Part,
            Line::TooLong => Heard::OverlongPart,
        }
    }

    /// Drops what is here of an overlong line.
    fn overlong(&mut self, now: Timestamp, reply: Reply) -> Round {
        if let Some(end) = self.input.rest().iter().position(|&b| b == b'\n') {
            self.input.consume(end + 1);
            self.deadline = None;
            self.standing.fault(&reply);
            return Round::Again;
        }
        self.input.clear();
        if self.input.is_closed() {
            return Round::Again;
        }
        self.wait(now, State::Overlong(reply))
    }

    fn command(&mut self, now: Timestamp) -> Round {
        let verb = self.input.rest().get(..4).unwrap_or_default();
        let line_len_max = self.standing.session.setup.limits.line_len_max;
        let max = if verb.eq_ignore_ascii_case(b"AUTH") {
            EXCHANGE_LINE_MAX.max(line_len_max)
        } else {
            line_len_max
        };
        let too_long = Reply::new(500, Enhanced(5, 5, 2), "Line too long");
        match self.hear(max) {
            Heard::Line(line) => self.run(&line),
            Heard::Part => self.wait(now, State::Command),
            Heard::Gone => self.forget(State::Command),
            Heard::Overlong => {
                self.standing.fault(&too_long);
                Round::Again
            }
            Heard::OverlongPart => self.overlong(now, too_long),
        }
    }

    fn run(&mut self, line: &[u8]) -> Round {
        let standing = &mut self.standing;
        standing.state = State::Command;
        match parse(line) {
            Ok(command) if ends_transaction(&command) && standing.is_in_chunks() => {
                standing.transaction = None;
                self.ask(Ask::Abandon, Question::Forget(command))
            }
            Ok(command) => self.obey(command),
            // What would follow may be a message: it must not be taken for commands.
            Err(error @ CommandError::Chunk) => {
                standing.say(&error.reply());
                standing.state = State::Closed;
                self.forget(State::Closed)
            }
            Err(error) => {
                standing.fault(&error.reply());
                Round::Again
            }
        }
    }

    fn obey(&mut self, command: Command) -> Round {
        let standing = &mut self.standing;
        standing.state = State::Command;
        match run(&mut standing.session, &mut standing.transaction, command) {
            Next::Say(reply) => standing.say(&reply),
            Next::Fault(reply) => standing.fault(&reply),
            Next::Login(exchange, outcome) => return self.login(exchange, outcome),
            Next::Sender(ask, transaction) => return self.ask(ask, Question::Sender(transaction)),
            Next::Recipient(ask, to) => return self.ask(ask, Question::Recipient(to)),
            Next::Begin(ask, message) => return self.ask(ask, Question::Begin(message)),
            Next::Chunk(message) => standing.state = State::Message(message),
            Next::StartTls(reply) => {
                standing.say(&reply);
                standing.state = State::Handshake;
                // What came in clear text behind STARTTLS anyone may have put there.
                self.input.clear();
            }
            Next::Quit(reply) => {
                standing.say(&reply);
                standing.state = State::Closed;
            }
        }
        Round::Again
    }

    fn login_line(&mut self, now: Timestamp, mut exchange: Exchange) -> Round {
        match self.hear(EXCHANGE_LINE_MAX) {
            Heard::Line(line) => {
                let outcome = exchange.line(&line);
                self.login(exchange, outcome)
            }
            Heard::Part => self.wait(now, State::Login(exchange)),
            Heard::Gone => Round::Again,
            Heard::Overlong => {
                self.standing.fault(&failed_login(Failure::TooLong));
                Round::Again
            }
            Heard::OverlongPart => self.overlong(now, failed_login(Failure::TooLong)),
        }
    }

    fn login(&mut self, exchange: Exchange, outcome: Outcome) -> Round {
        match outcome {
            Outcome::Challenge(text) => {
                self.standing.state = State::Login(exchange);
                self.standing.say(&Reply::plain(334, text));
                Round::Again
            }
            Outcome::Lookup(name) => self.ask(Ask::Secrets(name), Question::Secrets(exchange)),
            Outcome::Decide(credentials) => {
                self.ask(Ask::Authenticate(credentials), Question::Login)
            }
            Outcome::Failed(failure) => {
                self.standing.fault(&failed_login(failure));
                Round::Again
            }
        }
    }

    fn message(&mut self, now: Timestamp, mut message: Message) -> Round {
        let size_max = self.standing.session.setup.limits.message_size_max;
        let milestone = message.milestone();
        let (taken, progress) = message.advance(self.input.rest(), size_max);
        self.input.consume(taken);
        if message.milestone() != milestone {
            self.deadline = None;
        }
        match progress {
            Progress::Hungry if !self.input.rest().is_empty() => {
                self.standing.state = State::Message(message);
                Round::Again
            }
            Progress::Hungry if self.input.is_closed() => self.forget(State::Message(message)),
            Progress::Hungry => self.wait(now, State::Message(message)),
            Progress::Piece(piece) => self.ask(Ask::Write(piece), Question::Write(message)),
            Progress::ChunkEnded => {
                self.deadline = None;
                let text = format!("{} bytes so far", message.received());
                self.standing.end_chunk(message, &Reply::new(250, Enhanced(2, 0, 0), text));
                Round::Again
            }
            Progress::Ended => self.ask(Ask::Commit, Question::Commit),
            Progress::Spoilt => self.ask(Ask::Abandon, Question::Drain(message)),
            Progress::Refused(reply) => {
                self.deadline = None;
                if message.is_final() {
                    self.standing.end_message(&reply);
                } else {
                    self.standing.end_chunk(message, &reply);
                }
                Round::Again
            }
            Progress::Endless(reply) => {
                self.standing.say(&reply);
                Round::Again
            }
        }
    }

    fn held(&mut self, now: Timestamp, until: Timestamp, reply: Reply, after: After) -> Round {
        if self.input.is_closed() {
            return Round::Again;
        }
        if self.input.rest().len() > self.standing.session.setup.limits.held_len_max {
            let text = "Too much sent without waiting for an answer";
            self.standing.leave(Enhanced(4, 7, 0), text);
            return Round::Again;
        }
        if now < until {
            self.standing.state = State::Held(until, reply, after);
            return Round::Step(Step::Wait { until });
        }
        self.deadline = None;
        self.standing.state = State::Command;
        self.standing.say(&reply);
        if let After::Close(text) = after {
            self.standing.leave(Enhanced(4, 7, 0), text);
        }
        Round::Again
    }
}

/// RFC 4954 §4 and §6.
fn failed_login(failure: Failure) -> Reply {
    match failure {
        Failure::Cancelled => Reply::new(501, Enhanced(5, 7, 0), "Login cancelled"),
        Failure::TooLong => Reply::new(500, Enhanced(5, 5, 6), "Line too long for a login"),
        Failure::NotBase64 => Reply::new(501, Enhanced(5, 5, 2), "Not base64"),
        Failure::Malformed => Reply::new(501, Enhanced(5, 5, 2), "Not what this mechanism says"),
        Failure::Unbound => Reply::new(504, Enhanced(5, 5, 4), "This mechanism needs TLS 1.3"),
    }
}

impl Machine for Server {
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    fn receive(&mut self, bytes: &[u8]) {
        match self.standing.state {
            State::Handshake | State::Closed if !bytes.is_empty() => {}
            _ => self.input.push(bytes),
        }
    }

    fn step(&mut self, now: Timestamp) -> Step<Ask> {
        loop {
            let replies = &mut self.standing.replies;
            if replies.len() >= REPLIES_LEN {
                return Step::Send(Output::Bytes(std::mem::take(replies)));
            }
            match self.round(now) {
                Round::Again => {}
                Round::Step(Step::Ask(ask)) => return Step::Ask(ask),
                // The step comes again once the replies are out.
                Round::Step(_) if !self.standing.replies.is_empty() => {
                    return Step::Send(Output::Bytes(std::mem::take(&mut self.standing.replies)));
                }
                Round::Step(step) => return step,
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        self.deadline = None;
        match std::mem::replace(&mut self.standing.state, State::Closed) {
            State::Asked(Question::Secrets(mut exchange)) => match answer {
                Answer::Secrets(secrets) => {
                    let outcome = exchange.secrets(secrets);
                    let _ = self.login(exchange, outcome);
                }
                answer => self.standing.answer(Question::Login, answer),
            },
            State::Asked(question) => self.standing.answer(question, answer),
            state => self.standing.state = state,
        }
    }

    fn notify(&mut self, news: News) {
        match news {
            News::Shutdown => self.life = Life::Stopping,
        }
    }

    fn secured(&mut self, tls: TlsFacts) {
        self.input.clear();
        self.deadline = None;
        self.standing.secured(tls);
    }
}
