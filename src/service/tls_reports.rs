//! Once a day other domains hear how sessions with their mail servers went (RFC 8460), if they ask for it.

use super::leaving::{Outbox, Signs};
use super::relay::{Relay, day};
use crate::base::Timestamp;
use crate::dns::Name;
use crate::mail::{Address, Date, Demands, Domain, Notify, TlsDemand};
use crate::net::{self, https_post};
use crate::smtp::{Families, Route, host};
use crate::spool::{Envelope, Recipient};
use crate::verify::tls_report::{Destination, Letter, Tally, destinations, file_name, letter};
use flate2::Compression;
use flate2::write::GzEncoder;
use openssl::rand::rand_bytes;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// Reports on a day leave so long after its end, and up to so much later, by chance (§4.1).
const SECONDS_AFTER: u32 = 1800;
const SECONDS_SPREAD: u32 = 4 * 3600;
/// A report that nobody takes is tried again until it is so old (§5.5).
const GIVE_UP_AFTER_DAYS: i64 = 2;

/// What reports say of us.
#[derive(Debug)]
pub struct TlsReports {
    /// Ours, which signs them.
    pub domain: Domain,
    /// By which they leave.
    pub outbox: Outbox,
    /// How many seconds after midnight.
    delay: u32,
}

impl TlsReports {
    /// For a box with this first domain.
    pub fn new(domain: Domain, outbox: Outbox) -> Self {
        let mut bytes = [0; 4];
        // Without randomness all at the same time is good enough.
        let drawn = rand_bytes(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes));
        Self { domain, outbox, delay: SECONDS_AFTER + drawn % SECONDS_SPREAD }
    }

    /// Keeps what was counted, and reports on the days that are over. To be called now and then.
    pub async fn send_due(&self, relay: &Relay) {
        let tallies = relay.tallies().clone();
        let now = net::now();
        let today = day(now);
        let over = day(now - Duration::from_secs(self.delay.into()));
        let kept = tallies.clone();
        let read = move || {
            kept.keep()?;
            kept.before(over)
        };
        let days = match smol::unblock(read).await {
            Ok(days) => days,
            Err(error) => return log::error!("reports on TLS are not kept: {error}"),
        };
        for (of, domain, tally) in days {
            let is_old = today - of > GIVE_UP_AFTER_DAYS;
            if self.send(relay, of, &domain, &tally).await || is_old {
                let tallies = tallies.clone();
                if let Err(error) = smol::unblock(move || tallies.forget(of, &domain)).await {
                    log::error!("a report on TLS may go out twice: {error}");
                }
            }
        }
    }

    /// Sends a report. False: it is to be tried again.
    async fn send(&self, relay: &Relay, of: i64, domain: &Name, tally: &Tally) -> bool {
        let wanted = relay.resolver().decide(|known| destinations(domain, known)).await;
        if wanted.is_empty() {
            return true;
        }
        let (begin, end) = (of * 86_400, (of + 1) * 86_400 - 1);
        let Ok(from) = Address::new("tlsrpt", self.domain.clone()) else { return true };
        let id = format!("{begin}.{}@{}", domain.as_str(), self.domain);
        let time =
            |seconds| Date { at: Timestamp::from_seconds(seconds), zone_minutes: 0 }.internet();
        let report = json!({
            "organization-name": self.domain.as_str(),
            "date-range": { "start-datetime": time(begin), "end-datetime": time(end) },
            "contact-info": from.to_string(),
            "report-id": id,
            "policies": tally.policies(domain.as_str()),
        });
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        // Writing to memory cannot fail.
        let _ = packed.write_all(report.to_string().as_bytes());
        let packed = packed.finish().unwrap_or_default();
        let mut sent = false;
        for destination in wanted {
            sent |= match destination {
                Destination::Https(url) => post(relay, &url, packed.clone()).await,
                Destination::Mail(to) => {
                    let file_name = file_name(self.domain.as_str(), domain.as_str(), (begin, end));
                    let text = letter(&Letter {
                        from: &from,
                        to: &to,
                        date: Date { at: net::now(), zone_minutes: 0 },
                        domain: domain.as_str(),
                        id: &id,
                        file_name: &file_name,
                        report: &packed,
                    });
                    self.mail(to, text).await
                }
            };
        }
        sent
    }

    async fn mail(&self, to: Address, text: String) -> bool {
        let recipient = Recipient { notify: Notify::Never, ..Recipient::new(to) };
        // It must arrive above all where TLS does not work (§5.3), and nobody waits for its bounce.
        let demands = Demands { tls: TlsDemand::Waived, ..Demands::default() };
        let envelope = Envelope { demands, ..Envelope::new(net::now(), None, vec![recipient]) };
        let outbox = self.outbox.clone();
        let written = move || {
            let mut leaving = outbox.begin(envelope, Signs::Always)?;
            leaving.write(text.as_bytes())?;
            leaving.finish()
        };
        match smol::unblock(written).await {
            Ok((outbox, queued)) => {
                outbox.queue.accept(queued);
                true
            }
            Err(error) => {
                log::error!("a report on TLS is not queued: {error}");
                false
            }
        }
    }
}

async fn post(relay: &Relay, url: &str, report: Vec<u8>) -> bool {
    let name = url.strip_prefix("https://").and_then(|rest| rest.split(['/', ':', '?']).next());
    let Some(name) = name.and_then(Name::parse) else { return true };
    let rule = |known: &_| host(&name, Families::FourAndSix, known);
    let Route::Hosts(hosts) = relay.resolver().decide(rule).await else { return false };
    let addresses = hosts.into_iter().flat_map(|host| host.addresses).collect();
    match https_post(url, addresses, "application/tlsrpt+gzip", report).await {
        Ok(()) => true,
        Err(error) => {
            log::warn!("host={name} takes no report on TLS: {error}");
            false
        }
    }
}
