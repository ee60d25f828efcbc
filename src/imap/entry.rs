//! How a session comes to be somebody's: what is announced, STARTTLS, SASL exchanges, and what a failed login waits for.

use super::ask::Ask;
use super::command::capabilities;
use super::response::Completion;
use super::server::{Flow, Round, Server, Standing};
use super::state::{Question, State, Tag};
use crate::base::{ClearText, Line, StartTls, Step, Timestamp};
use crate::sasl::{EXCHANGE_LINE_MAX, Exchange, Failure, Outcome, offered};
use std::time::Duration;

impl Server {
    pub(super) fn takes_passwords(&self) -> bool {
        self.tls.is_some() || self.setup.clear_text == ClearText::Allowed
    }

    pub(super) fn offers_start_tls(&self) -> bool {
        self.tls.is_none() && self.setup.start_tls == StartTls::Offered
    }

    pub(super) fn capabilities(&self) -> String {
        // RFC 7889 §2: the same for every mailbox.
        let mut state = vec![format!("APPENDLIMIT={}", self.setup.limits.message_size_max)];
        if self.flow == Flow::Plain {
            state.push("COMPRESS=DEFLATE".to_owned());
        }
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

    pub(super) fn compress(&mut self, tag: &str) -> Round {
        if self.flow == Flow::Deflated {
            let active = Completion::no("DEFLATE is active already");
            return self.end(tag, &active.code("COMPRESSIONACTIVE"));
        }
        let _ = self.end(tag, &Completion::ok("DEFLATE from here on"));
        // RFC 4978 §3: the client waits for the answer, so what it has sent is not deflated and not to be read as if it were.
        self.input.clear();
        self.flow = Flow::Deflated;
        self.go_to(State::Compress)
    }

    pub(super) fn start_tls(&mut self, tag: &str) -> Round {
        if !self.offers_start_tls() {
            return self.end(tag, &Completion::bad("There is TLS already, or none to be had here"));
        }
        let _ = self.end(tag, &Completion::ok("Begin TLS now"));
        // What came in clear text behind STARTTLS anyone may have put there.
        self.input.clear();
        self.go_to(State::Handshake)
    }

    pub(super) fn login_line(&mut self, now: Timestamp, tag: Tag, mut exchange: Exchange) -> Round {
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

    pub(super) fn login(&mut self, tag: Tag, exchange: Exchange, outcome: Outcome) -> Round {
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

    /// A failed login is told after a while; each further one takes longer.
    pub(super) fn held(
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
}
