//! How sessions with a destination are made: its servers, the best first, with what each must prove.

use super::destination::{Destination, To};
use super::fate::Finding;
use super::guard::{Known, guard};
use super::hosts;
use super::shared::Relay;
use super::sts::Sts;
use super::way::Way;
use crate::dns::Name;
use crate::smtp::{Host, Signed};
use crate::verify::dane::{Dane, dane};
use std::net::IpAddr;
use std::sync::Arc;

/// The name that history and notices have for a server, and how a session with it is made; or why none is.
pub type Planned = (String, Result<Box<Way>, Finding>);

impl Relay {
    /// How sessions with a destination are made, the best first.
    pub(super) async fn plan(&self, destination: &Destination) -> Result<Vec<Planned>, Finding> {
        let label = |host: &Host, address: IpAddr| format!("{}[{address}]", host.name);
        let mut ways = Vec::new();
        match &destination.to {
            To::Behind(server) => {
                ways.push((server.to_string(), Ok(Box::new(Way::behind(server)))));
            }
            To::Smarthost => {
                let Some(smarthost) = &self.smarthost else { return Ok(ways) };
                let families = self.families().await;
                let hosts = hosts::of_smarthost(&self.resolver, &smarthost.name, families).await?;
                for host in &hosts {
                    for &address in &host.addresses {
                        let way = Box::new(Way::by(smarthost, address));
                        ways.push((label(host, address), Ok(way)));
                    }
                }
            }
            To::Domain(domain) => {
                let families = self.families().await;
                let hosts = match hosts::of_literal(domain) {
                    Some(hosts) => hosts,
                    None => hosts::of_domain(&self.resolver, &self.queue, domain, families).await?,
                };
                // An address literal has no policy.
                let name = Name::parse(domain.as_str()).unwrap_or_else(Name::root);
                let sts = self.policy(&name).await;
                for host in &hosts {
                    let dane = self.dane(host).await;
                    for &address in &host.addresses {
                        let (dane, sts, demand) = (dane.clone(), sts.as_deref(), destination.tls);
                        let known = Known { domain: &name, host, dane, sts, demand };
                        let way = guard(&known, address).map(Box::new).map_err(|kept| {
                            if let Some(happened) = &kept.happened {
                                self.tallies.add(&name, happened);
                            }
                            kept.finding
                        });
                        ways.push((label(host, address), way));
                    }
                }
            }
            To::Here => {}
        }
        Ok(ways)
    }

    async fn policy(&self, domain: &Name) -> Option<Arc<Sts>> {
        if domain.is_root() {
            return None;
        }
        let (sts, happened) = self.policies.policy(domain).await;
        if let Some(happened) = happened {
            self.tallies.add(domain, &happened);
        }
        sts
    }

    async fn dane(&self, host: &Host) -> Dane {
        if host.found == Signed::No {
            return Dane::Absent;
        }
        self.resolver.decide(|known| dane(&host.name, &host.canonical, known)).await
    }
}
