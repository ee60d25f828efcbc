//! The server's end of an import: steps come in, each is done by the workflow and answered. Blocks, on a thread of its own.

use super::transfer::{Chunk, ImportStep, Marked, MessageOutcome, Named, Said, Transfer};
use crate::base::AccountId;
use crate::maildir::Flags;
use crate::service::{BATCH_MAX, Import, Marks, Outcome, Way};
use crate::store::{Store, StoreError};
use serde::Serialize;
use std::io;

/// Takes in what comes, until the other end closes.
pub fn import(
    transfer: &mut Transfer,
    store: &Store,
    account: AccountId,
    way: Way,
) -> io::Result<()> {
    let begun = Import::new(store, account, way);
    let Some(mut import) = told(transfer, begun, |_| ())? else { return Ok(()) };
    let (mut taken, mut buffer) = (0, Vec::new());
    while let Some(step) = transfer.hear::<ImportStep>()? {
        let goes_on = match step {
            ImportStep::Mailbox(name) => {
                let entered = import.enter(&name).map(|name| name.to_string());
                told(transfer, named(entered), Named::clone)?.is_some()
            }
            ImportStep::Subscribe(name) => {
                let subscribed = import.subscribe(&name).map(|name| name.to_string());
                told(transfer, named(subscribed), Named::clone)?.is_some()
            }
            ImportStep::Message(marked) => {
                match message(transfer, &mut import, marked, &mut buffer)? {
                    Ok(()) => true,
                    failed => told(transfer, failed, |()| ())?.is_some(),
                }
            }
            ImportStep::Commit => {
                let outcomes = import.commit();
                let done =
                    told(transfer, outcomes, |all| all.iter().map(outcome).collect::<Vec<_>>())?;
                taken +=
                    done.iter().flatten().filter(|one| matches!(one, Outcome::Taken(_))).count();
                done.is_some()
            }
        };
        if !goes_on {
            break;
        }
    }
    log::info!("control account={account} import ended, way={way:?} taken={taken}");
    Ok(())
}

/// Reads a message. The outer error is the connection's, the inner one the store's.
fn message(
    transfer: &mut Transfer,
    import: &mut Import,
    marked: Marked,
    buffer: &mut Vec<u8>,
) -> io::Result<Result<(), StoreError>> {
    if import.waiting() >= BATCH_MAX {
        return Err(io::Error::other("more messages came than one commit takes"));
    }
    let Marked { date, zone, flags, keywords } = marked;
    // Keywords come by name: what their letters mean elsewhere is not what they mean here.
    let flags = Flags::from_letters(&flags.to_ascii_uppercase().into_bytes());
    import.begin(Marks { date, zone, flags, keywords });
    loop {
        let done = match transfer.receive(buffer)? {
            Chunk::Piece => import.write(buffer),
            Chunk::End => return Ok(import.end()),
            Chunk::Broken => {
                import.abandon();
                return Ok(Ok(()));
            }
        };
        if done.is_err() {
            return Ok(done);
        }
    }
}

/// A name that cannot be is not the end of the import.
fn named(done: Result<String, StoreError>) -> Result<Named, StoreError> {
    match done {
        Ok(name) => Ok(Ok(name)),
        Err(error @ StoreError::Name(_)) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn outcome(outcome: &Outcome) -> MessageOutcome {
    match outcome {
        Outcome::Taken(left_out) => MessageOutcome::Taken(left_out.clone()),
        Outcome::There => MessageOutcome::There,
        Outcome::Refused(why) => MessageOutcome::Refused(why.clone()),
    }
}

/// Answers a step; `None` if it failed.
fn told<T, S: Serialize>(
    transfer: &mut Transfer,
    done: Result<T, StoreError>,
    say: impl FnOnce(&T) -> S,
) -> io::Result<Option<T>> {
    match done {
        Ok(done) => {
            transfer.say(&Said::Done(say(&done)))?;
            transfer.flush()?;
            Ok(Some(done))
        }
        Err(error) => {
            log::warn!("control import ended: {error}");
            transfer.say(&Said::<()>::Failed(error.to_string()))?;
            transfer.flush()?;
            Ok(None)
        }
    }
}
