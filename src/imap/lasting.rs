//! States of a session that last: IDLE, and a message that comes in by APPEND.

use super::args::Sending;
use super::command::append;
use super::framing::announced;
use super::job::Job;
use super::response::Completion;
use super::selected::Update;
use super::server::{Round, Server, Standing};
use super::state::{State, Tag, Then, Work};
use super::upload::Wrapping;
use crate::base::{Line, Step, Timestamp};
use crate::mail::Date;

/// A message is written to the disk in pieces of this size.
const UPLOAD_PIECE: usize = 64 * 1024;

impl Server {
    pub(super) fn idle(&mut self, now: Timestamp, tag: Tag, heard: Timestamp) -> Round {
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

    pub(super) fn upload(&mut self, now: Timestamp, tag: Tag, left: u64) -> Round {
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

    pub(super) fn uploaded(&mut self, now: Timestamp, tag: Tag) -> Round {
        match self.input.line(self.command_len_max()) {
            Line::Whole(line) => {
                self.deadline = None;
                match self.wrapping().after(line.trim_ascii_end()) {
                    Some(b"") => {
                        let (job, then) = (append::commit(), Then::End);
                        self.go_to(State::Working(Work { tag, job, update: Update::Whole, then }))
                    }
                    Some(line) => self.next_upload(now, tag, line),
                    None => {
                        let completion = Completion::bad("UTF8 ( ends with a parenthesis");
                        self.abandon(tag, announced(line.trim_ascii_end()), completion)
                    }
                }
            }
            Line::TooLong => {
                self.deadline = None;
                self.abandon(tag, None, Completion::bad("The command is too long"))
            }
            Line::Partial if self.input.is_closed() => Round::Again,
            Line::Partial => self.wait(now, State::Uploaded { tag }),
        }
    }

    /// Of the message that has come.
    fn wrapping(&self) -> Wrapping {
        match &self.standing {
            Standing::Known(session) => {
                session.uploads.last().map_or(Wrapping::Bare, |upload| upload.wrapping)
            }
            Standing::Stranger | Standing::Away => Wrapping::Bare,
        }
    }

    /// Behind a message something follows: another one (RFC 3502), or what is wrong.
    fn next_upload(&mut self, now: Timestamp, tag: Tag, line: &[u8]) -> Round {
        let next = announced(line);
        let head = append::read_next(line, self.dialect()).and_then(|head| match next {
            Some((size, _)) if size > self.setup.limits.message_size_max => {
                Err(Completion::no("The message is too large").code("TOOBIG"))
            }
            // RFC 3502 §6.3.11: an empty message takes all back.
            Some((0, _)) => Err(Completion::no("The messages are taken back")),
            Some((size, sending)) => Ok((head, size, sending)),
            None => Err(Completion::bad("The message is no literal")),
        });
        match head {
            Ok((head, size, sending)) => {
                let job = append::begin(head, size, Date { at: now, zone_minutes: 0 });
                let (update, then) = (Update::Nothing, Then::Upload(size, sending));
                self.go_to(State::Working(Work { tag, job, update, then }))
            }
            Err(completion) => self.abandon(tag, next, completion),
        }
    }

    /// What has come of an APPEND is forgotten; a literal that comes all the same is dropped.
    fn abandon(&mut self, tag: Tag, next: Option<(u64, Sending)>, completion: Completion) -> Round {
        let then = match next {
            Some((left, Sending::AtOnce)) => Then::Refuse(left, completion),
            Some((_, Sending::Waits)) | None => Then::EndAs(completion),
        };
        let job = append::abandon();
        self.go_to(State::Working(Work { tag, job, update: Update::Whole, then }))
    }
}
