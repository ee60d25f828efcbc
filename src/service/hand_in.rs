//! A message is handed in to the running server, over its socket for the programs of this machine: what `pillarbox
//! sendmail` does. Who runs it controls all of it; who sends and what is missing in addresses the server says.

use crate::mail::{
    Address, AddressError, Body, Demands, Domain, EnvelopeId, Letters, LocalMessage, LooseAddress,
    Notify, Ret, from_field,
};
use crate::net::{self, ConnectError, DriveError, End};
use crate::smtp::client::{
    Answer, Ask, Client, ClientProtocol, Failure, Job, JobRecipient, JobText, Outcome, Report,
    Setup, Terms, TlsUse, Waits,
};
use rustix::fs::{MemfdFlags, memfd_create};
use smol::channel::bounded;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// What is handed in.
#[derive(Debug)]
pub struct Letter {
    /// From where.
    pub sender: Sender,
    /// At least one.
    pub recipients: Vec<LooseAddress>,
    /// Its text.
    pub message: LocalMessage,
    /// The full name in a From field, if the message has none.
    pub full_name: String,
    /// When a report is wanted.
    pub notify: Notify,
    /// How much of the message comes back.
    pub ret: Option<Ret>,
    /// The sender's name for it.
    pub envelope_id: Option<EnvelopeId>,
}

/// From where a letter comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// The address of whoever runs this.
    Own,
    /// `<>`: nobody wants to hear of its fate.
    Nobody,
    /// Another.
    Named(LooseAddress),
}

/// Why a letter did not come to be answered, in whole or for some recipients.
#[derive(Debug)]
pub enum HandInError {
    /// No server answers.
    Away(ConnectError),
    /// The connection broke.
    Broken(DriveError),
    /// The session came to nothing.
    Failed(Failure),
    /// The other end does not say who we are: it is no socket of this kind.
    Stranger,
    /// An address is none once it is whole.
    Address(AddressError),
    /// There is no room for the text.
    Io(io::Error),
}

impl fmt::Display for HandInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(error) => error.fmt(f),
            Self::Broken(error) => error.fmt(f),
            Self::Failed(failure) => match failure {
                Failure::Greeting(heard) | Failure::Hello(heard) | Failure::Leaving(heard) => {
                    heard.fmt(f)
                }
                Failure::Closed => f.write_str("it closed the connection"),
                Failure::Silent => f.write_str("it was silent for too long"),
                Failure::Nonsense(what) => write!(f, "it said {what}"),
                failure => write!(f, "the session came to nothing ({failure:?})"),
            },
            Self::Stranger => f.write_str("what answers there does not say who sends"),
            Self::Address(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HandInError {}

/// Hands it in at this socket: what the server has said of each recipient. Blocks.
pub fn hand_in(socket: &Path, letter: Letter) -> Result<Vec<(Address, Outcome)>, HandInError> {
    smol::block_on(async {
        let stream = net::connect_locally(socket).await.map_err(HandInError::Away)?;
        let host = Domain::parse("localhost").ok_or(HandInError::Stranger)?;
        let setup = Setup {
            host,
            protocol: ClientProtocol::Smtp,
            tls: TlsUse::Never,
            login: None,
            nonce: [0; 18],
            waits: Waits::default(),
        };
        let mut handing = Handing { letter, state: State::Fresh, outcomes: Vec::new() };
        let (_teller, news) = bounded(1);
        let answer = async |ask| handing.answer(ask);
        let driven = net::drive(Client::new(setup), stream, End::Local, &news, answer).await;
        handing.result(driven)
    })
}

/// A letter that is being handed in.
struct Handing {
    letter: Letter,
    state: State,
    outcomes: Vec<(Address, Outcome)>,
}

enum State {
    /// Nothing has been sent.
    Fresh,
    /// Its recipients in lots, as many as the server takes at once; the first is under way.
    Sending(VecDeque<Job>),
    Failed(HandInError),
}

impl Handing {
    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Judge(_) => Answer::Stop,
            Ask::Next(report, terms) => {
                if let Some(report) = report {
                    self.note(report);
                } else if let State::Fresh = self.state {
                    self.state = match self.jobs(terms) {
                        Ok(jobs) => State::Sending(jobs),
                        Err(error) => State::Failed(error),
                    };
                }
                match &self.state {
                    State::Sending(jobs) => jobs
                        .front()
                        .map_or(Answer::Leave, |job| Answer::Send(Box::new(job.clone()))),
                    State::Fresh | State::Failed(_) => Answer::Leave,
                }
            }
            Ask::Read(file, range) => {
                let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
                match file.read_exact_at(&mut piece, range.start) {
                    Ok(()) => Answer::Piece(piece),
                    Err(_) => Answer::Stop,
                }
            }
            Ask::Failed(failure, report) => {
                if let Some(report) = report {
                    self.note(report);
                }
                self.state = State::Failed(HandInError::Failed(failure));
                Answer::Stop
            }
        }
    }

    /// How the lot that was under way has ended.
    fn note(&mut self, report: Report) {
        if let State::Sending(jobs) = &mut self.state
            && let Some(job) = jobs.pop_front()
        {
            let addresses = job.recipients.into_iter().map(|recipient| recipient.address);
            self.outcomes.extend(addresses.zip(report.outcomes));
        }
    }

    fn jobs(&self, terms: Terms) -> Result<VecDeque<Job>, HandInError> {
        let letter = &self.letter;
        let own = terms.known_as.ok_or(HandInError::Stranger)?;
        let whole = |loose: &LooseAddress| loose.within(own.domain()).map_err(HandInError::Address);
        let reverse_path = match &letter.sender {
            Sender::Own => Some(own.clone()),
            Sender::Nobody => None,
            Sender::Named(loose) => Some(whole(loose)?),
        };
        let mut recipients = Vec::new();
        for loose in &letter.recipients {
            let address = whole(loose)?;
            let same = |there: &JobRecipient| there.address == address;
            if !recipients.iter().any(same) {
                recipients.push(JobRecipient { address, notify: letter.notify, original: None });
            }
        }
        let fields = if letter.message.has("from") {
            String::new()
        } else {
            from_field(&letter.full_name, reverse_path.as_ref().unwrap_or(&own))
        };
        let beyond = |address: &Address| !address.to_string().is_ascii();
        let utf8 = recipients.iter().map(|there| &there.address).chain(&reverse_path).any(beyond);
        let text = letter.message.text();
        let demands = Demands {
            letters: if utf8 { Letters::Utf8 } else { Letters::Ascii },
            body: body(text),
            ..Demands::default()
        };
        let file = Arc::new(unnamed(text).map_err(HandInError::Io)?);
        let lot = recipients.chunks(terms.recipients_max.unwrap_or(usize::MAX)).map(|lot| Job {
            reverse_path: reverse_path.clone(),
            recipients: lot.to_vec(),
            demands,
            ret: letter.ret,
            envelope_id: letter.envelope_id.clone(),
            text: Some(JobText {
                fields: fields.clone().into_bytes(),
                file: file.clone(),
                range: 0..text.len() as u64,
            }),
        });
        Ok(lot.collect())
    }

    fn result(
        self,
        driven: Result<(), DriveError>,
    ) -> Result<Vec<(Address, Outcome)>, HandInError> {
        match (self.state, driven) {
            // What was answered counts, however the session ended.
            (State::Sending(jobs), Ok(())) if jobs.is_empty() => Ok(self.outcomes),
            (State::Failed(error), _) if self.outcomes.is_empty() => Err(error),
            (_, Err(error)) if self.outcomes.is_empty() => Err(HandInError::Broken(error)),
            (State::Sending(jobs), _) => {
                let mut outcomes = self.outcomes;
                let left = jobs.into_iter().flat_map(|job| job.recipients);
                outcomes.extend(left.map(|recipient| (recipient.address, Outcome::Lost)));
                Ok(outcomes)
            }
            (State::Fresh | State::Failed(_), _) => Ok(self.outcomes),
        }
    }
}

/// What the server must be able to; ours is.
fn body(text: &[u8]) -> Body {
    if text.contains(&0) {
        Body::BinaryMime
    } else if text.is_ascii() {
        Body::SevenBit
    } else {
        Body::EightBitMime
    }
}

/// A file that nobody else has.
fn unnamed(text: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("pillarbox-message", MemfdFlags::CLOEXEC)?);
    file.write_all(text)?;
    Ok(file)
}
