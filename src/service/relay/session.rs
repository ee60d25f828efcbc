//! One session with one server: it is connected, driven, and what it came to is told.

use super::destination::Destination;
use super::errand::{Errands, Judged};
use super::fate::Finding;
use super::shared::Relay;
use super::way::{Refusal, Reported, TlsStart, Way};
use crate::base::{Doubt, Endpoint, Machine};
use crate::mail::TlsDemand;
use crate::net::{self, DriveError, End};
use crate::smtp::Enhanced;
use crate::smtp::client::{Client, Setup, TlsUse, Waits};
use crate::verify::tls_report::{Happened, TlsFailure};
use openssl::rand::rand_bytes;

/// How a session ended.
pub enum Ended {
    /// There is nothing more for this destination.
    Served,
    /// Nothing answers there.
    Unreachable(Finding),
    /// It came to nothing, or broke after so many messages.
    Broken(Finding, usize),
}

impl Relay {
    /// A session; once more without TLS where its handshake failed and nothing demands it.
    pub(super) async fn converse(&self, destination: &Destination, way: Way, label: &str) -> Ended {
        let tls = way.tls;
        match self.session(destination, &way, label).await {
            Ok(ended) => ended,
            Err(DriveError::Tls(error)) if tls == TlsUse::IfOffered => {
                log::warn!("host={label} TLS failed ({error}), tried in clear");
                let refusal = Refusal::ForLater;
                let way = Way { tls: TlsUse::Never, reported: None, refusal, ..way };
                let again = self.session(destination, &way, label).await;
                again.unwrap_or_else(|error| broken(destination, &error))
            }
            Err(error) => broken(destination, &error),
        }
    }

    async fn session(
        &self,
        destination: &Destination,
        way: &Way,
        label: &str,
    ) -> Result<Ended, DriveError> {
        let connected = match &way.at {
            Endpoint::Address(address) => net::connect(*address).await,
            Endpoint::Socket(path) => net::connect_locally(path).await,
        };
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(error) => {
                let said = format!("no connection: {error}");
                return Ok(Ended::Unreachable(Finding::later(Enhanced(4, 4, 1), said)));
            }
        };
        let setup = Setup {
            host: self.queue.host.clone(),
            protocol: way.protocol,
            tls: way.tls,
            login: way.login.clone(),
            nonce: nonce(),
            waits: Waits::default(),
        };
        let news = self.enter();
        let mut errands = Errands::new(&self.queue, destination, label, way);
        let end = End::Client(&self.connector, &way.server_name);
        let mut client = Client::new(setup);
        if way.start == TlsStart::AtOnce {
            let (secured, facts) = net::secure(stream, end).await?;
            stream = secured;
            client.secured(facts);
        }
        let answer = async |ask| errands.answer(ask).await;
        let driven = net::drive(client, stream, end, &news, answer).await;
        if let Err(error) = &driven {
            errands.broke(&error.to_string()).await;
        }
        if let Some(reported) = &way.reported {
            self.report(reported, &errands.judged, driven.as_ref().err());
        }
        let served = errands.served;
        match (errands.failure.take(), driven) {
            (Some(failure), _) => Ok(Ended::Broken(errands.finding(&failure), served)),
            (None, Ok(())) => Ok(Ended::Served),
            (None, Err(error)) if served == 0 => Err(error),
            (None, Err(error)) => {
                Ok(Ended::Broken(Finding::later(Enhanced(4, 4, 2), error.to_string()), served))
            }
        }
    }

    /// Counts what the server's domain wants to hear of.
    fn report(&self, reported: &Reported, judged: &Judged, error: Option<&DriveError>) {
        let outcome = match (judged, error) {
            (Judged::Right, _) => Ok(()),
            (Judged::Clear, _) => Err((TlsFailure::StarttlsNotSupported, String::new())),
            (Judged::Doubted(doubt), _) => Err((failure(doubt), doubt.to_string())),
            (Judged::Unknown, Some(DriveError::Tls(error))) => {
                Err((TlsFailure::ValidationFailure, error.to_string()))
            }
            // It did not come so far: that is no matter of TLS (RFC 8460 §4.3.4).
            (Judged::Unknown, _) => return,
        };
        let (applied, host) = (reported.applied.clone(), Some(reported.host.clone()));
        self.tallies.add(&reported.domain, &Happened { applied, host, outcome });
    }
}

/// For logins.
fn nonce() -> [u8; 18] {
    let mut bytes = [0; 18];
    if let Err(error) = rand_bytes(&mut bytes) {
        // Whoever sees two exchanges with one nonce learns nothing of the password by it; the server's half is fresh.
        log::error!("no random numbers: {error}");
    }
    bytes
}

const fn failure(doubt: &Doubt) -> TlsFailure {
    match doubt {
        Doubt::Expired => TlsFailure::CertificateExpired,
        Doubt::OtherName | Doubt::NotInDns => TlsFailure::CertificateHostMismatch,
        Doubt::NotTrusted(_) => TlsFailure::CertificateNotTrusted,
        Doubt::NoCertificate => TlsFailure::ValidationFailure,
    }
}

fn broken(destination: &Destination, error: &DriveError) -> Ended {
    let finding = match error {
        DriveError::Tls(_) if destination.tls == TlsDemand::Required => {
            Finding::unsafe_way(destination.tls, error.to_string())
        }
        _ => Finding::later(Enhanced(4, 4, 2), error.to_string()),
    };
    Ended::Broken(finding, 0)
}
