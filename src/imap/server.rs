//! The server end of an IMAP session (RFC 3501). The client controls all that it receives. Commands are cut out of the
//! input, found in the table and read here; their work is done by the store's threads, with the session in hand.

use super::args::{Args, Sending};
use super::ask::{Answer, Ask, News, Setup};
use super::command::{Action, Row, When, find};
use super::dialect::Dialect;
use super::framing::Framing;
use super::job::{Job, Task, Turn};
use super::response::{Completion, Status};
use super::selected::Update;
use super::session::Session;
use super::state::{Question, State, Tag, Then, Work};
use super::writer::Writer;
use crate::base::{Input, Machine, Step, Timestamp, TlsFacts};
use crate::sasl::Exchange;

/// Answers to pipelined commands go out together, when nothing is left to do or when there are this many bytes.
const ANSWERS_LEN: usize = 16 * 1024;

/// One session.
#[derive(Debug)]
pub struct Server {
    pub(super) setup: Setup,
    pub(super) tls: Option<TlsFacts>,
    pub(super) input: Input,
    pub(super) framing: Framing,
    pub(super) out: Writer,
    pub(super) state: State,
    pub(super) standing: Standing,
    /// When the client must have come further; set when we begin to wait for it.
    pub(super) deadline: Option<Timestamp>,
    /// When work began of which the client has heard nothing yet.
    pub(super) quiet_since: Option<Timestamp>,
    /// In a row.
    pub(super) faults: u32,
    pub(super) failed_logins: u32,
    /// Are both directions deflated?
    pub(super) flow: Flow,
    /// Something in the account has changed since the client was told.
    pub(super) changed: bool,
    pub(super) life: Life,
}

/// Who it is.
#[derive(Debug)]
pub(super) enum Standing {
    Stranger,
    /// Somebody, and the session's things.
    Known(Box<Session>),
    /// Somebody, and the session's things are away with their work.
    Away,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Stopping,
}

/// How bytes cross the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Plain,
    Deflated,
}

/// What one round of work leads to.
pub(super) enum Round {
    Again,
    /// What was said must go out first.
    Drain,
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
            flow: Flow::Plain,
            changed: false,
            life: Life::Running,
        }
    }

    /// Works until there is a step. While a state is being worked on, the state is `Closed`: what returns without
    /// setting another one ends the session.
    pub(super) fn round(&mut self, now: Timestamp) -> Round {
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
            State::Compress if self.out.is_empty() => {
                self.state = State::Command;
                Round::Step(Step::Compress)
            }
            State::Compress => {
                self.state = State::Compress;
                Round::Drain
            }
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

    pub(super) const fn may_stop(&self) -> bool {
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
            | State::Compress
            | State::Closed => false,
        }
    }

    pub(super) fn go_to(&mut self, state: State) -> Round {
        self.state = state;
        Round::Again
    }

    /// Waits for the client in this state, or gives it up.
    pub(super) fn wait(&mut self, now: Timestamp, state: State) -> Round {
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

    pub(super) fn bye(&mut self, text: &str) -> Round {
        self.out.text("* BYE ").text(text).text("\r\n");
        self.go_to(State::Closed)
    }

    pub(super) fn end(&mut self, tag: &str, completion: &Completion) -> Round {
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

    pub(super) const fn command_len_max(&self) -> usize {
        match self.standing {
            Standing::Stranger => self.setup.limits.stranger_command_len_max,
            Standing::Known(_) | Standing::Away => self.setup.limits.command_len_max,
        }
    }

    pub(super) fn check_allowed(&self, row: &Row) -> Result<(), Completion> {
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

    /// How the client writes.
    pub(super) fn dialect(&self) -> Dialect {
        match &self.standing {
            Standing::Known(session) => session.dialect,
            Standing::Stranger | Standing::Away => Dialect::default(),
        }
    }

    pub(super) fn run(&mut self, now: Timestamp, command: &[u8]) -> Round {
        let mut args = Args::of(command, self.dialect());
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

    pub(super) fn act(
        &mut self,
        now: Timestamp,
        tag: Tag,
        update: Update,
        action: Action,
    ) -> Round {
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
            Action::Compress => self.compress(&tag),
            Action::Login(_) | Action::Authenticate(..) if !self.takes_passwords() => {
                self.end(&tag, &Completion::needs_tls())
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
            Action::WorkByNumber(job) => {
                let update = Update::WithoutExpunges;
                self.go_to(State::Working(Work { tag, job, update, then: Then::End }))
            }
        }
    }

    /// Ends a command that needs no work; a session with an open mailbox is brought up to date.
    pub(super) fn end_up_to_date(
        &mut self,
        tag: Tag,
        update: Update,
        completion: Completion,
    ) -> Round {
        match &self.standing {
            Standing::Known(session) if session.selected.is_some() => {
                let job: Job = Box::new(|_| super::job::Next::Done(completion));
                self.go_to(State::Working(Work { tag, job, update, then: Then::End }))
            }
            Standing::Known(_) | Standing::Away | Standing::Stranger => self.end(&tag, &completion),
        }
    }

    pub(super) fn ask(&mut self, ask: Ask, question: Question) -> Round {
        self.state = State::Asked(question);
        Round::Step(Step::Ask(ask))
    }

    /// Asks for work, once what was written before it has gone out as far as it must.
    pub(super) fn work(&mut self, now: Timestamp, work: Work) -> Round {
        let Work { tag, job, update, then } = work;
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if now >= quiet_since + self.setup.limits.still_working_wait {
            // A client that is gone is found by it, and the work for it ends.
            self.out.text("* OK Still at work\r\n");
            self.quiet_since = Some(now);
        }
        match std::mem::replace(&mut self.standing, Standing::Away) {
            Standing::Known(mut session) => {
                session.now = now;
                session.tag.clone_from(&tag);
                let task = Task::new(session, job, update);
                self.ask(Ask::Work(task), Question::Work(tag, update, then))
            }
            Standing::Stranger | Standing::Away => self.bye("The server has a fault; see its log"),
        }
    }

    /// Work has come back.
    pub(super) fn worked(
        &mut self,
        tag: Tag,
        update: Update,
        then: Then,
        session: Box<Session>,
        turn: Turn,
    ) {
        let mut session = session;
        if !session.out.is_empty() || !matches!(turn, Turn::More(_)) {
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
                Round::Drain => {
                    if let Some(output) = self.out.next() {
                        return Step::Send(output);
                    }
                }
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
                let (number, limit) = (self.setup.number, self.setup.limits.message_size_max);
                self.standing = Standing::Known(Box::new(Session::new(account, number, limit)));
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
