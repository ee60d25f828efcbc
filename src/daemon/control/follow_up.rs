//! What goes on over a connection after its request was answered: an import or an export.

use super::exporting::export;
use super::importing::import;
use super::transfer::Transfer;
use super::wire::{Answer, ImportWay, Request};
use crate::base::AccountId;
use crate::service::Way;
use crate::store::Store;
use std::io;
use std::sync::Arc;

/// Does it. Blocks for as long as it takes.
pub type FollowUp = Box<dyn FnOnce(&mut Transfer) -> io::Result<()> + Send>;

/// What follows this answer to a request, if something does.
pub fn follow_up(store: &Arc<Store>, request: &Request, answer: &Answer) -> Option<FollowUp> {
    let Answer::Done(account) = answer else { return None };
    let account = AccountId(account.as_u64()?.try_into().ok()?);
    let store = store.clone();
    match request {
        Request::Import { way, .. } => {
            let way = match way {
                ImportWay::Take => Way::Take,
                ImportWay::TakeAgain => Way::TakeAgain,
                ImportWay::Try => Way::Try,
            };
            Some(Box::new(move |transfer| import(transfer, &store, account, way)))
        }
        Request::Export { user } => {
            let user = user.clone();
            Some(Box::new(move |transfer| export(transfer, &store, account, &user)))
        }
        _ => None,
    }
}
