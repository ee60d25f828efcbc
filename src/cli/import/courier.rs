//! Carries messages to the server, keeps account of what has come of each, and tells the person who waits.

use crate::cli::command::Stop;
use crate::cli::progress::Progress;
use crate::cli::server::Server;
use crate::cli::show;
use crate::daemon::{
    ImportStep, ImportWay, Marked, MessageOutcome, Named, Request, Said, Transfer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::io;

/// How a person wants it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    way: ImportWay,
    /// The summary is a line of JSON.
    json: bool,
}

impl Options {
    /// Of the switches of a command.
    pub fn of(dry_run: bool, again: bool, json: bool) -> Result<Self, Stop> {
        let way = match (dry_run, again) {
            (false, false) => ImportWay::Take,
            (false, true) => ImportWay::TakeAgain,
            (true, false) => ImportWay::Try,
            (true, true) => {
                let text = "--dry-run tells of an import without --again";
                return Err(Stop::Usage(text.to_owned()));
            }
        };
        Ok(Self { way, json })
    }
}

/// The command's end of an import.
pub struct Courier {
    transfer: Transfer,
    options: Options,
    progress: Progress,
    summary: Summary,
    /// What was sent and not yet committed.
    waiting: Vec<Sent>,
    waiting_bytes: u64,
    /// The message that is being sent.
    label: String,
    bytes: u64,
    piece: Vec<u8>,
    /// How many messages were sent or passed over.
    handled: u64,
}

struct Sent {
    label: String,
    bytes: u64,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    imported: u64,
    imported_bytes: u64,
    already_there: u64,
    not_taken: u64,
    mailboxes: Vec<Mailbox>,
    /// The first thousand.
    reasons: Vec<Reason>,
    keywords_left_out: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Mailbox {
    from: String,
    into: String,
    imported: u64,
    already_there: u64,
    not_taken: u64,
}

#[derive(Debug, Serialize)]
struct Reason {
    message: String,
    why: String,
}

const BATCH_MAX: usize = 64;
const BATCH_BYTES: u64 = 8 << 20;
const PIECE_LEN: usize = 64 * 1024;
const REASONS_MAX: usize = 1000;

impl Courier {
    /// Begins an import into someone's account.
    pub fn begin(server: &Server, user: String, options: Options) -> Result<Self, Stop> {
        let mut transfer = server.transfer(&Request::Import { user, way: options.way })?;
        let begun = transfer.hear().map_err(|error| lost(&error))?;
        told::<()>(begun)?;
        let dry_run = options.way == ImportWay::Try;
        Ok(Self {
            transfer,
            options,
            progress: Progress::new(),
            summary: Summary { dry_run, ..Summary::default() },
            waiting: Vec::new(),
            waiting_bytes: 0,
            label: String::new(),
            bytes: 0,
            piece: Vec::new(),
            handled: 0,
        })
    }

    /// There is so much to do, in any unit.
    pub const fn expect(&mut self, all: u64) {
        self.progress.expect(all);
    }

    /// So much of it is done.
    pub fn at(&mut self, done: u64) {
        self.progress.at(done, self.handled);
    }

    /// What follows comes from `from` and goes into the mailbox of this name, levels parted by `/`. False if there can be
    /// none; its messages are to be given to `not_taken`.
    pub fn enter(&mut self, from: &str, name: &str) -> Result<Result<(), String>, Stop> {
        self.commit()?;
        let named: Named = self.ask(&ImportStep::Mailbox(name.to_owned()))?;
        let (into, entered) = match named {
            Ok(into) => (into, Ok(())),
            Err(why) => (String::new(), Err(format!("{name} cannot be a mailbox here: {why}"))),
        };
        let (from, counts) = (from.to_owned(), (0, 0, 0));
        let (imported, already_there, not_taken) = counts;
        self.summary.mailboxes.push(Mailbox { from, into, imported, already_there, not_taken });
        Ok(entered)
    }

    /// Subscribes to a mailbox.
    pub fn subscribe(&mut self, name: &str) -> Result<(), Stop> {
        self.commit()?;
        let named: Named = self.ask(&ImportStep::Subscribe(name.to_owned()))?;
        if let Err(why) = named {
            self.talk(&format!("no subscription to {name}: {why}"));
        }
        Ok(())
    }

    /// A message begins; `label` tells a person which.
    pub fn message(&mut self, label: String, marks: &Marked) -> Result<(), Stop> {
        (self.label, self.bytes) = (label, 0);
        let said = self.transfer.say(&ImportStep::Message(marks.clone()));
        said.map_err(|error| self.gone(&error))
    }

    /// Its next piece.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.bytes += bytes.len() as u64;
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_LEN { self.send_piece() } else { Ok(()) }
    }

    fn send_piece(&mut self) -> Result<(), Stop> {
        let sent = self.transfer.send(&self.piece);
        self.piece.clear();
        sent.map_err(|error| self.gone(&error))
    }

    /// It is whole.
    pub fn end(&mut self) -> Result<(), Stop> {
        self.send_piece()?;
        self.transfer.send_end().map_err(|error| self.gone(&error))?;
        self.handled += 1;
        self.waiting_bytes += self.bytes;
        self.waiting.push(Sent { label: std::mem::take(&mut self.label), bytes: self.bytes });
        if self.waiting.len() >= BATCH_MAX || self.waiting_bytes >= BATCH_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// It cannot be read any further.
    pub fn broken(&mut self, why: &str) -> Result<(), Stop> {
        self.piece.clear();
        self.transfer.send_broken().map_err(|error| self.gone(&error))?;
        let label = std::mem::take(&mut self.label);
        self.not_taken(label, why);
        Ok(())
    }

    /// A message that is not sent at all.
    pub fn not_taken(&mut self, label: String, why: &str) {
        self.handled += 1;
        self.refused(label, why);
    }

    fn refused(&mut self, message: String, why: &str) {
        self.summary.not_taken += 1;
        if let Some(mailbox) = self.summary.mailboxes.last_mut() {
            mailbox.not_taken += 1;
        }
        self.talk(&format!("not taken: {message}: {why}"));
        if self.summary.reasons.len() < REASONS_MAX {
            self.summary.reasons.push(Reason { message, why: why.to_owned() });
        }
    }

    /// Says something beside the progress.
    pub fn talk(&mut self, text: &str) {
        self.progress.clear();
        show::talk(text);
    }

    fn commit(&mut self) -> Result<(), Stop> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let outcomes: Vec<MessageOutcome> = self.ask(&ImportStep::Commit)?;
        let sent = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if outcomes.len() != sent.len() {
            return Err(lost(&io::ErrorKind::InvalidData.into()));
        }
        for (outcome, Sent { label, bytes }) in outcomes.into_iter().zip(sent) {
            match outcome {
                MessageOutcome::Taken(left_out) => {
                    self.summary.imported += 1;
                    self.summary.imported_bytes += bytes;
                    self.summary.keywords_left_out.extend(left_out);
                    if let Some(mailbox) = self.summary.mailboxes.last_mut() {
                        mailbox.imported += 1;
                    }
                }
                MessageOutcome::There => {
                    self.summary.already_there += 1;
                    if let Some(mailbox) = self.summary.mailboxes.last_mut() {
                        mailbox.already_there += 1;
                    }
                }
                MessageOutcome::Refused(why) => self.refused(label, &why),
            }
        }
        Ok(())
    }

    fn ask<T: DeserializeOwned>(&mut self, step: &ImportStep) -> Result<T, Stop> {
        let said = self.transfer.say(step).and_then(|()| self.transfer.flush());
        said.map_err(|error| self.gone(&error))?;
        told(self.transfer.hear().map_err(|error| lost(&error))?)
    }

    /// The server takes nothing more; it may have said why.
    fn gone(&mut self, error: &io::Error) -> Stop {
        match self.transfer.hear::<Said<serde_json::Value>>() {
            Ok(Some(Said::Failed(why))) => failed(&why),
            Ok(Some(Said::Done(_)) | None) | Err(_) => lost(error),
        }
    }

    /// What was sent is made safe, and the summary shown.
    pub fn finish(mut self) -> Result<(), Stop> {
        self.commit()?;
        self.progress.clear();
        let summary = self.summary;
        if self.options.json {
            show::json(&summary)?;
        } else {
            show::data(&summary.text());
        }
        match summary.not_taken {
            0 => Ok(()),
            1 => Err(Stop::Failed("one message was not taken; why is said above".to_owned())),
            count => {
                Err(Stop::Failed(format!("{count} messages were not taken; why is said above")))
            }
        }
    }
}

impl Summary {
    fn text(&self) -> String {
        let row = |mailbox: &Mailbox| {
            let Mailbox { from, into, imported, already_there, not_taken } = mailbox;
            let counts = [imported, already_there, not_taken].map(ToString::to_string);
            [vec![from.clone(), into.clone()], counts.to_vec()].concat()
        };
        let rows: Vec<_> = self.mailboxes.iter().map(row).collect();
        let done = if self.dry_run { "would be imported" } else { "imported" };
        let mut text = show::table(&["from", "into", done, "already there", "not taken"], &rows);
        text.push_str(&format!(
            "\n{} messages {done} ({}), {} already there, {} not taken\n",
            self.imported,
            show::size(self.imported_bytes),
            self.already_there,
            self.not_taken
        ));
        if !self.keywords_left_out.is_empty() {
            let names: Vec<&str> = self.keywords_left_out.iter().map(String::as_str).collect();
            text.push_str(&format!(
                "left out, since an account has 26 keywords at most and a keyword no blanks: {}\n",
                names.join(", ")
            ));
        }
        text
    }
}

fn told<T>(said: Option<Said<T>>) -> Result<T, Stop> {
    match said {
        Some(Said::Done(done)) => Ok(done),
        Some(Said::Failed(why)) => Err(failed(&why)),
        None => Err(lost(&io::ErrorKind::UnexpectedEof.into())),
    }
}

fn failed(why: &str) -> Stop {
    Stop::Failed(format!("the import cannot go on: {why}. {AGAIN}"))
}

fn lost(error: &io::Error) -> Stop {
    Stop::Unreachable(format!("the server is gone in the middle ({error}). {AGAIN}"))
}

const AGAIN: &str = "What was imported so far is safe. Run the same command again: it goes on, and imports nothing twice";
