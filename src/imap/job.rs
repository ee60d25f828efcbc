//! The work of a command: it runs on a thread of the store, may wait for the committer, and hands on what it has written
//! piece by piece, so that an answer of any length costs one piece of memory.

use super::response::Completion;
use super::selected::{Told, Update};
use super::session::Session;
use crate::base::Ticket;
use crate::store::StoreError;
use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;

/// A piece of work.
pub type Job = Box<dyn FnOnce(&mut Session) -> Next + Send>;

/// What follows a piece of work.
pub enum Next {
    /// The command has ended.
    Done(Completion),
    /// What was written goes out, then this goes on.
    More(Job),
    /// The committer is at work; what it leads to goes on.
    Later(Pin<Box<dyn Future<Output = Job> + Send>>),
    /// The session has ended, and the client is told why.
    Bye(Cow<'static, str>),
}

impl From<Result<Completion, Completion>> for Next {
    fn from(result: Result<Completion, Completion>) -> Self {
        Self::Done(result.unwrap_or_else(|refused| refused))
    }
}

/// Goes on with what the committer has done.
pub fn when_done<T: Send + 'static>(
    mut ticket: Ticket<Result<T, StoreError>>,
    then: impl FnOnce(&mut Session, Result<T, StoreError>) -> Next + Send + Unpin + 'static,
) -> Next {
    let mut then = Some(then);
    Next::Later(Box::pin(poll_fn(move |context| {
        Pin::new(&mut ticket).poll(context).map(|done| {
            let done = done.unwrap_or(Err(StoreError::Closed));
            let then = then.take();
            let job: Job = Box::new(move |session| match then {
                Some(then) => then(session, done),
                None => Next::Done(StoreError::Closed.into()),
            });
            job
        })
    })))
}

/// Work on its way to a thread, with the session that it works on.
pub struct Task {
    session: Box<Session>,
    job: Job,
    update: Update,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({:?})", self.session.account)
    }
}

/// What has come of a task.
pub enum Worked {
    /// The session comes back.
    Back(Box<Session>, Turn),
    /// First this must be waited for, then the task it yields runs.
    Later(Pin<Box<dyn Future<Output = Task> + Send>>),
}

/// What the session does next.
pub enum Turn {
    /// The command has ended.
    Done(Completion),
    /// There is more to come.
    More(Job),
    /// The session has ended.
    Bye(Cow<'static, str>),
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(completion) => f.debug_tuple("Done").field(completion).finish(),
            Self::More(_) => f.write_str("More"),
            Self::Bye(text) => f.debug_tuple("Bye").field(text).finish(),
        }
    }
}

impl Task {
    /// After the job, what others changed is told, as far as it may be.
    pub const fn new(session: Box<Session>, job: Job, update: Update) -> Self {
        Self { session, job, update }
    }

    /// Runs; blocks for the disk, not for the committer.
    pub fn run(self) -> Worked {
        let Self { mut session, job, update } = self;
        match job(&mut session) {
            Next::Done(completion) => sync(session, completion, update),
            Next::More(job) => Worked::Back(session, Turn::More(job)),
            Next::Bye(text) => Worked::Back(session, Turn::Bye(text)),
            Next::Later(mut later) => {
                let mut session = Some(session);
                Worked::Later(Box::pin(poll_fn(move |context| {
                    match later.as_mut().poll(context) {
                        std::task::Poll::Ready(job) => match session.take() {
                            Some(session) => std::task::Poll::Ready(Self { session, job, update }),
                            None => std::task::Poll::Pending,
                        },
                        std::task::Poll::Pending => std::task::Poll::Pending,
                    }
                })))
            }
        }
    }
}

fn sync(mut session: Box<Session>, completion: Completion, update: Update) -> Worked {
    let turn = match session.sync(update) {
        Ok(Told::All) => Turn::Done(completion),
        Ok(Told::Part) => Turn::More(Box::new(move |_| Next::Done(completion))),
        Ok(Told::MailboxGone) => {
            Turn::Bye("The selected mailbox was deleted; select another".into())
        }
        Err(StoreError::Closed) => Turn::Bye("The server is stopping".into()),
        Err(error) => {
            log::error!("service=imap {error}");
            Turn::Bye("The mailbox cannot be read; see the server's log".into())
        }
    };
    Worked::Back(session, turn)
}
