//! Pages of other web servers, by HTTPS only: the server must prove its name, no redirection is followed, and it has so
//! long and so much. Names are known before: nobody else is asked. What comes is hostile.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// For all of it (RFC 8461 §3.3).
const WAIT: Duration = Duration::from_mins(1);
const CONNECT_WAIT: Duration = Duration::from_secs(15);
const HTTPS: u16 = 443;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Like `text/plain`, without parameters.
    pub media_type: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Why there is no page.
#[derive(Debug)]
pub enum HttpsError {
    /// The server could not prove its name.
    NotTrusted(String),
    /// It answered with another status than was wanted.
    Status(u16),
    /// It sent more than it may.
    TooLong,
    /// Anything else: no connection, too slow, no HTTP.
    Other(String),
}

impl fmt::Display for HttpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTrusted(why) => write!(f, "the web server is not trusted: {why}"),
            Self::Status(status) => write!(f, "the web server answered {status}"),
            Self::TooLong => f.write_str("the web server sent too much"),
            Self::Other(what) => write!(f, "the web server cannot be asked: {what}"),
        }
    }
}

impl std::error::Error for HttpsError {}

impl From<ureq::Error> for HttpsError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::NativeTls(error) => Self::NotTrusted(error.to_string()),
            ureq::Error::Tls(what) => Self::NotTrusted(what.to_owned()),
            ureq::Error::StatusCode(status) => Self::Status(status),
            ureq::Error::BodyExceedsLimit(_) => Self::TooLong,
            error => Self::Other(error.to_string()),
        }
    }
}

/// Addresses that are known already.
#[derive(Debug)]
struct Known(Vec<IpAddr>);

impl Resolver for Known {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port = uri.port_u16().unwrap_or(HTTPS);
        let mut all = self.empty();
        // As many as it has room for.
        for &address in self.0.iter().take(16) {
            all.push(SocketAddr::new(address, port));
        }
        if all.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(all) }
    }
}

/// The page at `url`, of a server at one of these addresses; 200 is the only status that counts.
pub async fn https_get(
    url: &str,
    addresses: Vec<IpAddr>,
    len_max: u64,
) -> Result<Page, HttpsError> {
    let url = url.to_owned();
    smol::unblock(move || {
        let mut answer = agent(addresses).get(&url).call()?;
        if answer.status() != 200 {
            return Err(HttpsError::Status(answer.status().as_u16()));
        }
        let media_type = answer.body().mime_type().unwrap_or_default().to_owned();
        let body = answer.body_mut().with_config().limit(len_max).read_to_vec()?;
        Ok(Page { media_type, body })
    })
    .await
}

/// Hands over something to `url`; any 2xx says that it was taken.
pub async fn https_post(
    url: &str,
    addresses: Vec<IpAddr>,
    media_type: &'static str,
    body: Vec<u8>,
) -> Result<(), HttpsError> {
    let url = url.to_owned();
    smol::unblock(move || {
        let request = agent(addresses).post(&url).header("Content-Type", media_type);
        let answer = request.send(&body)?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(HttpsError::Status(answer.status().as_u16()))
        }
    })
    .await
}

/// For one request: what it holds of certificates is freed with it.
fn agent(addresses: Vec<IpAddr>) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config = Agent::config_builder()
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("Pillarbox")
        .timeout_connect(Some(CONNECT_WAIT))
        .timeout_global(Some(WAIT))
        .tls_config(tls)
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Known(addresses))
}
