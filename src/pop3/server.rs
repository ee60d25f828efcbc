//! The server end of a POP3 session (RFC 1939). The client controls all that it receives.

use super::ask::{Answer, Ask, News, Setup};
use super::command::{Command, CommandError, ROWS, When, Which, parse};
use super::maildrop::{Extent, Maildrop, Opened, Reader};
use super::stuffing::Stuffing;
use crate::base::{ClearText, Input, Line, Machine, Output, StartTls, Step, Timestamp, TlsFacts};
use crate::sasl::{Credentials, EXCHANGE_LINE_MAX, Exchange, Failure, Outcome, Proof, offered};

/// Answers to pipelined commands go out together, when nothing is left to do or when there are this many bytes.
const ANSWERS_LEN: usize = 16 * 1024;
/// One output has at most this many bytes.
const OUTPUT_LEN_MAX: usize = 64 * 1024;
const FOLLOWS: &str = "+OK The message follows";

/// One session.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    tls: Option<TlsFacts>,
    input: Input,
    out: Vec<u8>,
    state: State,
    standing: Standing,
    /// When the client must have come further; set when we begin to wait for it.
    deadline: Option<Timestamp>,
    /// In a row.
    faults: u32,
    failed_logins: u32,
    life: Life,
}

#[derive(Debug)]
enum Standing {
    Stranger,
    /// USER has said who it is.
    Named(String),
    Known(Maildrop),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Stopping,
}

#[derive(Debug)]
enum State {
    Fresh,
    Command,
    /// The rest of a line that was too long is dropped.
    Overlong,
    Login(Exchange),
    Asked(Question),
    /// A message goes out: its number, and what is still to be read of it.
    Sending(u32, Stuffing, Reader),
    /// A long list goes out, from this number on.
    Listing(Listing, u32),
    /// A failed login waits for its answer.
    Held(Option<Timestamp>, &'static str),
    Handshake,
    Closed,
}

#[derive(Debug)]
enum Question {
    Login,
    Secrets(Exchange),
    Message(u32, Stuffing),
    Close,
}

/// LIST and UIDL of all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    Sizes,
    UniqueIds,
}

/// What one round of work leads to.
enum Round {
    Again,
    Step(Step<Ask>),
}

impl Server {
    /// A session that has just been connected.
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            tls: None,
            input: Input::default(),
            out: Vec::new(),
            state: State::Fresh,
            standing: Standing::Stranger,
            deadline: None,
            faults: 0,
            failed_logins: 0,
            life: Life::Running,
        }
    }

    /// Works until there is a step. While a state is being worked on, the state is `Closed`: what returns without
    /// setting another one ends the session.
    fn round(&mut self, now: Timestamp) -> Round {
        let state = std::mem::replace(&mut self.state, State::Closed);
        if self.life == Life::Stopping
            && matches!(state, State::Fresh | State::Command | State::Login(_))
        {
            return self.leave("-ERR [SYS/TEMP] The server is stopping; nothing was deleted");
        }
        match state {
            State::Fresh => {
                let greeting = format!("+OK {} Pillarbox is ready", self.setup.host);
                self.say(&greeting)
            }
            State::Command => self.command(now),
            State::Overlong => self.overlong(now),
            State::Login(exchange) => self.login_line(now, exchange),
            State::Sending(number, stuffing, reader) => {
                self.ask(Ask::Read(reader), Question::Message(number, stuffing))
            }
            State::Listing(listing, from) => self.list(listing, from),
            State::Held(until, text) => self.held(now, until, text),
            State::Handshake => {
                self.state = State::Handshake;
                Round::Step(Step::StartTls)
            }
            // The driver owes an answer; there is nothing to do before it.
            State::Asked(question) => self.wait(now, State::Asked(question)),
            State::Closed => {
                self.standing = Standing::Stranger;
                Round::Step(Step::Close)
            }
        }
    }

    fn say(&mut self, line: &str) -> Round {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.state = State::Command;
        Round::Again
    }

    fn leave(&mut self, line: &str) -> Round {
        let _ = self.say(line);
        self.state = State::Closed;
        Round::Again
    }

    fn fault(&mut self, line: &str) -> Round {
        self.faults += 1;
        if self.faults >= self.setup.limits.faults_max {
            return self.leave("-ERR Too many commands that cannot be understood");
        }
        self.say(line)
    }

    fn ask(&mut self, ask: Ask, question: Question) -> Round {
        self.state = State::Asked(question);
        Round::Step(Step::Ask(ask))
    }

    /// Waits for the client in this state, or gives it up. RFC 1939 §3: then nothing is deleted.
    fn wait(&mut self, now: Timestamp, state: State) -> Round {
        let limits = &self.setup.limits;
        let most = match self.standing {
            Standing::Stranger | Standing::Named(_) => limits.login_wait,
            Standing::Known(_) => limits.idle_wait,
        };
        let until = *self.deadline.get_or_insert_with(|| now + most);
        if now < until {
            self.state = state;
            return Round::Step(Step::Wait { until });
        }
        self.leave("-ERR [SYS/TEMP] Waited too long for you; nothing was deleted")
    }

    fn overlong(&mut self, now: Timestamp) -> Round {
        if let Some(end) = self.input.rest().iter().position(|&b| b == b'\n') {
            self.input.consume(end + 1);
            self.deadline = None;
            return self.fault("-ERR The line is too long");
        }
        self.input.clear();
        if self.input.is_closed() { Round::Again } else { self.wait(now, State::Overlong) }
    }

    /// The next line, or what there is to do without one.
    fn hear(
        &mut self,
        now: Timestamp,
        max: usize,
        state: State,
    ) -> Result<(Vec<u8>, State), Round> {
        match self.input.line(max + 1) {
            Line::Whole(mut line) => {
                self.deadline = None;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Ok((line, state))
            }
            // A half command of a client that is gone is none.
            Line::Partial if self.input.is_closed() => Err(Round::Again),
            Line::Partial => Err(self.wait(now, state)),
            Line::TooLong => Err(self.overlong(now)),
        }
    }

    fn command(&mut self, now: Timestamp) -> Round {
        let auth =
            self.input.rest().get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
        let max = if auth { EXCHANGE_LINE_MAX } else { self.setup.limits.line_len_max };
        let line = match self.hear(now, max, State::Command) {
            Ok((line, _)) => line,
            Err(round) => return round,
        };
        let (row, command) = match parse(&line) {
            Ok(parsed) => parsed,
            Err(CommandError::Unknown) => return self.fault("-ERR There is no such command"),
            Err(CommandError::Arguments) => return self.fault("-ERR The arguments are wrong"),
        };
        match (row.when, &self.standing) {
            (When::AfterLogin, Standing::Stranger | Standing::Named(_)) => {
                return self.fault("-ERR Log in first");
            }
            (When::BeforeLogin, Standing::Known(_)) => {
                return self.fault("-ERR You have logged in already");
            }
            _ => self.faults = 0,
        }
        self.run(command)
    }

    fn run(&mut self, command: Command) -> Round {
        match command {
            Command::Capa => self.capa(),
            Command::Stls => self.start_tls(),
            Command::Mechanisms => {
                let names = offered(self.tls.as_ref()).map(|name| format!("{name}\r\n"));
                let names: String = names.filter(|_| self.takes_passwords()).collect();
                self.say(&format!("+OK Mechanisms follow\r\n{names}."))
            }
            Command::User(_) | Command::Pass(_) | Command::Auth(..) if !self.takes_passwords() => {
                self.say("-ERR Passwords need TLS here: STLS first")
            }
            Command::User(name) => {
                self.standing = Standing::Named(name);
                self.say("+OK Now the password")
            }
            Command::Pass(password) => {
                match std::mem::replace(&mut self.standing, Standing::Stranger) {
                    Standing::Named(authcid) => {
                        let proof = Proof::Password(password);
                        let credentials = Credentials { authzid: None, authcid, proof };
                        self.ask(Ask::Authenticate(credentials), Question::Login)
                    }
                    standing => {
                        self.standing = standing;
                        self.fault("-ERR Say USER first")
                    }
                }
            }
            Command::Auth(mechanism, initial) => {
                let (exchange, outcome) =
                    Exchange::begin(mechanism, initial.as_deref(), self.tls.as_ref());
                self.login(exchange, outcome)
            }
            // RFC 6856 §2: our answers are the same with it and without.
            Command::Utf8 => self.say("+OK UTF-8 it is"),
            Command::Noop => self.say("+OK Done"),
            Command::Quit => self.quit(),
            command => self.transact(&command),
        }
    }

    /// The commands of the TRANSACTION state.
    fn transact(&mut self, command: &Command) -> Round {
        const NONE: &str = "-ERR There is no such message, or it is deleted";
        let Standing::Known(maildrop) = &mut self.standing else { return Round::Again };
        match *command {
            Command::Stat => {
                let (count, bytes) = maildrop.stat();
                self.say(&format!("+OK {count} {bytes}"))
            }
            Command::List(Which::All) => {
                let (count, bytes) = maildrop.stat();
                let _ = self.say(&format!("+OK {count} messages ({bytes} octets)"));
                self.state = State::Listing(Listing::Sizes, 1);
                Round::Again
            }
            Command::Uidl(Which::All) => {
                let _ = self.say("+OK Unique ids follow");
                self.state = State::Listing(Listing::UniqueIds, 1);
                Round::Again
            }
            Command::List(Which::One(number)) => match maildrop.size(number) {
                Some(size) => self.say(&format!("+OK {number} {size}")),
                None => self.say(NONE),
            },
            Command::Uidl(Which::One(number)) => match maildrop.unique_id(number) {
                Some(id) => self.say(&format!("+OK {number} {id}")),
                None => self.say(NONE),
            },
            Command::Retr(number) => self.send(number, None),
            Command::Top(number, lines) => self.send(number, Some(lines)),
            Command::Dele(number) => {
                let deleted = maildrop.delete(number);
                self.say(if deleted { "+OK It goes at QUIT" } else { NONE })
            }
            Command::Rset => {
                maildrop.reset();
                self.say("+OK Nothing is deleted")
            }
            _ => self.fault("-ERR There is no such command"),
        }
    }

    fn send(&mut self, number: u32, lines: Option<u64>) -> Round {
        let Standing::Known(maildrop) = &mut self.standing else { return Round::Again };
        let mut stuffing = Stuffing::new(lines);
        if lines.is_none()
            && let Some(text) = maildrop.take_ahead(number)
        {
            let _ = self.say(FOLLOWS);
            stuffing.push(&text, &mut self.out);
            self.sent(number, stuffing);
            return Round::Again;
        }
        let extent = if lines.is_none() { Extent::Whole } else { Extent::Beginning };
        match maildrop.opening(number, extent) {
            // The first piece comes with the answer that the message is there.
            Some(opening) => self.ask(Ask::Open(opening), Question::Message(number, stuffing)),
            None => self.say("-ERR There is no such message, or it is deleted"),
        }
    }

    fn list(&mut self, listing: Listing, from: u32) -> Round {
        let Standing::Known(maildrop) = &self.standing else { return Round::Again };
        for number in from..=maildrop.highest() {
            if self.out.len() >= ANSWERS_LEN {
                self.state = State::Listing(listing, number);
                return Round::Again;
            }
            let line = match listing {
                Listing::Sizes => maildrop.size(number).map(|size| format!("{number} {size}\r\n")),
                Listing::UniqueIds => {
                    maildrop.unique_id(number).map(|id| format!("{number} {id}\r\n"))
                }
            };
            self.out.extend_from_slice(line.unwrap_or_default().as_bytes());
        }
        self.say(".")
    }

    fn capa(&mut self) -> Round {
        let mut lines: Vec<String> =
            ROWS.iter().filter_map(|row| row.announces).map(str::to_owned).collect();
        let always = ["RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"];
        lines.extend(always.map(str::to_owned));
        if !matches!(self.standing, Standing::Known(_)) {
            if self.offers_start_tls() {
                lines.push("STLS".to_owned());
            }
            if self.takes_passwords() {
                let names = offered(self.tls.as_ref());
                lines.push("USER".to_owned());
                lines.push(names.fold("SASL".to_owned(), |all, name| all + " " + name));
            }
        }
        lines.push(format!("IMPLEMENTATION Pillarbox-{}", env!("CARGO_PKG_VERSION")));
        let text = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        self.say(&format!("+OK This is what we can\r\n{text}."))
    }

    fn takes_passwords(&self) -> bool {
        self.tls.is_some() || self.setup.clear_text == ClearText::Allowed
    }

    fn offers_start_tls(&self) -> bool {
        self.tls.is_none() && self.setup.start_tls == StartTls::Offered
    }

    fn start_tls(&mut self) -> Round {
        if !self.offers_start_tls() {
            return self.fault("-ERR There is TLS already, or none to be had here");
        }
        let _ = self.say("+OK Begin TLS now");
        // What came in clear text anyone may have put there.
        self.input.clear();
        self.standing = Standing::Stranger;
        self.state = State::Handshake;
        Round::Again
    }

    fn login_line(&mut self, now: Timestamp, exchange: Exchange) -> Round {
        match self.hear(now, EXCHANGE_LINE_MAX, State::Login(exchange)) {
            Ok((line, State::Login(mut exchange))) => {
                let outcome = exchange.line(&line);
                self.login(exchange, outcome)
            }
            Ok(_) => Round::Again,
            Err(round) => round,
        }
    }

    fn login(&mut self, exchange: Exchange, outcome: Outcome) -> Round {
        match outcome {
            Outcome::Challenge(text) => {
                let _ = self.say(&format!("+ {text}"));
                self.state = State::Login(exchange);
                Round::Again
            }
            Outcome::Lookup(name) => self.ask(Ask::Secrets(name), Question::Secrets(exchange)),
            Outcome::Decide(credentials) => {
                self.ask(Ask::Authenticate(credentials), Question::Login)
            }
            Outcome::Failed(failure) => self.fault(match failure {
                Failure::Cancelled => "-ERR You cancelled the login",
                Failure::TooLong => "-ERR The answer is too long",
                Failure::NotBase64 => "-ERR The answer is not in base64",
                Failure::Malformed => "-ERR The answer is malformed",
                Failure::Unbound => "-ERR This mechanism needs TLS 1.3",
            }),
        }
    }

    /// A failed login is told after a while; each further one takes longer.
    fn held(&mut self, now: Timestamp, until: Option<Timestamp>, text: &'static str) -> Round {
        let wait = self.setup.limits.failed_login_wait * self.failed_logins;
        let until = until.unwrap_or(now + wait);
        if now < until {
            self.state = State::Held(Some(until), text);
            return Round::Step(Step::Wait { until });
        }
        if self.failed_logins >= self.setup.limits.failed_logins_max {
            return self.leave(&format!("-ERR {text}"));
        }
        self.say(&format!("-ERR {text}"))
    }

    fn quit(&mut self) -> Round {
        match std::mem::replace(&mut self.standing, Standing::Stranger) {
            Standing::Known(maildrop) => {
                let closing = maildrop.closing(self.setup.number);
                self.ask(Ask::Close(closing), Question::Close)
            }
            Standing::Stranger | Standing::Named(_) => self.leave("+OK Until next time"),
        }
    }

    /// A message has been opened.
    fn opened(&mut self, number: u32, stuffing: Stuffing, opened: Opened) {
        let Opened { reader, piece, ahead } = opened;
        if let Standing::Known(maildrop) = &mut self.standing {
            maildrop.keep(ahead);
        }
        let _ = self.say(FOLLOWS);
        self.piece(number, stuffing, reader, &piece);
    }

    /// The next piece of a message has come.
    fn piece(&mut self, number: u32, mut stuffing: Stuffing, reader: Reader, piece: &[u8]) {
        stuffing.push(piece, &mut self.out);
        if reader.is_done() || stuffing.has_enough() {
            self.sent(number, stuffing);
        } else {
            self.state = State::Sending(number, stuffing, reader);
        }
    }

    /// A message has been sent, or as much of it as TOP wants.
    fn sent(&mut self, number: u32, stuffing: Stuffing) {
        if !stuffing.has_enough()
            && let Standing::Known(maildrop) = &mut self.standing
        {
            maildrop.sent(number);
        }
        stuffing.finish(&mut self.out);
        self.state = State::Command;
    }
}

impl Machine for Server {
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    fn receive(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    fn step(&mut self, now: Timestamp) -> Step<Ask> {
        loop {
            if self.out.len() >= ANSWERS_LEN {
                return Step::Send(self.output());
            }
            match self.round(now) {
                Round::Again => {}
                Round::Step(ask @ Step::Ask(_)) => return ask,
                // The round is done again, and comes to the same.
                Round::Step(_) if !self.out.is_empty() => return Step::Send(self.output()),
                Round::Step(step) => return step,
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        let State::Asked(question) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        let _ = match (answer, question) {
            (Answer::Opened(maildrop), Question::Login) => {
                let (count, bytes) = maildrop.stat();
                self.standing = Standing::Known(maildrop);
                self.say(&format!("+OK {count} messages ({bytes} octets)"))
            }
            (Answer::Secrets(secrets), Question::Secrets(mut exchange)) => {
                let outcome = exchange.secrets(secrets);
                self.login(exchange, outcome)
            }
            (Answer::Refused(text), Question::Secrets(_)) => self.say(&format!("-ERR {text}")),
            (Answer::Refused(text), Question::Login) => {
                self.failed_logins += 1;
                self.state = State::Held(None, text);
                Round::Again
            }
            (Answer::Message(opened), Question::Message(number, stuffing)) => {
                self.opened(number, stuffing, opened);
                Round::Again
            }
            (Answer::Piece(reader, piece), Question::Message(number, stuffing)) => {
                self.piece(number, stuffing, reader, &piece);
                Round::Again
            }
            (Answer::Refused(text), Question::Message(_, stuffing)) if stuffing.is_fresh() => {
                self.say(&format!("-ERR {text}"))
            }
            // Half a message cannot be taken back: the client must see that it is not whole.
            (Answer::Refused(_), Question::Message(..)) => Round::Again,
            (Answer::Closed, Question::Close) => self.leave("+OK Until next time"),
            (Answer::Refused(text), Question::Close) => self.leave(&format!("-ERR {text}")),
            _ => self.leave("-ERR [SYS/TEMP] The server has a fault; see its log"),
        };
    }

    fn notify(&mut self, news: News) {
        match news {
            News::Shutdown => self.life = Life::Stopping,
        }
    }

    fn secured(&mut self, tls: TlsFacts) {
        self.tls = Some(tls);
        if matches!(self.state, State::Handshake) {
            self.state = State::Command;
        }
    }
}

impl Server {
    fn output(&mut self) -> Output {
        let rest = self.out.split_off(self.out.len().min(OUTPUT_LEN_MAX));
        Output::Bytes(std::mem::replace(&mut self.out, rest))
    }
}
