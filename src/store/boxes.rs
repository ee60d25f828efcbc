//! CREATE, RENAME, DELETE and SUBSCRIBE. Before a folder changes its name all file names catch up, so that a change log
//! never speaks of a folder that moved under it.

use super::commit::{Group, Publish};
use super::core::{Core, FOLDER_TEXT, SUBSCRIPTIONS, UID_BLOCK};
use super::error::StoreError;
use super::event::{Cause, What};
use super::folders::Folders;
use super::mailbox::Mailbox;
use super::op::{MailboxRequest, TransferRequest, Way};
use super::pending::FolderMove;
use crate::maildir::{
    Change, ChangeLog, FolderText, MailboxId, MailboxName, Role, Uid, UidSet, subscriptions_text,
};
use std::sync::{Arc, PoisonError};

impl Core {
    /// Does one request; the group must be empty, and is committed by the caller.
    pub fn change_mailboxes(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        request: MailboxRequest,
        cause: Cause,
    ) -> Result<(), StoreError> {
        self.folders_in_place()?;
        match request {
            MailboxRequest::Create { name, role } => self.create(group, name, role, cause),
            MailboxRequest::Rename { from, to } if from.is_inbox() => {
                self.rename_inbox(group, out, &to, cause)
            }
            MailboxRequest::Rename { from, to } => self.rename(group, out, &from, &to, cause),
            MailboxRequest::Delete { name } => self.delete(group, out, &name, cause),
            MailboxRequest::Subscribe { name } => self.subscribe(group, cause, |names| {
                names.insert(name);
            }),
            MailboxRequest::Unsubscribe { name } => self.subscribe(group, cause, |names| {
                names.remove(&name);
            }),
        }
    }

    fn create(
        &mut self,
        group: &mut Group,
        name: MailboxName,
        role: Option<Role>,
        cause: Cause,
    ) -> Result<(), StoreError> {
        if self.next.named(&name).is_some() {
            return Err(StoreError::MailboxExists);
        }
        if role.is_some_and(|role| self.next.with_role(role).is_some()) {
            return Err(StoreError::Cannot("another mailbox has this special use"));
        }
        self.create_above(group, &name, cause)?;
        self.create_one(group, name, role, cause).map(|_| ())
    }

    /// One of the mailboxes that a new account has.
    pub fn create_default(
        &mut self,
        group: &mut Group,
        name: MailboxName,
        role: Role,
    ) -> Result<(), StoreError> {
        self.create_one(group, name, Some(role), Cause::Own).map(|_| ())
    }

    fn create_above(
        &mut self,
        group: &mut Group,
        name: &MailboxName,
        cause: Cause,
    ) -> Result<(), StoreError> {
        if let Some(parent) = name.parent()
            && self.next.named(&parent).is_none()
        {
            self.create_above(group, &parent, cause)?;
            self.create_one(group, parent, None, cause)?;
        }
        Ok(())
    }

    /// Builds the folder in `tmp/`, syncs it, and gives it its name.
    fn create_one(
        &mut self,
        group: &mut Group,
        name: MailboxName,
        role: Option<Role>,
        cause: Cause,
    ) -> Result<MailboxId, StoreError> {
        let io = |error: std::io::Error| StoreError::io("make a mailbox", &error);
        let mailbox = self.give_mailbox_id();
        let validity = self.give_validity()?;
        let text = FolderText { mailbox, validity, uidnext_at_least: Uid(UID_BLOCK + 1), role };
        let temporary = format!("{mailbox}").into_bytes();
        let folder = self.tmp.make_folder(&temporary).map_err(io)?;
        for sub in [&b"cur"[..], b"new", b"tmp"] {
            folder.make_folder(sub).map_err(io)?;
        }
        // Courier's and Dovecot's mark of a Maildir++ folder.
        folder.create(b"maildirfolder").map_err(io)?;
        folder.replace(FOLDER_TEXT, text.text().as_bytes()).map_err(io)?;
        self.tmp
            .rename_new(&temporary, &self.maildir, name.folder().as_bytes())
            .and_then(|()| self.maildir.sync())
            .map_err(io)?;
        self.enter(name.clone(), &text);
        let modseq = self.next.modseq;
        group.event(modseq, cause, What::Created { mailbox, name });
        Ok(mailbox)
    }

    /// A mailbox that is new in memory.
    pub fn enter(&mut self, name: MailboxName, text: &FolderText) {
        let modseq = self.advance();
        self.next.insert(Mailbox {
            id: text.mailbox,
            name,
            role: text.role,
            validity: text.validity,
            uidnext: Uid(1),
            modseq,
            known_since: modseq,
            count: 0,
            unseen: 0,
            first_unseen: None,
            bytes: 0,
            uid_limit: text.uidnext_at_least,
            cell: Arc::default(),
        });
        self.common
            .recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(text.mailbox, Uid(1));
        self.dirty.folder(text.mailbox);
        self.watch(text.mailbox);
    }

    /// Hears of other programs in this mailbox, if the system has a watch left.
    pub fn watch(&mut self, mailbox: MailboxId) {
        let Ok(folders) = self.folders(mailbox) else { return };
        if let Err(error) = self.common.expected.add(mailbox, &folders) {
            log::warn!("account={} mailbox={mailbox} not watched: {error}", self.id);
        }
    }

    pub fn give_mailbox_id(&mut self) -> MailboxId {
        let now = super::core::now();
        MailboxId(self.unique.lock().unwrap_or_else(PoisonError::into_inner).next(now))
    }

    fn rename(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        from: &MailboxName,
        to: &MailboxName,
        cause: Cause,
    ) -> Result<(), StoreError> {
        if self.next.named(from).is_none() && !self.next.has_children(from) {
            return Err(StoreError::NoMailbox);
        }
        if to.is_below(from) {
            return Err(StoreError::Cannot("a mailbox cannot be moved below itself"));
        }
        let mut renames = Vec::new();
        for mailbox in self.next.iter() {
            if let Some(name) = mailbox.name.renamed(from, to) {
                let name = name?;
                if self.next.named(&name).is_some() {
                    return Err(StoreError::MailboxExists);
                }
                renames.push((mailbox.id, mailbox.name.clone(), name));
            }
        }
        if self.next.named(to).is_some() {
            return Err(StoreError::MailboxExists);
        }
        let changes: Vec<Change> = (renames.iter())
            .map(|(mailbox, _, name)| Change::Rename { mailbox: *mailbox, to: name.clone() })
            .collect();
        // The lines of one command stand in one log.
        if changes.iter().map(Change::line_len_max).sum::<usize>() > ChangeLog::capacity() / 2 {
            return Err(StoreError::Cannot("too many mailboxes lie below this one to rename it"));
        }
        self.catch_up()?;
        self.create_above(group, to, cause)?;
        let modseq = self.advance();
        group.commands_together(changes, modseq);
        for (mailbox, from, to) in &renames {
            let mut state = Mailbox::clone(self.next.get(*mailbox).ok_or(StoreError::NoMailbox)?);
            state.name = to.clone();
            self.next.insert(state);
            self.dirty.folder(*mailbox);
            let (mailbox, from, to) = (*mailbox, from.clone(), to.clone());
            group.event(modseq, cause, What::Renamed { mailbox, from, to });
        }
        self.commit(std::mem::take(group), out);
        self.writable()?;
        let folders = renames.iter().map(|(_, from, to)| (from.folder(), to.folder()));
        self.follow.folder_moves =
            folders.map(|(from, to)| FolderMove::Renamed { from, to }).collect();
        self.move_folders()
    }

    /// What a durable line says of folders is done. On a full disk it waits, and what needs those folders with it.
    pub fn move_folders(&mut self) -> Result<(), StoreError> {
        let mut removed = None;
        while let Some(first) = self.follow.folder_moves.first() {
            let moved = match first {
                FolderMove::Renamed { from, to } => {
                    self.maildir.rename_new(from.as_bytes(), &self.maildir, to.as_bytes())
                }
                FolderMove::Removed { from, temporary } => {
                    removed = Some(temporary.clone());
                    self.maildir.rename(from.as_bytes(), &self.tmp, temporary.as_bytes())
                }
            };
            let error = moved.err().map(|error| (StoreError::io("move a mailbox", &error), error));
            match error {
                None => drop(self.follow.folder_moves.remove(0)),
                Some((StoreError::NoSpace, _)) => {
                    log::warn!("account={} the disk is full: a mailbox's folder waits", self.id);
                    return Ok(());
                }
                Some((_, error)) => return Err(self.break_down("rename of a mailbox", &error)),
            }
        }
        let synced = self.maildir.sync();
        synced.map_err(|error| self.break_down("rename of a mailbox", &error))?;
        if let Some(Err(error)) = removed.map(|name| self.tmp.remove_all(name.as_bytes())) {
            log::warn!("account={} deleted mailbox not all removed: {error}", self.id);
        }
        Ok(())
    }

    /// Refuses while a folder is not where its mailbox's name says.
    pub fn folders_in_place(&self) -> Result<(), StoreError> {
        self.takes_changes()?;
        if self.follow.folder_moves.is_empty() { Ok(()) } else { Err(StoreError::NoSpace) }
    }

    /// RFC 3501 §6.3.5: the messages go into a new mailbox, INBOX stays, empty.
    fn rename_inbox(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        to: &MailboxName,
        cause: Cause,
    ) -> Result<(), StoreError> {
        self.create(group, to.clone(), None, cause)?;
        let id = |name: &MailboxName| self.next.named(name).map(|mailbox| mailbox.id);
        let inbox = id(&MailboxName::inbox()).ok_or(StoreError::NoMailbox)?;
        let to = id(to).ok_or(StoreError::NoMailbox)?;
        let uids: UidSet = self.load(inbox)?.iter().map(|(_, entry)| entry.uid).collect();
        let request = TransferRequest { from: inbox, uids, to, way: Way::Move, cause };
        self.transfer(group, out, &request).map(|_| ())
    }

    fn delete(
        &mut self,
        group: &mut Group,
        out: &dyn Publish,
        name: &MailboxName,
        cause: Cause,
    ) -> Result<(), StoreError> {
        if name.is_inbox() {
            return Err(StoreError::Cannot("INBOX cannot be deleted"));
        }
        let mailbox = self.next.named(name).ok_or(StoreError::NoMailbox)?.id;
        self.catch_up()?;
        let modseq = self.advance();
        group.command(Change::Delete { mailbox }, modseq);
        group.event(modseq, cause, What::Deleted { mailbox, name: name.clone() });
        self.next.remove(mailbox);
        self.commit(std::mem::take(group), out);
        self.writable()?;
        self.forget_mailbox(mailbox);
        let (from, temporary) = (name.folder(), format!("{mailbox}.deleted"));
        self.follow.folder_moves = vec![FolderMove::Removed { from, temporary }];
        self.move_folders()
    }

    pub fn forget_mailbox(&mut self, mailbox: MailboxId) {
        self.common.forget(mailbox);
        self.dirty.folder(mailbox);
        self.dirty.folders.remove(&mailbox);
        self.dirty.deleted.insert(mailbox);
    }

    /// All names follow and a generation begins, before a folder moves.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        self.follow_all();
        self.flush();
        self.caught_up()
    }

    fn subscribe(
        &mut self,
        group: &mut Group,
        cause: Cause,
        change: impl FnOnce(&mut std::collections::BTreeSet<MailboxName>),
    ) -> Result<(), StoreError> {
        let mut names = (*self.next.subscriptions).clone();
        change(&mut names);
        if names == *self.next.subscriptions {
            return Ok(());
        }
        self.maildir
            .replace(SUBSCRIPTIONS, subscriptions_text(&names).as_bytes())
            .map_err(|error| StoreError::io("write subscriptions", &error))?;
        self.next.subscriptions = Arc::new(names);
        let modseq = self.advance();
        group.event(modseq, cause, What::Subscriptions);
        Ok(())
    }

    /// Gives a folder that another program made its own text; also one whose id is another's.
    pub fn adopt_folder(
        &mut self,
        name: &MailboxName,
        folders: &Folders,
    ) -> Result<FolderText, StoreError> {
        let role = Role::ALL.into_iter().find(|role| {
            role.default_name() == name.as_str() && self.next.with_role(*role).is_none()
        });
        let mailbox = self.give_mailbox_id();
        let validity = self.give_validity()?;
        let text = FolderText { mailbox, validity, uidnext_at_least: Uid(UID_BLOCK + 1), role };
        let written = folders.dir.replace(FOLDER_TEXT, text.text().as_bytes());
        written.map_err(|error| StoreError::io("write pillarbox-folder", &error))?;
        Ok(text)
    }
}
