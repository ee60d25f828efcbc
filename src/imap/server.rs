//! The server end of an IMAP session (RFC 3501). The client controls all that it receives. Commands are cut out of the
//! input, found in the table and read here; their work is done by the store's threads, with the session in hand.

use super::args::{Args, Sending};
use super::ask::{Answer, Ask, News, Setup};
use super::command::{Action, Row, When, append, capabilities, find};
use super::framing::{Framed, Framing, announced};
use super::job::{Job, Task, Turn};
use super::response::{Completion, Status};
use super::selected::Update;
use super::session::Session;
use super::state::{Question, State, Tag, Then, Work};
use super::writer::Writer;
use crate::base::{ClearText, Input, Line, Machine, StartTls, Step, Timestamp, TlsFacts};
use crate::mail::Date;
use crate::sasl::{EXCHANGE_LINE_MAX, Exchange, Failure, Outcome, offered};
use std::time::Duration;

/// Answers to pipelined commands go out together, when nothing is left to do or when there are this many bytes.
const ANSWERS_LEN: usize = 16 * 1024;
/// A message is written to the disk in pieces of this size.
const UPLOAD_PIECE: usize = 64 * 1024;
/// So much of a dropped line is kept to see whether it announces a literal.
const TAIL_LEN: usize = 32;

/// One session.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    tls: Option<TlsFacts>,
    input: Input,
    framing: Framing,
    out: Writer,
    state: State,
    standing: Standing,
    /// When the client must have come further; set when we begin to wait for it.
    deadline: Option<Timestamp>,
    /// When work began of which the client has heard nothing yet.
    quiet_since: Option<Timestamp>,
    /// In a row.
    faults: u32,
    failed_logins: u32,
    /// Something in the account has changed since the client was told.
    changed: bool,
    life: Life,
}

/// Who it is.
#[derive(Debug)]
enum Standing {
    Stranger,
    /// Somebody, and the session's things.
    Known(Box<Session>),
    /// Somebody, and the session's things are away with their work.
    Away,
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

impl Server {
    /// A session that has just been connected.
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            tls: None,
            input: Input::default(),
            framing: Framing::default(),
            out: Writer::default(),
            state: State::Fresh,
            standing: Standing::Stranger,
            deadline: None,
            quiet_since: None,
            faults: 0,
            failed_logins: 0,
            changed: false,
            life: Life::Running,
        }
    }

    /// Works until there is a step. While a state is being worked on, the state is `Closed`: what returns without
    /// setting another one ends the session.
    fn round(&mut self, now: Timestamp) -> Round {
        if self.life == Life::Stopping && self.may_stop() {
            self.bye("The server is stopping; connect again in a minute");
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Fresh => {
                let (host, able) = (self.setup.host.clone(), self.capabilities());
                self.out.text(&format!("* OK [CAPABILITY {able}] {host} Pillarbox is ready\r\n"));
                self.go_to(State::Command)
            }
            State::Command => self.command(now),
            State::Overlong { tag, tail } => self.overlong(now, tag, tail),
            State::Refused { tag, left, completion } => self.refused(now, tag, left, completion),
            State::Login { tag, exchange } => self.login_line(now, tag, exchange),
            State::Working(work) => self.work(now, work),
            State::Idle { tag, heard } => self.idle(now, tag, heard),
            State::Upload { tag, left } => self.upload(now, tag, left),
            State::Uploaded { tag } => self.uploaded(now, tag),
            State::Held { until, tag, completion } => self.held(now, until, tag, completion),
            State::Handshake => {
                self.state = State::Handshake;
                Round::Step(Step::StartTls)
            }
            // The driver owes an answer; there is nothing to do before it.
            State::Asked(question) => self.wait(now, State::Asked(question)),
            State::Closed => {
                // What a cut-off message has left on the disk goes with its session.
                self.standing = Standing::Away;
                Round::Step(Step::Close)
            }
        }
    }

    const fn may_stop(&self) -> bool {
        match self.state {
            State::Fresh
            | State::Command
            | State::Overlong { .. }
            | State::Refused { .. }
            | State::Login { .. }
            | State::Idle { .. }
            | State::Held { .. } => true,
            State::Upload { .. }
            | State::Uploaded { .. }
            | State::Working(_)
            | State::Asked(_)
            | State::Handshake
            | State::Closed => false,
        }
    }

    fn go_to(&mut self, state: State) -> Round {
        self.state = state;
        Round::Again
    }

    /// Waits for the client in this state, or gives it up.
    fn wait(&mut self, now: Timestamp, state: State) -> Round {
        let limits = &self.setup.limits;
        let most = match (&self.standing, &state) {
            (Standing::Stranger, _) => limits.login_wait,
            (_, State::Upload { .. } | State::Uploaded { .. }) => limits.upload_wait,
            _ => limits.idle_wait,
        };
        let until = *self.deadline.get_or_insert_with(|| now + most);
        if now < until {
            self.state = state;
            return Round::Step(Step::Wait { until });
        }
        self.bye("Waited too long for you")
    }

    fn bye(&mut self, text: &str) -> Round {
        self.out.text("* BYE ").text(text).text("\r\n");
        self.go_to(State::Closed)
    }

    fn end(&mut self, tag: &str, completion: &Completion) -> Round {
        self.out.text(tag).text(" ").text(&completion.line()).text("\r\n");
        if completion.status == Status::Bad {
            self.faults += 1;
            if self.faults >= self.setup.limits.faults_max {
                return self.bye("Too many commands that cannot be understood");
            }
        } else {
            self.faults = 0;
        }
        self.go_to(State::Command)
    }

    const fn command_len_max(&self) -> usize {
        match self.standing {
            Standing::Stranger => self.setup.limits.stranger_command_len_max,
            Standing::Known(_) | Standing::Away => self.setup.limits.command_len_max,
        }
    }

    fn command(&mut self, now: Timestamp) -> Round {
        let max = self.command_len_max();
        match self.framing.read(&mut self.input, max) {
            Framed::Command(command) => {
                self.deadline = None;
                self.run(now, &command)
            }
            Framed::Literal(size, sending) => {
                self.deadline = None;
                self.literal(now, size, sending)
            }
            // A half command of a client that is gone is none.
            Framed::Part if self.input.is_closed() => Round::Again,
            Framed::Part => self.wait(now, State::Command),
            Framed::TooLong => {
                let begun = self.framing.take();
                let text = if begun.is_empty() { self.input.rest() } else { &begun };
                let tag = Args::new(text).tag().unwrap_or("*").to_owned();
                self.overlong(now, tag, Vec::new())
            }
        }
    }

    /// Drops what is here of an overlong line. If it ends by announcing a literal that comes anyway, that is dropped too.
    fn overlong(&mut self, now: Timestamp, tag: Tag, mut tail: Vec<u8>) -> Round {
        let completion = || Completion::bad("The command is too long");
        let rest = self.input.rest();
        let end = rest.iter().position(|&b| b == b'\n');
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        tail.extend(line.get(line.len().saturating_sub(TAIL_LEN)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(TAIL_LEN));
        let Some(end) = end else {
            self.input.clear();
            if self.input.is_closed() {
                return Round::Again;
            }
            return self.wait(now, State::Overlong { tag, tail });
        };
        self.input.consume(end + 1);
        self.deadline = None;
        match announced(tail.trim_ascii_end()) {
            Some((left, Sending::AtOnce)) => self.drop_literal(tag, left, completion()),
            Some((_, Sending::Waits)) | None => self.end(&tag, &completion()),
        }
    }

    /// A literal was announced: part of the command, a message, or refused.
    fn literal(&mut self, now: Timestamp, size: u64, sending: Sending) -> Round {
        let command = self.framing.command().to_vec();
        let mut args = Args::new(&command);
        let tag = args.tag().unwrap_or("*").to_owned();
        let decided = self.decide_literal(&mut args, size);
        match decided {
            Ok(None) => {
                self.framing.accept(usize::try_from(size).unwrap_or(usize::MAX));
                self.may_send(sending);
                self.go_to(State::Command)
            }
            Ok(Some(head)) => {
                self.framing.take();
                let today = Date { at: now, zone_minutes: 0 };
                let (job, update) = (append::begin(head, size, today), Update::Nothing);
                self.go_to(State::Working(Work {
                    tag,
                    job,
                    update,
                    then: Then::Upload(size, sending),
                }))
            }
            Err(completion) => {
                self.framing.take();
                match sending {
                    Sending::Waits => self.end(&tag, &completion),
                    Sending::AtOnce => self.drop_literal(tag, size, completion),
                }
            }
        }
    }

    fn decide_literal(
        &self,
        args: &mut Args<'_>,
        size: u64,
    ) -> Result<Option<append::Head>, Completion> {
        args.space()?;
        let row = find(args).ok_or(Completion::bad("There is no such command"))?;
        self.check_allowed(row)?;
        if row.name == "LOGIN" && !self.takes_passwords() {
            // Before the client sends what everybody on the way could read.
            return Err(no_password());
        }
        let head = if row.name == "APPEND" { append::read_head(args)? } else { None };
        let (room, limit) = match head {
            Some(_) => (self.setup.limits.message_size_max, "The message is too large"),
            None => {
                let left = self.command_len_max().saturating_sub(self.framing.command().len());
                (left as u64, "The command is too long")
            }
        };
        if size > room {
            return Err(Completion::no(limit).code("TOOBIG"));
        }
        if size == 0 && head.is_some() {
            return Err(Completion::no("There is no message in it"));
        }
        Ok(head)
    }

    fn may_send(&mut self, sending: Sending) {
        if sending == Sending::Waits {
            self.out.text("+ Go on\r\n");
        }
    }

    /// A refused literal that comes all the same.
    // Differs: RFC 7888 lets a server read any length; beyond the largest message the session ends and says so.
    fn drop_literal(&mut self, tag: Tag, left: u64, completion: Completion) -> Round {
        if left > self.setup.limits.message_size_max {
            let text = format!("{}: {left} bytes", completion.text);
            return self.bye(&text);
        }
        self.go_to(State::Refused { tag, left, completion })
    }

    fn refused(&mut self, now: Timestamp, tag: Tag, left: u64, completion: Completion) -> Round {
        let here = (self.input.rest().len() as u64).min(left);
        if here > 0 {
            self.deadline = None;
            self.input.consume(usize::try_from(here).unwrap_or(usize::MAX));
        }
        let left = left - here;
        let closed = self.input.is_closed();
        if left > 0 {
            let state = State::Refused { tag, left, completion };
            return if closed { Round::Again } else { self.wait(now, state) };
        }
        match self.input.line(self.command_len_max()) {
            Line::Whole(line) => {
                self.deadline = None;
                match announced(line.trim_ascii_end()) {
                    Some((left, Sending::AtOnce)) => self.drop_literal(tag, left, completion),
                    Some((_, Sending::Waits)) | None => self.end(&tag, &completion),
                }
            }
            Line::Partial if closed => Round::Again,
            Line::Partial => self.wait(now, State::Refused { tag, left, completion }),
            Line::TooLong => self.overlong(now, tag, Vec::new()),
        }
    }

    fn check_allowed(&self, row: &Row) -> Result<(), Completion> {
        let opened = match &self.standing {
            Standing::Known(session) => session.selected.is_some(),
            Standing::Stranger | Standing::Away => false,
        };
        match (row.when, &self.standing) {
            (When::Always, _) | (When::BeforeLogin, Standing::Stranger) => Ok(()),
            (When::BeforeLogin, _) => Err(Completion::bad("You have logged in already")),
            (_, Standing::Stranger) => Err(Completion::bad("Log in first")),
            (When::Selected, _) if !opened => Err(Completion::bad("Select a mailbox first")),
            (When::AfterLogin | When::Selected, _) => Ok(()),
        }
    }

    fn run(&mut self, now: Timestamp, command: &[u8]) -> Round {
        let mut args = Args::new(command);
        let Some(tag) = args.tag().map(str::to_owned) else {
            return self.end("*", &Completion::bad("A command begins with a tag"));
        };
        let read = || {
            args.space()?;
            let row = find(&mut args).ok_or(Completion::bad("There is no such command"))?;
            self.check_allowed(row)?;
            Ok((row, (row.read)(&mut args)?))
        };
        let result: Result<_, Completion> = { read }();
        match result {
            Ok((row, action)) => self.act(now, tag, row.update, action),
            Err(completion) => self.end(&tag, &completion),
        }
    }

    fn act(&mut self, now: Timestamp, tag: Tag, update: Update, action: Action) -> Round {
        match action {
            Action::Say(text, completion) => {
                self.out.text(&text);
                self.end_up_to_date(tag, update, completion)
            }
            Action::Capability => {
                let able = self.capabilities();
                self.out.text("* CAPABILITY ").text(&able).text("\r\n");
                self.end_up_to_date(tag, update, Completion::ok("That is what we can"))
            }
            Action::Logout => {
                self.out.text("* BYE Until next time\r\n");
                let _ = self.end(&tag, &Completion::ok("Logged out"));
                self.go_to(State::Closed)
            }
            Action::StartTls => self.start_tls(&tag),
            Action::Login(_) | Action::Authenticate(..) if !self.takes_passwords() => {
                self.end(&tag, &no_password())
            }
            Action::Login(credentials) => {
                self.ask(Ask::Authenticate(credentials), Question::Login { tag })
            }
            Action::Authenticate(mechanism, initial) => {
                let (exchange, outcome) =
                    Exchange::begin(mechanism, initial.as_deref(), self.tls.as_ref());
                self.login(tag, exchange, outcome)
            }
            Action::Idle => {
                self.out.text("+ Idling\r\n");
                self.changed = true;
                self.go_to(State::Idle { tag, heard: now })
            }
            Action::Work(job) => {
                self.go_to(State::Working(Work { tag, job, update, then: Then::End }))
            }
        }
    }

    /// Ends a command that needs no work; a session with an open mailbox is brought up to date.
    fn end_up_to_date(&mut self, tag: Tag, update: Update, completion: Completion) -> Round {
        match &self.standing {
            Standing::Known(session) if session.selected.is_some() => {
                let job: Job = Box::new(|_| super::job::Next::Done(completion));
                self.go_to(State::Working(Work { tag, job, update, then: Then::End }))
            }
            Standing::Known(_) | Standing::Away | Standing::Stranger => self.end(&tag, &completion),
        }
    }

    fn takes_passwords(&self) -> bool {
        self.tls.is_some() || self.setup.clear_text == ClearText::Allowed
    }

    fn offers_start_tls(&self) -> bool {
        self.tls.is_none() && self.setup.start_tls == StartTls::Offered
    }

    fn capabilities(&self) -> String {
        let mut state = Vec::new();
        if matches!(self.standing, Standing::Stranger) {
            if self.offers_start_tls() {
                state.push("STARTTLS".to_owned());
            }
            if self.takes_passwords() {
                state.extend(offered(self.tls.as_ref()).map(|name| format!("AUTH={name}")));
            } else {
                state.push("LOGINDISABLED".to_owned());
            }
        }
        capabilities(state)
    }

    fn start_tls(&mut self, tag: &str) -> Round {
        if !self.offers_start_tls() {
            return self.end(tag, &Completion::bad("There is TLS already, or none to be had here"));
        }
        let _ = self.end(tag, &Completion::ok("Begin TLS now"));
        // What came in clear text behind STARTTLS anyone may have put there.
        self.input.clear();
        self.go_to(State::Handshake)
    }

    fn ask(&mut self, ask: Ask, question: Question) -> Round {
        self.state = State::Asked(question);
        Round::Step(Step::Ask(ask))
    }

    fn login_line(&mut self, now: Timestamp, tag: Tag, mut exchange: Exchange) -> Round {
        match self.input.line(EXCHANGE_LINE_MAX + 1) {
            Line::Whole(mut line) => {
                self.deadline = None;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let outcome = exchange.line(&line);
                self.login(tag, exchange, outcome)
            }
            Line::Partial if self.input.is_closed() => Round::Again,
            Line::Partial => self.wait(now, State::Login { tag, exchange }),
            Line::TooLong => self.overlong(now, tag, Vec::new()),
        }
    }

    fn login(&mut self, tag: Tag, exchange: Exchange, outcome: Outcome) -> Round {
        match outcome {
            Outcome::Challenge(text) => {
                self.out.text("+ ").text(&text).text("\r\n");
                self.go_to(State::Login { tag, exchange })
            }
            Outcome::Lookup(name) => {
                self.ask(Ask::Secrets(name), Question::Secrets { tag, exchange })
            }
            Outcome::Decide(credentials) => {
                self.ask(Ask::Authenticate(credentials), Question::Login { tag })
            }
            Outcome::Failed(failure) => {
                let text = match failure {
                    Failure::Cancelled => "You cancelled the login",
                    Failure::TooLong => "The answer is too long",
                    Failure::NotBase64 => "The answer is not in base64",
                    Failure::Malformed => "The answer is malformed",
                    Failure::Unbound => "This mechanism needs TLS 1.3",
                };
                self.end(&tag, &Completion::bad(text))
            }
        }
    }

    /// Asks for work, once what was written before it has gone out as far as it must.
    fn work(&mut self, now: Timestamp, work: Work) -> Round {
        let Work { tag, job, update, then } = work;
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if now >= quiet_since + self.setup.limits.still_working_wait {
            // A client that is gone is found by it, and the work for it ends.
            self.out.text("* OK Still at work\r\n");
            self.quiet_since = Some(now);
        }
        match std::mem::replace(&mut self.standing, Standing::Away) {
            Standing::Known(session) => {
                let task = Task::new(session, job, update);
                self.ask(Ask::Work(task), Question::Work(tag, update, then))
            }
            Standing::Stranger | Standing::Away => self.bye("The server has a fault; see its log"),
        }
    }

    fn idle(&mut self, now: Timestamp, tag: Tag, heard: Timestamp) -> Round {
        if std::mem::take(&mut self.changed) {
            let (job, update): (Job, _) =
                (Box::new(|_| super::job::Next::Done(Completion::ok(""))), Update::Whole);
            return self.go_to(State::Working(Work { tag, job, update, then: Then::Idle(heard) }));
        }
        match self.input.line(self.command_len_max()) {
            Line::Whole(line) if line.trim_ascii_end().eq_ignore_ascii_case(b"DONE") => {
                self.end(&tag, &Completion::ok("Idled"))
            }
            Line::Whole(_) => self.end(&tag, &Completion::bad("IDLE ends with DONE")),
            Line::TooLong => self.overlong(now, tag, Vec::new()),
            Line::Partial if self.input.is_closed() => Round::Again,
            Line::Partial => {
                let until = heard + self.setup.limits.still_here_wait;
                if now >= until {
                    self.out.text("* OK Still here\r\n");
                    return self.go_to(State::Idle { tag, heard: now });
                }
                self.state = State::Idle { tag, heard };
                Round::Step(Step::Wait { until })
            }
        }
    }

    fn upload(&mut self, now: Timestamp, tag: Tag, left: u64) -> Round {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(UPLOAD_PIECE);
        if self.input.rest().len() >= wanted {
            self.deadline = None;
            let piece = self.input.take(wanted);
            let left = left - piece.len() as u64;
            let (job, then) = (append::write(piece), Then::Uploading(left));
            return self.go_to(State::Working(Work { tag, job, update: Update::Nothing, then }));
        }
        if self.input.is_closed() {
            return Round::Again;
        }
        self.wait(now, State::Upload { tag, left })
    }

    fn uploaded(&mut self, now: Timestamp, tag: Tag) -> Round {
        match self.input.line(self.command_len_max()) {
            Line::Whole(line) if line.trim_ascii_end().is_empty() => {
                self.deadline = None;
                let (job, then) = (append::commit(), Then::End);
                self.go_to(State::Working(Work { tag, job, update: Update::Whole, then }))
            }
            line @ (Line::Whole(_) | Line::TooLong) => {
                self.deadline = None;
                let completion = Completion::bad("One message an APPEND");
                let next = match &line {
                    Line::Whole(line) => announced(line.trim_ascii_end()),
                    Line::Partial | Line::TooLong => None,
                };
                let then = match next {
                    Some((left, Sending::AtOnce)) => Then::Refuse(left, completion),
                    Some((_, Sending::Waits)) | None => Then::EndAs(completion),
                };
                self.go_to(State::Working(Work {
                    tag,
                    job: append::abandon(),
                    update: Update::Whole,
                    then,
                }))
            }
            Line::Partial if self.input.is_closed() => Round::Again,
            Line::Partial => self.wait(now, State::Uploaded { tag }),
        }
    }

    /// A failed login is told after a while; each further one takes longer.
    fn held(
        &mut self,
        now: Timestamp,
        until: Option<Timestamp>,
        tag: Tag,
        completion: Completion,
    ) -> Round {
        let wait: Duration = self.setup.limits.failed_login_wait * self.failed_logins;
        let until = until.unwrap_or(now + wait);
        if now < until {
            self.state = State::Held { until: Some(until), tag, completion };
            return Round::Step(Step::Wait { until });
        }
        let round = self.end(&tag, &completion);
        if self.failed_logins >= self.setup.limits.failed_logins_max {
            return self.bye("Too many failed logins");
        }
        round
    }

    /// Work has come back.
    fn worked(&mut self, tag: Tag, update: Update, then: Then, session: Box<Session>, turn: Turn) {
        let mut session = session;
        if session.out.len() > 0 || session.out.has_file() || !matches!(turn, Turn::More(_)) {
            self.quiet_since = None;
        }
        self.out.append(&mut session.out);
        self.standing = Standing::Known(session);
        let _ = match (turn, then) {
            (Turn::Bye(text), _) => self.bye(&text),
            (Turn::More(job), then) => self.go_to(State::Working(Work { tag, job, update, then })),
            (Turn::Done(completion), Then::End) => self.end(&tag, &completion),
            (Turn::Done(_), Then::EndAs(completion)) => self.end(&tag, &completion),
            (Turn::Done(_), Then::Refuse(left, completion)) => {
                self.drop_literal(tag, left, completion)
            }
            (Turn::Done(_), Then::Idle(heard)) => self.go_to(State::Idle { tag, heard }),
            (Turn::Done(completion), Then::Upload(left, sending)) => {
                match (completion.status, sending) {
                    (Status::Ok, sending) => {
                        self.may_send(sending);
                        self.go_to(State::Upload { tag, left })
                    }
                    (_, Sending::Waits) => self.end(&tag, &completion),
                    (_, Sending::AtOnce) => self.go_to(State::Refused { tag, left, completion }),
                }
            }
            (Turn::Done(completion), Then::Uploading(left)) => match (completion.status, left) {
                (Status::Ok, 0) => self.go_to(State::Uploaded { tag }),
                (Status::Ok, left) => self.go_to(State::Upload { tag, left }),
                (_, left) => self.go_to(State::Refused { tag, left, completion }),
            },
        };
    }
}

fn no_password() -> Completion {
    Completion::no("Passwords need TLS here: STARTTLS first").code("PRIVACYREQUIRED")
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
            // A piece goes out before the next one is asked for.
            let drain = self.out.has_file() || self.out.len() >= ANSWERS_LEN;
            if drain && let Some(output) = self.out.next() {
                return Step::Send(output);
            }
            match self.round(now) {
                Round::Again => {}
                Round::Step(ask @ Step::Ask(_)) => return ask,
                Round::Step(step) => match self.out.next() {
                    // The round is done again, and comes to the same.
                    Some(output) => return Step::Send(output),
                    None => return step,
                },
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        let State::Asked(question) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        match (answer, question) {
            (Answer::LoggedIn(account), Question::Login { tag }) => {
                self.standing = Standing::Known(Box::new(Session::new(account, self.setup.number)));
                let able = format!("CAPABILITY {}", self.capabilities());
                let _ = self.end(&tag, &Completion::ok("Logged in").code(able));
            }
            (Answer::Secrets(secrets), Question::Secrets { tag, mut exchange }) => {
                let outcome = exchange.secrets(secrets);
                let _ = self.login(tag, exchange, outcome);
            }
            (Answer::Refused(completion), Question::Secrets { tag, .. }) => {
                let _ = self.end(&tag, &completion);
            }
            (Answer::Refused(completion), Question::Login { tag }) => {
                self.failed_logins += 1;
                self.state = State::Held { until: None, tag, completion };
            }
            (Answer::Worked(session, turn), Question::Work(tag, update, then)) => {
                self.worked(tag, update, then, session, turn);
            }
            _ => drop(self.bye("The server has a fault; see its log")),
        }
    }

    fn notify(&mut self, news: News) {
        match news {
            News::Changed => self.changed = true,
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
