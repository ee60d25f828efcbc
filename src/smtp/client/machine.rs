//! The session: greeting, EHLO, STARTTLS, then one message after the other. Commands that need not wait for each other go
//! together where the server lets them (RFC 2920); a text goes by BDAT where it may (RFC 3030), so that it leaves the file
//! unchanged.

use super::ask::{Answer, Ask, Failure, News};
use super::body::Dots;
use super::heard::{Heard, Hearing, Listener};
use super::hello::{Offered, SizeOffer};
use super::job::{Job, Lack, Outcome, Report};
use super::login::Exchange;
use super::standing::{ClientProtocol, Setup, TlsUse};
use crate::base::{Input, Machine, Output, Step, Timestamp, TlsFacts};
use crate::mail::{Body, Letters, TlsDemand};
use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::time::Duration;

/// A piece of a file that is read to be sent by DATA.
const PIECE_LEN: u64 = 32 * 1024;

/// One session.
#[derive(Debug)]
pub struct Client {
    setup: Setup,
    input: Input,
    listener: Listener,
    offered: Offered,
    tls: Option<TlsFacts>,
    state: State,
    /// Answers that are due, in order.
    due: VecDeque<Due>,
    /// Commands that wait for their turn, with the answer that each will get.
    planned: VecDeque<(Due, Vec<u8>)>,
    out: Vec<u8>,
    job: Option<Work>,
    /// Of a login that is under way.
    exchange: Option<Exchange>,
    /// A transaction may be open that the next MAIL would be refused for.
    stale: bool,
    deadline: Option<Timestamp>,
}

/// What is due.
#[derive(Debug)]
enum State {
    /// Answers.
    Talking,
    /// TLS.
    Handshake,
    /// A word on the TLS that stands.
    Judging,
    /// Something to send.
    Idle,
    /// The word of what is next has been asked for.
    AskedNext,
    /// The fields of a message by BDAT have been sent, its text is next.
    Chunk(Range<u64>),
    /// A message by DATA: what of the text is left.
    Lines(Dots, Range<u64>),
    /// The piece of it that was asked for, and what is left after.
    AskedPiece(Dots, Range<u64>),
    /// The session comes to nothing.
    Broken(Failure),
    /// The end was told.
    Told,
    Closed,
}

/// An answer that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Login,
    Reset,
    Mail,
    /// The recipient's place.
    Recipient(usize),
    Data,
    /// After the text; by LMTP one for each recipient that was taken.
    Text(Option<usize>),
    Quit,
}

/// A job that is under way.
#[derive(Debug)]
struct Work {
    job: Job,
    outcomes: Vec<Option<Outcome>>,
    /// The server took them; the text is still to come or to be answered.
    taken: Vec<usize>,
    text_sent: bool,
}

impl Work {
    fn settle_all(&mut self, outcome: &Outcome) {
        for place in &mut self.outcomes {
            place.get_or_insert_with(|| outcome.clone());
        }
    }

    fn settle(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            slot.get_or_insert(outcome);
        }
    }
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
        }
    }

    fn plan(&mut self, due: Due, line: impl Into<Vec<u8>>) {
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

    fn hello(&mut self) {
        let word = match self.setup.protocol {
            ClientProtocol::Smtp => "EHLO",
            ClientProtocol::Lmtp => "LHLO",
        };
        self.plan(Due::Ehlo, format!("{word} {}", self.setup.host));
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
            Due::StartTls => self.enter(),
            Due::Login => self.heard_login(heard),
            Due::Reset => {}
            Due::Mail => self.heard_mail(heard),
            Due::Recipient(place) => self.heard_recipient(place, heard),
            Due::Data => self.heard_data(heard),
            Due::Text(place) => self.heard_text(place, heard),
            Due::Quit => self.state = State::Closed,
        }
    }

    /// EHLO or HELO was answered.
    fn greeted(&mut self) {
        if self.tls.is_some() || self.setup.tls == TlsUse::Never {
            self.enter();
        } else if self.offered.start_tls {
            self.plan(Due::StartTls, "STARTTLS");
        } else if self.setup.tls == TlsUse::Must {
            self.fail(Failure::NoTls);
        } else {
            self.enter();
        }
    }

    /// The session stands; a login comes before all else.
    fn enter(&mut self) {
        let Some(login) = &self.setup.login else {
            self.state = State::Idle;
            return;
        };
        match login.begin(&self.offered.auth) {
            Some((line, exchange)) => {
                self.exchange = Some(exchange);
                self.plan(Due::Login, line);
            }
            None => self.fail(Failure::NoLogin),
        }
    }

    fn heard_login(&mut self, heard: Heard) {
        if heard.is_yes() {
            self.state = State::Idle;
            return;
        }
        let next = self.exchange.take().filter(|_| heard.code == 334);
        let said = self.setup.login.as_ref().zip(next).and_then(|(login, next)| login.answer(next));
        match said {
            Some((line, exchange)) => {
                self.exchange = Some(exchange);
                self.plan(Due::Login, line);
            }
            None => self.fail(Failure::Login(heard)),
        }
    }

    fn fail(&mut self, failure: Failure) {
        if let Some(work) = &mut self.job {
            // Who was answered is; by a farewell nobody else is.
            work.settle_all(&Outcome::Lost);
        }
        self.due.clear();
        self.planned.clear();
        self.state = State::Broken(failure);
    }

    /// What the server lacks for a job.
    fn lack(&self, job: &Job) -> Option<Lack> {
        let (offered, demands) = (&self.offered, job.demands);
        if demands.tls == TlsDemand::Required && (self.tls.is_none() || !offered.require_tls) {
            return Some(Lack::RequireTls);
        }
        if demands.letters == Letters::Utf8 && !offered.smtputf8 {
            return Some(Lack::Smtputf8);
        }
        match demands.body {
            Body::SevenBit => {}
            Body::EightBitMime if offered.eight_bit_mime => {}
            Body::EightBitMime => return Some(Lack::EightBitMime),
            Body::BinaryMime if offered.binary_mime && offered.chunking => {}
            Body::BinaryMime => return Some(Lack::BinaryMime),
        }
        match offered.size {
            SizeOffer::Most(most) if job.size() > most => Some(Lack::Size(most)),
            SizeOffer::Absent | SizeOffer::Unlimited | SizeOffer::Most(_) => None,
        }
    }

    fn begin(&mut self, job: Job) {
        let outcomes = vec![None; job.recipients.len()];
        let mut work = Work { job, outcomes, taken: Vec::new(), text_sent: false };
        self.state = State::Talking;
        if let Some(lack) = self.lack(&work.job) {
            work.settle_all(&Outcome::Unable(lack));
            self.job = Some(work);
            self.state = State::Idle;
            return;
        }
        if mem::take(&mut self.stale) {
            self.plan(Due::Reset, "RSET");
        }
        let mail = self.mail(&work.job);
        self.plan(Due::Mail, mail);
        for (place, recipient) in work.job.recipients.iter().enumerate() {
            let mut line = format!("RCPT TO:<{}>", recipient.address);
            if self.offered.dsn {
                if let Some(notify) = recipient.notify.text() {
                    line += " NOTIFY=";
                    line += &notify;
                }
                if let Some(original) = &recipient.original {
                    line += " ORCPT=";
                    line += original.xtext();
                }
            }
            self.plan(Due::Recipient(place), line);
        }
        // By DATA the server may be asked at once; by BDAT the text would follow at once.
        if !self.offered.chunking {
            self.plan(Due::Data, "DATA");
        }
        self.job = Some(work);
    }

    fn mail(&self, job: &Job) -> String {
        let path = job.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut line = format!("MAIL FROM:<{path}>");
        if self.offered.size != SizeOffer::Absent {
            line += &format!(" SIZE={}", job.size());
        }
        if job.demands.body != Body::SevenBit {
            line += " BODY=";
            line += job.demands.body.name();
        }
        if job.demands.letters == Letters::Utf8 {
            line += " SMTPUTF8";
        }
        if job.demands.tls == TlsDemand::Required {
            line += " REQUIRETLS";
        }
        if self.offered.dsn {
            if let Some(ret) = job.ret {
                line += " RET=";
                line += ret.name();
            }
            if let Some(id) = &job.envelope_id {
                line += " ENVID=";
                line += id.xtext();
            }
        }
        line
    }

    fn heard_mail(&mut self, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if heard.is_yes() {
            self.stale = true;
            return;
        }
        work.settle_all(&Outcome::Refused(heard));
        // Unless they have gone out already, the rest need not be said.
        self.planned.clear();
        self.rest_if_over();
    }

    fn heard_recipient(&mut self, place: usize, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if work.outcomes.get(place).is_some_and(Option::is_none) {
            if heard.is_yes() {
                work.taken.push(place);
            } else {
                work.settle(place, Outcome::Refused(heard));
            }
        }
        let last = place + 1 == work.job.recipients.len();
        if !last {
            return;
        }
        if work.taken.is_empty() {
            self.planned.clear();
            self.rest_if_over();
        } else if self.offered.chunking {
            self.send_chunk();
        }
    }

    /// Nobody is left: what was sent ahead is still answered.
    fn rest_if_over(&mut self) {
        if self.due.is_empty() {
            self.state = State::Idle;
        }
    }

    fn send_chunk(&mut self) {
        let Some(work) = &self.job else { return };
        self.out.extend_from_slice(format!("BDAT {} LAST\r\n", work.job.size()).as_bytes());
        self.out.extend_from_slice(&work.job.fields);
        self.state = State::Chunk(work.job.range.clone());
    }

    fn heard_data(&mut self, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        if heard.code != 354 {
            // A yes here would be nonsense; it is for later, as anything unknown.
            work.settle_all(&Outcome::Refused(heard));
            work.taken.clear();
            self.state = State::Idle;
            return;
        }
        let mut dots = Dots::new();
        if work.taken.is_empty() {
            // All were refused after DATA had gone out: an empty message, which is refused too (RFC 2920 §3.1).
            dots.finish(&mut self.out);
            self.due.push_back(Due::Text(None));
            return;
        }
        dots.push(&work.job.fields, &mut self.out);
        self.state = State::Lines(dots, work.job.range.clone());
    }

    /// The text is out: its answers are due.
    fn sent_text(&mut self) {
        self.state = State::Talking;
        if let Some(work) = &mut self.job {
            work.text_sent = true;
        }
        match (self.setup.protocol, &self.job) {
            (ClientProtocol::Lmtp, Some(work)) => {
                self.due.extend(work.taken.iter().map(|place| Due::Text(Some(*place))));
            }
            (ClientProtocol::Smtp, _) | (_, None) => self.due.push_back(Due::Text(None)),
        }
    }

    fn heard_text(&mut self, place: Option<usize>, heard: Heard) {
        let Some(work) = &mut self.job else { return };
        let outcome = if heard.is_yes() { Outcome::Taken(heard) } else { Outcome::Refused(heard) };
        match place {
            Some(place) => work.settle(place, outcome),
            None => {
                for place in mem::take(&mut work.taken) {
                    work.settle(place, outcome.clone());
                }
            }
        }
        self.stale = false;
        if self.due.is_empty() {
            self.state = State::Idle;
        }
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
                Some(Step::Ask(Ask::Next(report)))
            }
            State::Chunk(range) if self.out.is_empty() => {
                self.sent_text();
                self.deadline = None;
                let file = self.job.as_ref().map(|work| work.job.file.clone());
                file.map(|file| Step::Send(Output::File { file, range }))
            }
            State::Lines(dots, range) if self.out.is_empty() || !range.is_empty() => {
                self.lines(dots, range)
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

    fn lines(&mut self, dots: Dots, range: Range<u64>) -> Option<Step<Ask>> {
        if self.out.len() >= usize::try_from(PIECE_LEN).unwrap_or(0) {
            self.state = State::Lines(dots, range);
            return Some(Step::Send(Output::Bytes(mem::take(&mut self.out))));
        }
        let Some(file) = self.job.as_ref().map(|work| work.job.file.clone()) else {
            self.state = State::Idle;
            return None;
        };
        if range.is_empty() {
            dots.finish(&mut self.out);
            self.sent_text();
            return None;
        }
        let end = range.end.min(range.start + PIECE_LEN);
        self.state = State::AskedPiece(dots, end..range.end);
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
            (State::AskedPiece(mut dots, rest), Answer::Piece(piece)) => {
                dots.push(&piece, &mut self.out);
                self.state = State::Lines(dots, rest);
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
