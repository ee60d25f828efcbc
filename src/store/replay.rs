//! After a stop that was not orderly: what the change log says is done to the files, in the order of syncs that lets
//! it be cut off and done again.

use super::core::Core;
use super::error::StoreError;
use super::folders::{Folders, Sub};
use super::survey::{Found, Survey};
use crate::maildir::{
    Change, FileName, Flags, Folder, LogLine, MailboxId, Placing, Uid, UidValidity,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// A message on its way to the name that the log wants for it.
struct Wanted {
    /// Its present name, and whose folder that is in.
    from: (MailboxId, Found),
    flags: Flags,
    /// A COPY: the present name stays, a second one is made.
    link: bool,
}

impl Core {
    /// Renames and removes folders that a line moved and that have not moved yet.
    pub fn replay_folders(&mut self, lines: &[LogLine]) -> Result<(), StoreError> {
        let io = |error: io::Error| StoreError::io("replay of a mailbox change", &error);
        let mut moved = false;
        for line in lines.iter().filter(|line| line.change.is_folder_change()) {
            let on_disk = self.mailboxes_on_disk()?;
            let find = |id: MailboxId| {
                on_disk.iter().find(|(_, text)| text.as_ref().is_some_and(|t| t.mailbox == id))
            };
            match &line.change {
                Change::Rename { mailbox, to } => {
                    if let Some((name, _)) = find(*mailbox)
                        && name != to
                    {
                        let (from, to) = (name.folder(), to.folder());
                        let renamed =
                            self.maildir.rename_new(from.as_bytes(), &self.maildir, to.as_bytes());
                        renamed.map_err(io)?;
                        moved = true;
                    }
                }
                Change::Delete { mailbox } => {
                    if let Some((name, _)) = find(*mailbox)
                        && !name.is_inbox()
                    {
                        let temporary = format!("{mailbox}.deleted").into_bytes();
                        let folder = name.folder();
                        self.maildir
                            .rename(folder.as_bytes(), &self.tmp, &temporary)
                            .map_err(io)?;
                        moved = true;
                    }
                }
                _ => {}
            }
        }
        if moved { self.maildir.sync().map_err(io) } else { Ok(()) }
    }

    /// Does the lines to the files of all mailboxes; `surveys` is what lies there, before and after.
    pub fn replay(
        &mut self,
        lines: &[LogLine],
        surveys: &mut BTreeMap<MailboxId, Survey>,
        validities: &BTreeMap<MailboxId, UidValidity>,
    ) -> Result<(), StoreError> {
        let known = self.next.text.known();
        let mut wanted: BTreeMap<(MailboxId, Uid), Wanted> = BTreeMap::new();
        let mut doomed: Vec<(MailboxId, Found)> = Vec::new();
        // A message as the lines so far leave it: moved or flagged already, or as it lies there.
        let take = |wanted: &mut BTreeMap<(MailboxId, Uid), Wanted>,
                    surveys: &mut BTreeMap<MailboxId, Survey>,
                    key: (MailboxId, Uid)| {
            wanted.remove(&key).or_else(|| {
                let found = surveys.get_mut(&key.0)?.placed.remove(&key.1)?;
                let flags = found.parsed().flags;
                Some(Wanted { from: (key.0, found), flags, link: false })
            })
        };
        for line in lines {
            match &line.change {
                Change::Flags { mailbox, uids, edit } => {
                    for uid in uids.iter() {
                        if let Some(mut one) = take(&mut wanted, surveys, (*mailbox, uid)) {
                            one.flags = edit.apply(one.flags, known);
                            wanted.insert((*mailbox, uid), one);
                        }
                    }
                }
                Change::Gone { mailbox, uids } => {
                    for uid in uids.iter() {
                        match take(&mut wanted, surveys, (*mailbox, uid)) {
                            Some(one) if !one.link => doomed.push(one.from),
                            Some(_) | None => {}
                        }
                    }
                }
                Change::Move { mailbox, uids, to, to_uids } => {
                    for (uid, to_uid) in uids.iter().zip(to_uids.iter()) {
                        let Some(one) = take(&mut wanted, surveys, (*mailbox, uid)) else {
                            continue;
                        };
                        let there = take(&mut wanted, surveys, (*to, to_uid));
                        match there {
                            // The new name exists: the old goes.
                            Some(there) => {
                                if !one.link {
                                    doomed.push(one.from);
                                }
                                wanted.insert((*to, to_uid), there);
                            }
                            None => {
                                wanted.insert((*to, to_uid), one);
                            }
                        }
                    }
                }
                Change::Copy { mailbox, uids, to, to_uids } => {
                    for (uid, to_uid) in uids.iter().zip(to_uids.iter()) {
                        let Some(one) = take(&mut wanted, surveys, (*mailbox, uid)) else {
                            continue;
                        };
                        let there = take(&mut wanted, surveys, (*to, to_uid));
                        let copy = there.unwrap_or_else(|| Wanted {
                            from: one.from.clone(),
                            flags: one.flags,
                            link: true,
                        });
                        wanted.insert((*to, to_uid), copy);
                        wanted.insert((*mailbox, uid), one);
                    }
                }
                Change::Rename { .. } | Change::Delete { .. } | Change::Reserve => {}
            }
        }
        self.carry_out(wanted, &doomed, surveys, validities)
    }

    fn carry_out(
        &mut self,
        wanted: BTreeMap<(MailboxId, Uid), Wanted>,
        doomed: &[(MailboxId, Found)],
        surveys: &mut BTreeMap<MailboxId, Survey>,
        validities: &BTreeMap<MailboxId, UidValidity>,
    ) -> Result<(), StoreError> {
        let (mut targets, mut sources, mut touched) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut old_names, mut within) = (Vec::new(), Vec::new());
        let (links, renames): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, one)| one.link);
        for ((mailbox, uid), one) in links.into_iter().chain(renames) {
            let Some(&validity) = validities.get(&mailbox) else { continue };
            let name = new_name(&one, mailbox, uid, validity);
            let here = Found { sub: Sub::Cur, name: name.clone(), inode: one.from.1.inode };
            let across = one.link || one.from.0 != mailbox;
            if across {
                let (from, to) = (self.folders(one.from.0)?, self.folders(mailbox)?);
                let source = from.sub(one.from.1.sub);
                settled(source.link(&one.from.1.name, &to.cur, &name))?;
                targets.insert(mailbox);
                if !one.link {
                    sources.insert(one.from.0);
                    old_names.push((source.clone(), one.from.1.name));
                }
            } else if one.from.1.sub != Sub::Cur || one.from.1.name != name {
                within.push((mailbox, one.from.1, name));
                touched.insert(mailbox);
            }
            surveys.entry(mailbox).or_default().placed.insert(uid, here);
        }
        // A folder may be the target of one move and the source of another: no old name goes before this.
        self.sync_all(&targets)?;
        for (source, name) in old_names {
            settled(source.unlink(&name))?;
        }
        self.sync_all(&sources)?;
        for (mailbox, found, name) in within {
            let folders = self.folders(mailbox)?;
            settled(folders.sub(found.sub).rename(&found.name, &folders.cur, &name))?;
        }
        for (mailbox, found) in doomed {
            let folders = self.folders(*mailbox)?;
            settled(folders.sub(found.sub).unlink(&found.name))?;
            touched.insert(*mailbox);
        }
        self.sync_all(&touched)
    }

    pub fn sync_all(&mut self, mailboxes: &BTreeSet<MailboxId>) -> Result<(), StoreError> {
        for &mailbox in mailboxes {
            let Folders { cur, new, .. } = self.folders(mailbox)?;
            let synced = cur.sync().and_then(|()| new.sync());
            synced.map_err(|error| self.break_down("sync of a folder", &error))?;
        }
        Ok(())
    }
}

fn new_name(one: &Wanted, mailbox: MailboxId, uid: Uid, validity: UidValidity) -> Vec<u8> {
    let name = one.from.1.parsed();
    if name.place() == Some((uid, validity)) && one.from.0 == mailbox {
        return FileName::new(name.stem().to_vec(), one.flags).in_cur();
    }
    let place = Placing {
        size: name.size().unwrap_or(0),
        uid,
        validity,
        zone: name.zone(),
        nul: name.has_nul(),
        email_id: name.email_id().unwrap_or(crate::maildir::Unique(0)),
        folder: Folder::Other,
    };
    FileName::new(name.stem_for(&place), one.flags).in_cur()
}

/// A name that is there already, or is gone, was dealt with before a second cut.
fn settled(done: io::Result<()>) -> Result<(), StoreError> {
    match done {
        Err(error)
            if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) =>
        {
            Err(StoreError::io("replay of the change log", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
