//! The session: greeting, EHLO, STARTTLS, then one message after the other. Commands that need not wait for each other go
//! together where the server lets them (RFC 2920); a text goes by BDAT where it may (RFC 3030), so that it leaves the file
//! unchanged.

use super::ask::{Answer, Ask, Failure, News};
use super::body::Text;
use super::heard::{Heard, Hearing, Listener};
use super::hello::Offered;
use super::job::{Outcome, Report};
use super::login::Exchange;
use super::standing::{ClientProtocol, Setup, TlsUse};
use super::state::{Due, State, Work};
use crate::base::{Input, Machine, Output, Step, Timestamp, TlsFacts};
use std::collections::VecDeque;
use std::fs::File;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A piece of a file that is read to be sent by DATA.
const PIECE_LEN: u64 = 32 * 1024;

/// One session.
#[derive(Debug)]
pub struct Client {
    pub(super) setup: Setup,
    pub(super) input: Input,
    pub(super) listener: Listener,
    pub(super) offered: Offered,
    pub(super) tls: Option<TlsFacts>,
    pub(super) state: State,
    /// Answers that are due, in order.
    pub(super) due: VecDeque<Due>,
    /// Commands that wait for their turn, with the answer that each will get.
    pub(super) planned: VecDeque<(Due, Vec<u8>)>,
    pub(super) out: Vec<u8>,
    pub(super) job: Option<Work>,
    /// Of a login that is under way.
    pub(super) exchange: Option<Exchange>,
    /// A transaction may be open that the next MAIL would be refused for.
    pub(super) stale: bool,
    pub(super) deadline: Option<Timestamp>,
    /// STARTTLS was offered and refused.
    pub(super) tls_was_refused: bool,
}

impl Client {
    /// A session that has just been connected. `tls`: over implicit TLS, which was judged.
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            input: Input::default(),
            listener: Listener::default(),
            offered: Offered::default(),
            tls: None,
            state: State::Talking,
            due: VecDeque::from([Due::Greeting]),
            planned: VecDeque::new(),
            out: Vec::new(),
            job: None,
            exchange: None,
            stale: false,
            deadline: None,
            tls_was_refused: false,
        }
    }

    pub(super) fn plan(&mut self, due: Due, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        line.extend_from_slice(b"\r\n");
        self.planned.push_back((due, line));
    }

    /// Sends what may be sent: all that waits for nothing, or one command.
    fn send_planned(&mut self) {
        while self.due.is_empty() || self.offered.pipelining {
            // What follows DATA, STARTTLS or EHLO depends on the answer (RFC 2920 §3.1).
            let stops = |due: &Due| {
                matches!(
                    due,
                    Due::Data
                        | Due::StartTls
                        | Due::Login
                        | Due::Ehlo
                        | Due::Helo
                        | Due::Text(_)
                        | Due::Quit
                )
            };
            if self.due.back().is_some_and(stops) {
                return;
            }
            let Some((due, line)) = self.planned.pop_front() else { return };
            self.out.extend_from_slice(&line);
            self.due.push_back(due);
        }
    }

    fn wait_for(&self, due: Due) -> Duration {
        let waits = &self.setup.waits;
        match due {
            Due::Data => waits.data,
            Due::Text(_) => waits.body,
            Due::Quit => waits.quit,
            Due::Greeting
            | Due::Ehlo
            | Due::Helo
            | Due::StartTls
            | Due::Login
            | Due::Reset
            | Due::Mail
            | Due::Recipient(_) => waits.command,
        }
    }

    /// Takes the answer that is due first.
    fn heard(&mut self, due: Due, heard: Heard) {
        if heard.code == 421 && due != Due::Quit {
            self.fail(Failure::Leaving(heard));
            return;
        }
        match due {
            Due::Greeting if heard.code == 220 => self.hello(),
            Due::Greeting => self.fail(Failure::Greeting(heard)),
            Due::Ehlo if heard.is_yes() => {
                self.offered = Offered::read(&heard);
                self.greeted();
            }
            Due::Ehlo if heard.is_refusal() && self.setup.protocol == ClientProtocol::Smtp => {
                self.plan(Due::Helo, format!("HELO {}", self.setup.host));
            }
            Due::Helo if heard.is_yes() => {
                self.offered = Offered::default();
                self.greeted();
            }
            Due::Ehlo | Due::Helo => self.fail(Failure::Hello(heard)),
            Due::StartTls if heard.code == 220 => {
                // What came in clear text behind it anyone may have put there.
                self.input.clear();
                self.state = State::Handshake;
            }
            Due::StartTls if self.setup.tls == TlsUse::Must => self.fail(Failure::StartTls(heard)),
            Due::StartTls => {
                self.tls_was_refused = true;
                self.enter();
            }
            Due::Login => self.heard_login(heard),
            Due::Reset => {}
            Due::Mail => self.heard_mail(heard),
            Due::Recipient(place) => self.heard_recipient(place, heard),
            Due::Data => self.heard_data(heard),
            Due::Text(place) => self.heard_text(place, heard),
            Due::Quit => self.state = State::Closed,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        if let Some(work) = &mut self.job {
            // Who was answered is; by a farewell nobody else is.
            work.settle_all(&Outcome::Lost);
        }
        self.due.clear();
        self.planned.clear();
        self.state = State::Broken(failure);
    }

    fn report(&mut self) -> Option<Report> {
        let work = self.job.take()?;
        let outcomes = work.outcomes.into_iter().map(|found| found.unwrap_or(Outcome::Lost));
        let (outcomes, text_sent) = (outcomes.collect(), work.text_sent);
        Some(Report { outcomes, passes_wishes_on: self.offered.dsn, text_sent })
    }

    /// Waits for what the server says, and takes it.
    fn listen(&mut self, now: Timestamp) -> Option<Step<Ask>> {
        self.send_planned();
        if !self.out.is_empty() {
            self.deadline = None;
            return Some(Step::Send(Output::Bytes(mem::take(&mut self.out))));
        }
        let Some(&due) = self.due.front() else {
            self.state = State::Idle;
            return None;
        };
        match self.listener.hear(&mut self.input) {
            Hearing::Reply(heard) => {
                self.deadline = None;
                self.due.pop_front();
                self.heard(due, heard);
                None
            }
            Hearing::Nonsense(what) => {
                self.fail(Failure::Nonsense(what));
                None
            }
            Hearing::Part if self.input.is_closed() => {
                if due == Due::Quit {
                    self.state = State::Closed;
                } else {
                    self.fail(Failure::Closed);
                }
                None
            }
            Hearing::Part => {
                let wait = self.wait_for(due);
                let until = *self.deadline.get_or_insert_with(|| now + wait);
                if now < until {
                    return Some(Step::Wait { until });
                }
                if due == Due::Quit {
                    self.state = State::Closed;
                } else {
                    self.fail(Failure::Silent);
                }
                None
            }
        }
    }

    fn round(&mut self, now: Timestamp) -> Option<Step<Ask>> {
        match mem::replace(&mut self.state, State::Talking) {
            State::Talking => self.listen(now),
            State::Handshake => {
                self.state = State::Handshake;
                Some(Step::StartTls)
            }
            State::Idle => {
                self.state = State::AskedNext;
                let report = self.report();
                Some(Step::Ask(Ask::Next(report, self.offered.terms(self.tls_was_refused))))
            }
            State::Chunk(range) if self.out.is_empty() => {
                self.sent_text();
                self.deadline = None;
                self.file().map(|file| Step::Send(Output::File { file, range }))
            }
            State::Lines(text, range) if self.out.is_empty() || !range.is_empty() => {
                self.lines(text, range)
            }
            state @ (State::Chunk(_) | State::Lines(..)) => {
                self.state = state;
                Some(Step::Send(Output::Bytes(mem::take(&mut self.out))))
            }
            State::Broken(failure) => {
                self.state = State::Told;
                let report = self.report();
                Some(Step::Ask(Ask::Failed(failure, report)))
            }
            State::Closed | State::Told => {
                self.state = State::Closed;
                Some(Step::Close)
            }
            // The driver owes an answer.
            state @ (State::Judging | State::AskedNext | State::AskedPiece(..)) => {
                self.state = state;
                None
            }
        }
    }

    fn file(&self) -> Option<Arc<File>> {
        let text = self.job.as_ref()?.job.text.as_ref()?;
        Some(text.file.clone())
    }

    fn lines(&mut self, text: Text, range: Range<u64>) -> Option<Step<Ask>> {
        if self.out.len() >= usize::try_from(PIECE_LEN).unwrap_or(0) {
            self.state = State::Lines(text, range);
            return Some(Step::Send(Output::Bytes(mem::take(&mut self.out))));
        }
        let Some(file) = self.file() else {
            self.state = State::Idle;
            return None;
        };
        if range.is_empty() {
            text.finish(&mut self.out);
            self.sent_text();
            return None;
        }
        let end = range.end.min(range.start + PIECE_LEN);
        self.state = State::AskedPiece(text, end..range.end);
        Some(Step::Ask(Ask::Read(file, range.start..end)))
    }
}

impl Machine for Client {
    type Ask = Ask;
    type Answer = Answer;
    type News = News;

    fn receive(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    fn step(&mut self, now: Timestamp) -> Step<Ask> {
        loop {
            if let State::Judging = self.state
                && let Some(tls) = &self.tls
            {
                return Step::Ask(Ask::Judge(tls.clone()));
            }
            if let Some(step) = self.round(now) {
                return step;
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        match (mem::replace(&mut self.state, State::Closed), answer) {
            (State::Judging, Answer::Go) => {
                self.state = State::Talking;
                if self.due.is_empty() {
                    // Nothing that was said before TLS counts (RFC 3207 §4.2).
                    self.offered = Offered::default();
                    self.hello();
                }
            }
            (State::Judging, _) => self.fail(Failure::NotTrusted),
            (State::AskedNext, Answer::Send(job)) => self.begin(*job),
            (State::AskedNext, _) => {
                self.state = State::Talking;
                self.plan(Due::Quit, "QUIT");
            }
            (State::AskedPiece(mut text, rest), Answer::Piece(piece)) => {
                text.push(&piece, &mut self.out);
                self.state = State::Lines(text, rest);
            }
            (State::AskedPiece(..), _) => self.fail(Failure::Ours),
            (_, _) => self.state = State::Closed,
        }
    }

    fn notify(&mut self, news: News) {
        match news {
            // When all of a message is out, what becomes of it should still be heard.
            News::Shutdown if matches!(self.due.front(), Some(Due::Text(_))) => {}
            News::Shutdown => match self.state {
                State::Told | State::Closed | State::Broken(_) => {}
                _ => self.fail(Failure::Stopping),
            },
        }
    }

    fn secured(&mut self, tls: TlsFacts) {
        self.tls = Some(tls);
        self.state = State::Judging;
    }
}
