//! What a session hears: commands cut out of the input, literals taken or refused, and what is dropped of both.

use super::args::{Args, Sending};
use super::command::{append, find};
use super::framing::{Framed, announced};
use super::response::Completion;
use super::selected::Update;
use super::server::{Round, Server};
use super::state::{State, Tag, Then, Work};
use crate::base::{Line, Timestamp};
use crate::mail::Date;

/// So much of a dropped line is kept to see whether it announces a literal.
const TAIL_LEN: usize = 32;

impl Server {
    pub(super) fn command(&mut self, now: Timestamp) -> Round {
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
    pub(super) fn overlong(&mut self, now: Timestamp, tag: Tag, mut tail: Vec<u8>) -> Round {
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
    pub(super) fn literal(&mut self, now: Timestamp, size: u64, sending: Sending) -> Round {
        let command = self.framing.command().to_vec();
        let mut args = Args::of(&command, self.dialect());
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

    pub(super) fn decide_literal(
        &self,
        args: &mut Args<'_>,
        size: u64,
    ) -> Result<Option<append::Head>, Completion> {
        args.space()?;
        let row = find(args).ok_or(Completion::bad("There is no such command"))?;
        self.check_allowed(row)?;
        if row.name == "LOGIN" && !self.takes_passwords() {
            // Before the client sends what everybody on the way could read.
            return Err(Completion::needs_tls());
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

    pub(super) fn may_send(&mut self, sending: Sending) {
        if sending == Sending::Waits {
            self.out.text("+ Go on\r\n");
        }
    }

    /// A refused literal that comes all the same.
    // Differs: RFC 7888 lets a server read any length; beyond the largest message the session ends and says so.
    pub(super) fn drop_literal(&mut self, tag: Tag, left: u64, completion: Completion) -> Round {
        if left > self.setup.limits.message_size_max {
            let text = format!("{}: {left} bytes", completion.text);
            return self.bye(&text);
        }
        self.go_to(State::Refused { tag, left, completion })
    }

    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        tag: Tag,
        left: u64,
        completion: Completion,
    ) -> Round {
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
}
