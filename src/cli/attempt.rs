//! `pillarbox try`: the whole box on loopback, in a folder of its own, with two accounts, for whoever is curious.

use super::command::{Command, Stop};
use super::server::{TRY_SOCKET, TRY_SUBMIT_SOCKET};
use crate::base::{ClearText, Endpoint};
use crate::daemon::{
    Control, Facts, Lock, Plan, Port, Running, Trial, TrialAccount, serve, signing,
};
use crate::mail::Domain;
use crate::net::{Acceptor, Trust};
use crate::registry::Registry;
use crate::service::RECIPIENTS_A_DAY;
use crate::store::Store;
use argh::FromArgs;
use rustix::fs::Mode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Start a small mail server on loopback, to try it.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "try")]
pub struct TryWords {
    /// the folder for everything (default: try)
    #[argh(option, default = "PathBuf::from(\"try\")")]
    dir: PathBuf,
    /// the first port; the others follow it (default: 2500; 0: any that are free)
    #[argh(option, default = "2500")]
    port_base: u16,
    /// print ports and accounts as one line of JSON
    #[argh(switch)]
    json: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    ports: BTreeMap<&'static str, u16>,
    accounts: &'a [TrialAccount],
}

impl Command for TryWords {
    fn run(self) -> Result<(), Stop> {
        try_out(&self)
    }
}

/// Runs until Ctrl-C.
fn try_out(words: &TryWords) -> Result<(), Stop> {
    // Mail is nobody else's to read, whatever the mask was.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&words.dir)?;
    let _lock = Lock::take(&words.dir)?;
    let data = std::path::absolute(&words.dir)?;
    let registry = Arc::new(Registry::open(&words.dir)?);
    let trial = Trial::open(&words.dir, &registry)?;
    let (certificate, key) = trial.certificate();
    let tls = Acceptor::new(certificate, key).map_err(|error| Stop::Failed(error.to_string()))?;
    let no_domain = || Stop::Failed("the trial domain is no domain".to_owned());
    let host = Domain::parse("pillarbox.test").ok_or_else(no_domain)?;
    let facts = Facts { data: data.clone(), domains: vec![host.clone()] };
    let signing = Arc::new(signing(&facts, &host, &registry));
    let control = Control::bind(&words.dir.join(TRY_SOCKET), facts)?;
    let trust = Trust::default();
    // A trial's people are nobody's: their mail does not leave.
    let plan = Plan {
        host,
        clear_text: ClearText::Allowed,
        tls,
        control,
        trust,
        signing,
        recipients_a_day: RECIPIENTS_A_DAY,
        relay: None,
    };
    let store = Arc::new(Store::new(&data));
    let number = |at| if words.port_base == 0 { 0 } else { words.port_base.saturating_add(at) };
    let address = |at| SocketAddr::from((Ipv4Addr::LOCALHOST, number(at))).into();
    let numbered = Port::ALL.into_iter().filter(|port| *port != Port::Submit);
    let mut wanted: Vec<_> = numbered.zip((0..).map(address)).collect();
    wanted.push((Port::Submit, Endpoint::Socket(data.join(TRY_SUBMIT_SOCKET))));
    let ready = |ports: &[Running]| {
        let text = if words.json { json(ports, &trial) } else { Ok(talk(ports, &trial)) };
        let mut out = std::io::stdout().lock();
        // Whoever closed the pipe does not want to know.
        let _ = out.write_all(text.unwrap_or_default().as_bytes()).and_then(|()| out.flush());
    };
    serve(plan, &wanted, store, registry, ready)?;
    Ok(())
}

fn json(ports: &[Running], trial: &Trial) -> Result<String, serde_json::Error> {
    let ports = (ports.iter())
        .filter_map(|running| Some((running.port.name(), running.address.port()?)))
        .collect();
    let line = serde_json::to_string(&Json { ports, accounts: &trial.accounts })?;
    Ok(line + "\n")
}

fn talk(ports: &[Running], trial: &Trial) -> String {
    let mut text =
        "Pillarbox runs on this machine only. Ctrl-C stops it; the next start goes on.\n\n"
            .to_owned();
    for running in ports {
        text.push_str(&format!("  {:<12} {}\n", running.port.name(), running.address));
    }
    text.push_str("\nAccounts and their device passwords:\n\n");
    for account in &trial.accounts {
        text.push_str(&format!("  {:<20} {}\n", account.address, account.password));
    }
    let find = |port| ports.iter().find(|running| running.port == port);
    if let (Some(smtp), Some(imaps), Some(account)) =
        (find(Port::Smtp), find(Port::Imaps), trial.accounts.first())
    {
        text.push_str(&format!(
            "\nSend a message to the first, and read it:\n\n  swaks --server {} --to {}\n  \
             curl --insecure --user {}:{} 'imaps://{}/INBOX;MAILINDEX=1'\n",
            smtp.address, account.address, account.address, account.password, imaps.address
        ));
    }
    text
}
