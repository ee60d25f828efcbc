//! Whom does a server behind us know? It is asked when a sender names somebody, so that nobody is refused by a notice
//! later. What it said is remembered for a while; peers choose the addresses, so that is bounded.

use crate::base::{Endpoint, Timestamp};
use crate::mail::{Address, Demands, Domain, Letters, Notify};
use crate::net::{self, Connector, End, within};
use crate::smtp::client::{
    Answer, Ask, Client, ClientProtocol, Heard, Job, JobRecipient, Outcome, Setup, TlsUse, Waits,
};
use smol::channel::bounded;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Asks.
#[derive(Debug)]
pub struct Asking {
    connector: Connector,
    host: Domain,
    remembered: Mutex<HashMap<(Endpoint, String), (Known, Timestamp)>>,
}

/// What a server behind us says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It takes mail for it.
    Yes,
    /// It does not, and said this.
    No(Heard),
    /// It does not now, or cannot be asked.
    Unknown(String),
}

/// The sender waits meanwhile.
const ASKING_WAIT: Duration = Duration::from_secs(20);
/// Mailboxes rarely go, and now and then one comes.
const YES_HOLDS: Duration = Duration::from_hours(6);
const NO_HOLDS: Duration = Duration::from_mins(1);
const REMEMBERED_MAX: usize = 10_000;

impl Asking {
    /// By this name.
    pub fn new(connector: &Connector, host: &Domain) -> Self {
        let (connector, host) = (connector.clone(), host.clone());
        Self { connector, host, remembered: Mutex::default() }
    }

    /// Asks, unless that is known already.
    pub async fn ask(&self, server: &Endpoint, address: &Address) -> Known {
        let (place, now) = ((server.clone(), address.to_string()), net::now());
        if let Some((known, at)) = self.remembered().get(&place) {
            let holds = if *known == Known::Yes { YES_HOLDS } else { NO_HOLDS };
            if now < *at + holds {
                return known.clone();
            }
        }
        let asked = within(ASKING_WAIT, Box::pin(self.converse(server, address))).await;
        let known = asked.unwrap_or_else(|| Known::Unknown("it did not answer in time".to_owned()));
        match &known {
            Known::Yes | Known::No(_) => {
                let mut remembered = self.remembered();
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(place, (known.clone(), now));
            }
            Known::Unknown(why) => log::warn!("server={server} to={address} {why}"),
        }
        known
    }

    fn remembered(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<(Endpoint, String), (Known, Timestamp)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn converse(&self, server: &Endpoint, address: &Address) -> Known {
        let connected = match server {
            Endpoint::Address(address) => net::connect(*address).await,
            Endpoint::Socket(path) => net::connect_locally(path).await,
        };
        let stream = match connected {
            Ok(stream) => stream,
            Err(error) => return Known::Unknown(format!("no connection: {error}")),
        };
        let setup = Setup {
            host: self.host.clone(),
            protocol: ClientProtocol::Lmtp,
            tls: TlsUse::Never,
            login: None,
            nonce: [0; 18],
            waits: Waits::default(),
        };
        let (_teller, news) = bounded(1);
        let mut known = Known::Unknown("it did not say".to_owned());
        let answer = async |ask: Ask| match ask {
            Ask::Next(None, _) => Answer::Send(Box::new(job(address))),
            Ask::Next(Some(report), _) => {
                known = match report.outcomes.into_iter().next() {
                    Some(Outcome::Taken(_)) => Known::Yes,
                    Some(Outcome::Refused(heard) | Outcome::TooMany(heard))
                        if heard.is_refusal() =>
                    {
                        Known::No(heard)
                    }
                    Some(Outcome::Refused(heard) | Outcome::TooMany(heard)) => {
                        Known::Unknown(heard.to_string())
                    }
                    Some(Outcome::Unable(lack)) => Known::Unknown(format!("it lacks {lack:?}")),
                    Some(Outcome::Lost) | None => Known::Unknown("it broke off".to_owned()),
                };
                Answer::Leave
            }
            Ask::Failed(failure, _) => {
                known = Known::Unknown(format!("{failure:?}"));
                Answer::Leave
            }
            Ask::Judge(_) | Ask::Read(..) => Answer::Stop,
        };
        let driven =
            net::drive(Client::new(setup), stream, End::Client(&self.connector, ""), &news, answer);
        if let (Err(error), Known::Unknown(_)) = (driven.await, &known) {
            return Known::Unknown(error.to_string());
        }
        known
    }
}

/// Without a text: only whether it would be taken.
fn job(address: &Address) -> Job {
    let is_ascii = address.to_string().is_ascii();
    let letters = if is_ascii { Letters::Ascii } else { Letters::Utf8 };
    let (notify, original) = (Notify::Unsaid, None);
    Job {
        reverse_path: None,
        recipients: vec![JobRecipient { address: address.clone(), notify, original }],
        demands: Demands { letters, ..Demands::default() },
        ret: None,
        envelope_id: None,
        text: None,
    }
}
