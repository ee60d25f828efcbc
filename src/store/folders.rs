//! A mailbox's open folders, and finding a message's file in them. Other programs may rename a file at any moment.

use super::row::{At, Row};
use crate::maildir::{Dir, FileName, MailboxName, UidValidity, base};
use std::io;

/// A mailbox's open folders.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub dir: Dir,
    pub cur: Dir,
    pub new: Dir,
}

impl Folders {
    pub fn open(maildir: &Dir, name: &MailboxName) -> io::Result<Self> {
        let dir = match name.is_inbox() {
            true => maildir.clone(),
            false => maildir.folder(name.folder().as_bytes())?,
        };
        let (cur, new) = (dir.make_folder_synced(b"cur")?, dir.make_folder_synced(b"new")?);
        Ok(Self { dir, cur, new })
    }

    pub const fn sub(&self, at: Sub) -> &Dir {
        match at {
            Sub::Cur => &self.cur,
            Sub::New => &self.new,
        }
    }
}

/// `cur/` or `new/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Sub {
    Cur,
    New,
}

/// Where a message's file really is: by the name's flags, by the row's flags, then by a list.
pub(super) fn find_name(
    folders: &Folders,
    row: &Row,
    validity: UidValidity,
) -> Option<(Sub, Vec<u8>)> {
    let stem = row.stem(validity);
    let mut guesses = Vec::with_capacity(3);
    if row.at == At::New {
        guesses.push((Sub::New, stem.clone()));
    }
    guesses.push((Sub::Cur, row.cur_name(validity, row.name_flags)));
    guesses.push((Sub::Cur, row.cur_name(validity, row.flags)));
    for (sub, name) in guesses {
        if folders.sub(sub).has(&name) {
            return Some((sub, name));
        }
    }
    let own_base = base(&stem);
    let place = Some((row.uid, validity));
    for sub in [Sub::Cur, Sub::New] {
        let entries = folders.sub(sub).list().unwrap_or_default();
        let hit = entries.into_iter().find(|entry| {
            let name = FileName::parse(&entry.name);
            name.base() == own_base && (name.place() == place || name.place().is_none())
        });
        if let Some(entry) = hit {
            return Some((sub, entry.name));
        }
    }
    None
}
