//! The server's end of an export: an account's mailboxes as they were when it began, the rows of each, and the texts that
//! the other end has not yet. Blocks, on a thread of its own.

use super::transfer::{
    CHUNK_LEN_MAX, ExportHead, ExportStep, MailboxHead, MessageRow, Said, Transfer,
};
use crate::base::AccountId;
use crate::maildir::Uid;
use crate::store::{Account, Entry, Mailbox, Row, Store, StoreError};
use std::io;

const ROWS_MAX: usize = 200;

/// Sends the account.
pub fn export(
    transfer: &mut Transfer,
    store: &Store,
    account: AccountId,
    address: &str,
) -> io::Result<()> {
    let account = store.account(account);
    let mailboxes = match account.mailboxes() {
        Ok(mailboxes) => mailboxes,
        Err(error) => {
            transfer.say(&Said::<ExportHead>::Failed(error.to_string()))?;
            return transfer.flush();
        }
    };
    let head = ExportHead {
        account: account.id().0,
        address: address.to_owned(),
        messages: mailboxes.iter().map(|mailbox| u64::from(mailbox.count)).sum(),
        keywords: mailboxes.text.keywords.clone(),
        subscriptions: mailboxes.subscriptions.iter().map(ToString::to_string).collect(),
    };
    transfer.say(&Said::Done(head))?;
    for mailbox in mailboxes.iter() {
        let head = MailboxHead {
            name: mailbox.name.to_string(),
            uidvalidity: mailbox.validity.0,
            uidnext: mailbox.uidnext.0,
        };
        transfer.say(&ExportStep::Mailbox(head))?;
        let array = match account.array(mailbox) {
            Ok(array) => array,
            Err(error) => return failed(transfer, &error),
        };
        let mut next = Some(Uid(1));
        while let Some(first) = next.filter(|uid| *uid < mailbox.uidnext) {
            let last = Uid(mailbox.uidnext.0 - 1);
            let rows = match account.rows(mailbox.id, first, last, ROWS_MAX) {
                Ok(rows) => rows,
                Err(error) => return failed(transfer, &error),
            };
            next = rows.last().and_then(|row| row.uid.next());
            // The index follows: who is there, and with which flags, says the array.
            let there = |row: &Row| array.find(row.uid).map(|(_, entry)| told(row, entry));
            transfer.say(&ExportStep::Rows(rows.iter().filter_map(there).collect()))?;
            transfer.flush()?;
            let Some(wanted) = transfer.hear::<Vec<u32>>()? else { return Ok(()) };
            let wanted = rows.iter().filter(|row| wanted.binary_search(&row.uid.0).is_ok());
            for row in wanted {
                send(transfer, &account, mailbox, row)?;
            }
        }
    }
    transfer.say(&ExportStep::End)?;
    transfer.flush()?;
    log::info!("control account={} exported", account.id());
    Ok(())
}

fn told(row: &Row, entry: Entry) -> MessageRow {
    MessageRow {
        uid: row.uid.0,
        id: row.email_id.hex(),
        date: row.date,
        size: row.size,
        flags: entry.flags.letters(),
    }
}

fn send(
    transfer: &mut Transfer,
    account: &Account,
    mailbox: &Mailbox,
    row: &Row,
) -> io::Result<()> {
    let text = match account.open(mailbox, row) {
        Ok(text) => text,
        Err(error) => {
            // Expunged meanwhile, or its file is damaged: the other end says which message is missing.
            log::warn!("control export uid={} of {}: {error}", row.uid, mailbox.name);
            return transfer.send_broken();
        }
    };
    let mut at = 0;
    while at < text.size() {
        let piece = match text.read(at..at + CHUNK_LEN_MAX as u64) {
            Ok(piece) if !piece.is_empty() => piece,
            Ok(_) => break,
            Err(error) => {
                log::error!("control export uid={} of {}: {error}", row.uid, mailbox.name);
                return transfer.send_broken();
            }
        };
        at += piece.len() as u64;
        transfer.send(&piece)?;
    }
    transfer.send_end()
}

fn failed(transfer: &mut Transfer, error: &StoreError) -> io::Result<()> {
    log::error!("control export: {error}");
    transfer.say(&ExportStep::Failed(error.to_string()))?;
    transfer.flush()
}
