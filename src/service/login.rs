//! Who logs in, asked by every protocol alike: the password is checked on a thread of the store, a failure is logged and
//! waits.

use crate::base::Quoted;
use crate::net::{self, Attempts};
use crate::registry::{LoggedIn, Registry};
use crate::sasl::{Credentials, ScramSecrets};
use crate::store::Store;
use openssl::rand::rand_bytes;
use smol::Timer;
use std::net::IpAddr;
use std::sync::Arc;

/// Checks logins.
#[derive(Debug)]
pub struct Logins {
    store: Arc<Store>,
    registry: Arc<Registry>,
    attempts: Attempts,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefused {
    /// The name or the password is wrong.
    Wrong,
    /// We have a fault; it is in the log.
    Fault,
    /// The server stops.
    Stopping,
}

impl Logins {
    /// Nobody has failed yet.
    pub fn new(store: Arc<Store>, registry: Arc<Registry>) -> Self {
        Self { store, registry, attempts: Attempts::default() }
    }

    /// What SCRAM must know of a name.
    pub async fn secrets(&self, name: String) -> Result<ScramSecrets, LoginRefused> {
        let mut nonce = [0; 18];
        if let Err(error) = rand_bytes(&mut nonce) {
            log::error!("service=login no random numbers: {error}");
            return Err(LoginRefused::Fault);
        }
        let registry = self.registry.clone();
        match self.store.run(move || registry.scram_secrets(&name, nonce)).await {
            Some(Ok(secrets)) => Ok(secrets),
            Some(Err(error)) => {
                log::error!("service=login {error}");
                Err(LoginRefused::Fault)
            }
            None => Err(LoginRefused::Stopping),
        }
    }

    /// Whose account these credentials open. `protocol` is for the log.
    pub async fn check(
        &self,
        protocol: &str,
        peer: IpAddr,
        credentials: Credentials,
    ) -> Result<LoggedIn, LoginRefused> {
        let (registry, now) = (self.registry.clone(), net::now());
        let named = credentials.authcid.clone();
        match self.store.run(move || registry.log_in(&credentials, now)).await {
            Some(Ok(Some(login))) => {
                log::info!("protocol={protocol} login={} peer={peer}", login.name);
                Ok(login)
            }
            Some(Ok(None)) => {
                let name = Quoted(named.as_bytes());
                log::info!("protocol={protocol} login failed name={name} peer={peer}");
                Timer::after(self.attempts.failed(peer, &named, now)).await;
                Err(LoginRefused::Wrong)
            }
            Some(Err(error)) => {
                log::error!("protocol={protocol} login: {error}");
                Err(LoginRefused::Fault)
            }
            None => Err(LoginRefused::Stopping),
        }
    }
}
