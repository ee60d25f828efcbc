//! How far a client session is: what it waits for, and the job that is under way.

use super::ask::Failure;
use super::body::Text;
use super::job::{Job, Outcome};
use std::ops::Range;

/// What is due.
#[derive(Debug)]
pub(super) enum State {
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
    Lines(Text, Range<u64>),
    /// The piece of it that was asked for, and what is left after.
    AskedPiece(Text, Range<u64>),
    /// The session comes to nothing.
    Broken(Failure),
    /// The end was told.
    Told,
    Closed,
}

/// An answer that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
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
pub(super) struct Work {
    pub(super) job: Job,
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// The server took them; the text is still to come or to be answered.
    pub(super) taken: Vec<usize>,
    pub(super) text_sent: bool,
}

impl Work {
    pub(super) fn settle_all(&mut self, outcome: &Outcome) {
        for place in &mut self.outcomes {
            place.get_or_insert_with(|| outcome.clone());
        }
    }

    pub(super) fn settle(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            slot.get_or_insert(outcome);
        }
    }
}
