//! Another program at work in the Maildir: it delivers, flags and removes, and waits until the server has seen it.

use super::load::{id, wait};
use super::world::{Outcome, date, text};
use pillarbox::maildir::{Flags, Uid};
use pillarbox::store::{Account, StoreError};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Where it works.
pub struct Stranger {
    pub maildir: PathBuf,
}

impl Stranger {
    fn folder(&self, account: &Account, mailbox: u64) -> Result<PathBuf, StoreError> {
        let mailboxes = account.mailboxes()?;
        let mailbox = mailboxes.get(id(mailbox)).ok_or(StoreError::NoMailbox)?;
        Ok(self.maildir.join(mailbox.name.folder()))
    }

    /// As a delivery program does it; the name is synced by whoever shows it.
    pub fn drop_file(
        &self,
        account: &Account,
        mailbox: u64,
        token: &str,
    ) -> Result<Outcome, StoreError> {
        let folder = self.folder(account, mailbox)?;
        let (seconds, _) = date(token);
        let name = format!("{seconds}.{token}.other");
        let (tmp, new) = (folder.join("tmp").join(&name), folder.join("new").join(&name));
        let write = || {
            let mut file = File::create_new(&tmp)?;
            file.write_all(&text(token))?;
            file.sync_all()?;
            std::fs::rename(&tmp, &new)
        };
        write().map_err(|error| StoreError::io("write as another program", &error))?;
        for _ in 0..1000 {
            look(account, mailbox)?;
            let rows = account.rows(id(mailbox), Uid(1), Uid(u32::MAX), usize::MAX)?;
            let base = name.as_bytes();
            let own = |row: &&pillarbox::store::Row| {
                row.stem.as_ref().is_some_and(|stem| stem.starts_with(base))
            };
            if let Some(row) = rows.iter().find(own) {
                return Ok(Outcome::Placed(vec![(mailbox, row.uid.0, row.email_id.0)]));
            }
        }
        panic!("{token}: a file that another program brought was not seen");
    }

    fn file(&self, account: &Account, mailbox: u64, uid: u32) -> Result<PathBuf, StoreError> {
        wait(account.settle())?;
        let folder = self.folder(account, mailbox)?;
        for sub in ["cur", "new"] {
            for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if name.contains(&format!(",P={uid}.")) {
                    return Ok(path);
                }
            }
        }
        Err(StoreError::NoMessage)
    }

    pub fn mark(
        &self,
        account: &Account,
        mailbox: u64,
        uid: u32,
        flags: u32,
    ) -> Result<Outcome, StoreError> {
        let path = self.file(account, mailbox, uid)?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (stem, letters) = name.split_once(":2,").unwrap_or((&name, ""));
        let new = Flags::from_letters(letters.as_bytes()).union(Flags(flags)).letters();
        let cur = path.parent().unwrap().parent().unwrap().join("cur");
        let new = cur.join(format!("{stem}:2,{new}"));
        // Between two folders in two steps: what a rename of another program loses where renames are not atomic is no
        // fault of ours.
        let renamed = match path.starts_with(&cur) {
            true => std::fs::rename(&path, &new),
            false => std::fs::hard_link(&path, &new)
                .and_then(|()| File::open(&cur)?.sync_all())
                .and_then(|()| std::fs::remove_file(&path)),
        };
        renamed.map_err(|error| StoreError::io("rename as another program", &error))?;
        for _ in 0..1000 {
            look(account, mailbox)?;
            let mailboxes = account.mailboxes()?;
            let array = account.array(mailboxes.get(id(mailbox)).ok_or(StoreError::NoMailbox)?)?;
            if array.find(Uid(uid)).is_some_and(|(_, entry)| entry.flags.contains(Flags(flags))) {
                return Ok(Outcome::Plain);
            }
        }
        panic!("{mailbox} {uid}: a flag that another program set was not seen");
    }

    pub fn remove(&self, account: &Account, mailbox: u64, uid: u32) -> Result<Outcome, StoreError> {
        let path = self.file(account, mailbox, uid)?;
        std::fs::remove_file(path).map_err(|_| StoreError::NoMessage)?;
        for _ in 0..1000 {
            look(account, mailbox)?;
            let mailboxes = account.mailboxes()?;
            let array = account.array(mailboxes.get(id(mailbox)).ok_or(StoreError::NoMailbox)?)?;
            if array.find(Uid(uid)).is_none() {
                return Ok(Outcome::Plain);
            }
        }
        panic!("{mailbox} {uid}: a removal by another program was not seen");
    }
}

/// Until there is room for what was found.
fn look(account: &Account, mailbox: u64) -> Result<(), StoreError> {
    match wait(account.look(Some(id(mailbox)))) {
        Err(StoreError::NoSpace) => Ok(()),
        other => other,
    }
}
