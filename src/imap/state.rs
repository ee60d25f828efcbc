//! The states of an IMAP session, and what follows an answer.

use super::args::Sending;
use super::job::Job;
use super::response::Completion;
use super::selected::Update;
use crate::base::Timestamp;
use crate::sasl::Exchange;

/// What a session is at.
#[derive(Debug)]
pub enum State {
    /// Nothing has been said yet.
    Fresh,
    /// A command is read.
    Command,
    /// The rest of a line that was too long is dropped; these are the last bytes of it.
    Overlong { tag: Tag, tail: Vec<u8> },
    /// A literal that comes although its command is refused is dropped, and the rest of the command too.
    Refused { tag: Tag, left: u64, completion: Completion },
    /// A SASL exchange.
    Login { tag: Tag, exchange: Exchange },
    /// The driver owes an answer.
    Asked(Question),
    /// Work waits until what was written has gone out.
    Working(Work),
    /// The client is told what happens until it says DONE; it heard from us at this time.
    Idle { tag: Tag, heard: Timestamp },
    /// A message comes in.
    Upload { tag: Tag, left: u64 },
    /// The message is here; its line ends.
    Uploaded { tag: Tag },
    /// A failed login waits for its answer.
    Held { until: Option<Timestamp>, tag: Tag, completion: Completion },
    /// TLS is made.
    Handshake,
    /// What was said goes out, then all is deflated.
    Compress,
    /// It is over.
    Closed,
}

/// A command's tag.
pub type Tag = String;

/// What was asked.
#[derive(Debug)]
pub enum Question {
    /// Who it is.
    Login { tag: Tag },
    /// What is known of a name.
    Secrets { tag: Tag, exchange: Exchange },
    /// Work.
    Work(Tag, Update, Then),
}

/// Work to be asked for.
pub struct Work {
    /// Of its command.
    pub tag: Tag,
    /// What to do.
    pub job: Job,
    /// What else may be told.
    pub update: Update,
    /// What follows.
    pub then: Then,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Work({}, {:?})", self.tag, self.then)
    }
}

/// What follows when work has ended.
#[derive(Debug, Clone)]
pub enum Then {
    /// The command ends.
    End,
    /// IDLE goes on.
    Idle(Timestamp),
    /// A message of this size comes, if it may.
    Upload(u64, Sending),
    /// So much of the message is left.
    Uploading(u64),
    /// The command ends like this, whatever came of the work.
    EndAs(Completion),
    /// The same, once a literal of this size has been dropped.
    Refuse(u64, Completion),
}
