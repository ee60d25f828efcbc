//! A program on this machine sends as the user that runs it. Who that is says the kernel; which addresses it may send from
//! is decided here. The program controls all else.
//!
//! A user `ann` has the address `ann@` the first domain of the box. If a person here has that address, all of that person's
//! addresses are ann's as well. The server's own user and root send from any address of ours. Everybody may send from `<>`,
//! as reports and automatic answers do (RFC 3834 §3.3). The From field is not looked at, as on the submission ports: the
//! trace on top of the message says whose program it was.

use super::local_rate::LocalRate;
use super::local_user::LocalUser;
use super::replies::{failed, stopped};
use crate::mail::{Address, Domain};
use crate::net;
use crate::registry::{Registry, RegistryError};
use crate::smtp::{Enhanced, Login, Reply};
use crate::store::Store;
use rustix::process::geteuid;
use std::sync::Arc;

/// A user of this machine who is connected.
#[derive(Debug)]
pub struct Local {
    user: LocalUser,
    address: Address,
    login: Login,
    rights: Rights,
    rate: Arc<LocalRate>,
}

/// From where a user may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// From any address of ours.
    All,
    /// From the user's own.
    Own,
}

impl Local {
    /// The user of this number; `domain` is the first of ours.
    pub async fn connected(
        uid: u32,
        domain: &Domain,
        store: &Store,
        registry: &Arc<Registry>,
        rate: Arc<LocalRate>,
    ) -> Result<Self, Reply> {
        let (registry, domain) = (registry.clone(), domain.clone());
        let find = move || {
            let mut user = LocalUser::of(uid);
            let address = Address::new(&user.name, domain.clone()).or_else(|_| {
                user.name = format!("uid-{uid}");
                Address::new(&user.name, domain)
            });
            let account = address.as_ref().ok().map(|address| registry.resolve(address));
            Ok::<_, RegistryError>((user, address, account.transpose()?.flatten()))
        };
        let found = store.run(find).await.ok_or_else(stopped)?;
        let (user, address, account) = found.map_err(|error| failed(&error))?;
        let no_name = |_| Reply::new(554, Enhanced(5, 1, 8), "You have no name that mail can have");
        let address = address.map_err(no_name)?;
        let rights = if uid == 0 || uid == geteuid().as_raw() { Rights::All } else { Rights::Own };
        let login = Login { account, name: address.to_string(), device: Some(-1 - i64::from(uid)) };
        Ok(Self { user, address, login, rights, rate })
    }

    /// As the session has it.
    pub const fn login(&self) -> &Login {
        &self.login
    }

    /// May a message be sent from here, now? It counts.
    pub async fn may_send(
        &self,
        store: &Store,
        registry: &Arc<Registry>,
        path: Option<Address>,
    ) -> Result<(), Reply> {
        if let Some(path) = path {
            self.owns(store, registry, path).await?;
        }
        self.rate.spend(self.user.uid, net::now()).map_err(|wait| {
            let (most, minutes) = (self.rate.most(), wait.as_secs().div_ceil(60));
            let text = format!(
                "{} has sent {most} messages within an hour, and may not send more; try again in {minutes} minutes",
                self.user.name
            );
            Reply::new(452, Enhanced(4, 7, 1), text)
        })
    }

    async fn owns(
        &self,
        store: &Store,
        registry: &Arc<Registry>,
        path: Address,
    ) -> Result<(), Reply> {
        let own = path.domain() == self.address.domain()
            && path.user().eq_ignore_ascii_case(self.address.local());
        if own {
            return Ok(());
        }
        let (registry, rights, account) = (registry.clone(), self.rights, self.login.account);
        let shown = path.to_string();
        let may = move || match (rights, account) {
            (Rights::All, _) => registry.is_ours(path.domain()),
            (Rights::Own, Some(account)) => registry.may_send(account, &path),
            (Rights::Own, None) => Ok(false),
        };
        let may = store.run(may).await.ok_or_else(stopped)?;
        if may.map_err(|error| failed(&error))? {
            return Ok(());
        }
        let text =
            format!("{} may not send from {shown}; only from {}", self.user.name, self.address);
        let text = match self.rights {
            Rights::Own => text,
            Rights::All => format!("{shown} is in no domain of ours"),
        };
        Err(Reply::new(550, Enhanced(5, 7, 1), text))
    }
}
