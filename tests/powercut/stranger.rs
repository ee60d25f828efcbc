//! Another program at work in the Maildir: it delivers, flags and removes, and waits until the server has seen it.

use super::load::{id, wait};
use super::world::{Op, Outcome, date, text};
use pillarbox::maildir::{Flags, Uid};
use pillarbox::store::{Account, Row, StoreError};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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

    /// Does it and waits until it is seen.
    pub fn work(&self, account: &Account, op: &Op) -> Result<Outcome, StoreError> {
        if !matches!(op, Op::Drop { .. }) {
            wait(account.settle())?;
        }
        act(&self.folder(account, mailbox_of(op))?, op)?;
        see(account, op)
    }

    /// Has every name followed? Else the change log speaks of names that are not there yet.
    pub fn may_work_alone(&self) -> bool {
        let log = std::fs::read(self.maildir.join("pillarbox-changes")).unwrap();
        let generation =
            |at: usize| log[at..].split(|&byte| byte == b' ').nth(1).map(<[u8]>::to_vec);
        generation(0) != generation(512)
    }
}

fn mailbox_of(op: &Op) -> u64 {
    match op {
        Op::Drop { mailbox, .. } | Op::Mark { mailbox, .. } | Op::Remove { mailbox, .. } => {
            *mailbox
        }
        other => panic!("no other program does {other:?}"),
    }
}

/// Does it in the folder of the mailbox. As other programs do, it leaves the syncs of names to whoever needs them.
pub fn act(folder: &Path, op: &Op) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::io("work as another program", &error);
    match op {
        Op::Drop { token, .. } => {
            let name = drop_name(token);
            let tmp = folder.join("tmp").join(&name);
            let write = || {
                let mut file = File::create_new(&tmp)?;
                file.write_all(&text(token))?;
                file.sync_all()?;
                std::fs::rename(&tmp, folder.join("new").join(&name))
            };
            write().map_err(failed)
        }
        Op::Mark { uid, flags, .. } => {
            let path = file(folder, *uid)?;
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let (stem, letters) = name.split_once(":2,").unwrap_or((&name, ""));
            let letters = Flags::from_letters(letters.as_bytes()).union(Flags(*flags)).letters();
            let cur = folder.join("cur");
            let new = cur.join(format!("{stem}:2,{letters}"));
            // Between two folders in two steps: what a rename of another program loses where renames are not atomic is
            // no fault of ours.
            let renamed = match path.starts_with(&cur) {
                true => std::fs::rename(&path, &new),
                false => std::fs::hard_link(&path, &new)
                    .and_then(|()| File::open(&cur)?.sync_all())
                    .and_then(|()| std::fs::remove_file(&path)),
            };
            renamed.map_err(failed)
        }
        Op::Remove { uid, .. } => std::fs::remove_file(file(folder, *uid)?).map_err(failed),
        other => panic!("no other program does {other:?}"),
    }
}

/// Waits until a client sees it.
pub fn see(account: &Account, op: &Op) -> Result<Outcome, StoreError> {
    let mailbox = mailbox_of(op);
    for _ in 0..1000 {
        look(account, mailbox)?;
        let mailboxes = account.mailboxes()?;
        let array = account.array(mailboxes.get(id(mailbox)).ok_or(StoreError::NoMailbox)?)?;
        match op {
            Op::Drop { token, .. } => {
                let rows = account.rows(id(mailbox), Uid(1), Uid(u32::MAX), usize::MAX)?;
                let name = drop_name(token).into_bytes();
                let own = |row: &&Row| row.stem.as_ref().is_some_and(|s| s.starts_with(&name));
                if let Some(row) = rows.iter().find(own) {
                    return Ok(Outcome::Placed(vec![(mailbox, row.uid.0, row.email_id.0)]));
                }
            }
            Op::Mark { uid, flags, .. } => {
                let now = array.find(Uid(*uid)).map_or(Flags::default(), |(_, entry)| entry.flags);
                if now.contains(Flags(*flags)) {
                    return Ok(Outcome::Plain);
                }
            }
            Op::Remove { uid, .. } if array.find(Uid(*uid)).is_none() => {
                return Ok(Outcome::Plain);
            }
            _ => {}
        }
    }
    panic!("what another program did was not seen: {op:?}");
}

fn drop_name(token: &str) -> String {
    format!("{}.{token}.other", date(token).0)
}

fn file(folder: &Path, uid: u32) -> Result<PathBuf, StoreError> {
    for sub in ["cur", "new"] {
        for entry in std::fs::read_dir(folder.join(sub)).map_err(|_| StoreError::NoMailbox)? {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.contains(&format!(",P={uid}.")) {
                return Ok(path);
            }
        }
    }
    Err(StoreError::NoMessage)
}

/// Until there is room for what was found.
fn look(account: &Account, mailbox: u64) -> Result<(), StoreError> {
    match wait(account.look(Some(id(mailbox)))) {
        Err(StoreError::NoSpace) => Ok(()),
        other => other,
    }
}
