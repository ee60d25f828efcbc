//! What really lies in a mailbox's `cur/` and `new/`, by the names alone.

use super::folders::{Folders, Sub};
use super::row::{At, Row};
use crate::maildir::{FileName, Kind, Uid, UidValidity, base};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

/// A file under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub sub: Sub,
    pub name: Vec<u8>,
    pub inode: u64,
}

impl Found {
    pub fn parsed(&self) -> FileName {
        FileName::parse(&self.name)
    }

    pub const fn at(&self) -> At {
        match self.sub {
            Sub::Cur => At::Cur,
            Sub::New => At::New,
        }
    }
}

/// A mailbox's files.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Files with a place of ours in this mailbox.
    pub placed: BTreeMap<Uid, Found>,
    /// All other files.
    pub foreign: Vec<Found>,
    /// Second names of files in `placed`, with the same place: a rename of ours of which a cut left both ends.
    pub doubles: Vec<Found>,
    /// Links, FIFOs and folders: not touched, reported.
    pub strange: u32,
}

impl Survey {
    /// Lists a mailbox. A second file with a UID is foreign; so is a UID at or above `limit`, which was never given.
    pub fn take(folders: &Folders, validity: UidValidity, limit: Uid) -> io::Result<Self> {
        let mut survey = Self::default();
        for sub in [Sub::Cur, Sub::New] {
            for entry in folders.sub(sub).list()? {
                // Names with a leading dot are other programs' temporary or hidden files.
                if entry.name.starts_with(b".") {
                    continue;
                }
                if entry.kind != Kind::File {
                    survey.strange += 1;
                    continue;
                }
                let found = Found { sub, name: entry.name, inode: entry.inode };
                match found.parsed().place() {
                    Some((uid, v)) if v == validity && uid < limit => {
                        if let std::collections::btree_map::Entry::Vacant(free) =
                            survey.placed.entry(uid)
                        {
                            free.insert(found);
                        } else {
                            survey.foreign.push(found);
                        }
                    }
                    Some(_) | None => survey.foreign.push(found),
                }
            }
        }
        Ok(survey)
    }

    /// Puts right what the rows know better: of two files with one UID the row's base stays; a file whose base a row
    /// knows and whose own file is missing is that message, renamed. Returns those whose place must be put back.
    pub fn settle(
        &mut self,
        rows: &BTreeMap<Uid, Row>,
        validity: UidValidity,
    ) -> Vec<(Uid, Found)> {
        let mut returned = Vec::new();
        let bases: HashMap<Vec<u8>, Uid> = match self.foreign.is_empty() {
            true => HashMap::new(),
            false => {
                rows.values().map(|row| (base(&row.stem(validity)).to_vec(), row.uid)).collect()
            }
        };
        let mut rest = Vec::new();
        for found in std::mem::take(&mut self.foreign) {
            let own_base = base(&found.name).to_vec();
            let Some(&uid) = bases.get(&own_base) else {
                rest.push(found);
                continue;
            };
            match self.placed.get(&uid) {
                None => {
                    self.placed.insert(uid, found.clone());
                    returned.push((uid, found));
                }
                Some(there) if base(&there.name) != own_base => {
                    // The file that took this UID is the stranger.
                    let stranger = there.clone();
                    rest.push(stranger);
                    if found.parsed().place() != Some((uid, validity)) {
                        returned.push((uid, found.clone()));
                    }
                    self.placed.insert(uid, found);
                }
                Some(_) => rest.push(found),
            }
        }
        let impostors: Vec<Uid> = (self.placed.iter())
            .filter(|(uid, found)| rows.get(uid).is_some_and(|row| !row.is_named(&found.parsed())))
            .map(|(&uid, _)| uid)
            .collect();
        rest.extend(impostors.iter().filter_map(|uid| self.placed.remove(uid)));
        // A second name of a message's own file is the same message, unless each has a place of its own.
        let inodes: BTreeSet<u64> = self.placed.values().map(|found| found.inode).collect();
        for found in rest {
            let uid = found.parsed().place().filter(|&(_, v)| v == validity).map(|(uid, _)| uid);
            let same = |uid| self.placed.get(&uid).is_some_and(|there| there.inode == found.inode);
            match uid {
                Some(uid) if same(uid) => self.doubles.push(found),
                None if inodes.contains(&found.inode) => {}
                Some(_) | None => self.foreign.push(found),
            }
        }
        returned
    }
}
