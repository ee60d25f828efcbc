//! States of a session that last: IDLE, and a message that comes in by APPEND.

use super::args::Sending;
use super::command::append;
use super::framing::announced;
use super::job::Job;
use super::response::Completion;
use super::selected::Update;
use super::server::{Round, Server};
use super::state::{State, Tag, Then, Work};
use crate::base::{Line, Step, Timestamp};

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
}
