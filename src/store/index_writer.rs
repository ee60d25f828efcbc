//! Writes into `index.db`: all of a change of rows in one transaction.

use super::array::Entry;
use super::columns::{
    COLUMNS, CleanMark, FolderRow, PLACE_CUR, PLACE_NEW, PLACE_NUL, Sql, number, signed,
};
use super::row::{At, Row};
use crate::maildir::{Flags, MailboxId, ModSeq, Uid, UidSet};
use rusqlite::{OptionalExtension, Params, Statement, Transaction, params};
use std::collections::BTreeMap;

/// So many ranges of expunged UIDs a mailbox keeps, of 20 bytes or so each; then half of them goes.
const EXPUNGED_MAX: i64 = 20_000;

/// A write under way.
pub struct Writer<'a> {
    db: &'a Transaction<'a>,
}

impl<'a> Writer<'a> {
    /// Within this transaction.
    pub(super) const fn new(db: &'a Transaction<'a>) -> Self {
        Self { db }
    }

    fn run(&self, sql: &str, params: impl Params) -> Sql<usize> {
        self.statement(sql)?.execute(params)
    }

    fn statement(&self, sql: &str) -> Sql<rusqlite::CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    /// Sets a mailbox's row.
    pub fn folder(&self, row: &FolderRow) -> Sql<()> {
        self.run(
            "INSERT INTO folders(mailboxid, name, uidvalidity, uidnext, modseq, known_since, count, unseen, first_unseen,
             bytes, recent_from, cur_mtime, new_mtime) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)
             ON CONFLICT(mailboxid) DO UPDATE SET name=excluded.name, uidvalidity=excluded.uidvalidity,
             uidnext=excluded.uidnext, modseq=excluded.modseq, known_since=excluded.known_since, count=excluded.count,
             unseen=excluded.unseen, first_unseen=excluded.first_unseen, bytes=excluded.bytes,
             recent_from=excluded.recent_from, cur_mtime=excluded.cur_mtime, new_mtime=excluded.new_mtime",
            params![
                row.mailbox.0.0.cast_signed(),
                row.name.as_str(),
                row.validity.0,
                row.uidnext.0,
                signed(row.modseq.0),
                signed(row.known_since.0),
                row.count,
                row.unseen,
                row.first_unseen,
                signed(row.bytes),
                row.recent_from.0,
                row.cur_mtime,
                row.new_mtime,
            ],
        )?;
        Ok(())
    }

    fn folder_number(&self, mailbox: MailboxId) -> Sql<i64> {
        self.statement("SELECT id FROM folders WHERE mailboxid=?")?
            .query_row([mailbox.0.0.cast_signed()], |row| row.get(0))
    }

    /// Forgets a mailbox with all its rows.
    pub fn remove_folder(&self, mailbox: MailboxId) -> Sql<()> {
        let Some(folder) = self.folder_number(mailbox).optional()? else { return Ok(()) };
        self.run("DELETE FROM messages WHERE folder=?", [folder])?;
        self.run("DELETE FROM expunged WHERE folder=?", [folder])?;
        self.run("DELETE FROM folders WHERE id=?", [folder])?;
        Ok(())
    }

    /// Sets rows of a mailbox whose own row is there. `At::Elsewhere` is not for the index: such rows wait.
    pub fn messages<'r>(
        &self,
        mailbox: MailboxId,
        rows: impl IntoIterator<Item = &'r Row>,
    ) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut insert: Statement<'_> = self.db.prepare(&format!(
            "INSERT OR REPLACE INTO messages(folder, {COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        ))?;
        for row in rows {
            let place = match row.at {
                At::New => PLACE_NEW,
                At::Cur | At::Elsewhere(..) => PLACE_CUR,
            };
            insert.execute(params![
                folder,
                row.uid.0,
                row.flags.0,
                row.name_flags.0,
                signed(row.modseq.0),
                place | if row.nul { PLACE_NUL } else { 0 },
                row.date,
                row.zone,
                row.saved,
                signed(row.size),
                row.email_id.0.cast_signed(),
                row.message_id.cast_signed(),
                row.thread.cast_signed(),
                row.stem,
            ])?;
        }
        Ok(())
    }

    /// Sets flags and MODSEQ.
    pub fn flags(&self, mailbox: MailboxId, entries: &[Entry]) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut update =
            self.statement("UPDATE messages SET flags=?, modseq=? WHERE folder=? AND uid=?")?;
        for entry in entries {
            update.execute(params![entry.flags.0, signed(entry.modseq.0), folder, entry.uid.0])?;
        }
        Ok(())
    }

    /// The name has followed: flags in it, and the file in `cur/`.
    pub fn named(&self, mailbox: MailboxId, names: &BTreeMap<Uid, Flags>) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut update = self.statement(
            "UPDATE messages SET nameflags=?, place=(place & 4) WHERE folder=? AND uid=?",
        )?;
        for (uid, flags) in names {
            update.execute(params![flags.0, folder, uid.0])?;
        }
        Ok(())
    }

    /// Takes rows away.
    pub fn remove(&self, mailbox: MailboxId, uids: &UidSet) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut delete =
            self.statement("DELETE FROM messages WHERE folder=? AND uid BETWEEN ? AND ?")?;
        for (first, last) in uids.ranges() {
            delete.execute(params![folder, first.0, last.0])?;
        }
        Ok(())
    }

    /// Remembers expunged UIDs.
    pub fn expunged(&self, mailbox: MailboxId, uids: &UidSet, modseq: ModSeq) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut insert = self.statement(
            "INSERT OR REPLACE INTO expunged(folder, first, last, modseq) VALUES(?,?,?,?)",
        )?;
        for (first, last) in uids.ranges() {
            insert.execute(params![folder, first.0, last.0, signed(modseq.0)])?;
        }
        Ok(())
    }

    /// Forgets the oldest expunges of a mailbox that has very many, and from which change on they are known now.
    pub fn prune_expunged(&self, mailbox: MailboxId) -> Sql<Option<ModSeq>> {
        let folder = self.folder_number(mailbox)?;
        let count: i64 = self
            .statement("SELECT count(*) FROM expunged WHERE folder=?")?
            .query_row([folder], |row| row.get(0))?;
        if count <= EXPUNGED_MAX {
            return Ok(None);
        }
        let known_since: i64 = self
            .statement(
                "SELECT modseq FROM expunged WHERE folder=? ORDER BY modseq DESC LIMIT 1 OFFSET ?",
            )?
            .query_row([folder, EXPUNGED_MAX / 2], |row| row.get(0))?;
        let old = "DELETE FROM expunged WHERE folder=? AND modseq<=?";
        self.run(old, [folder, known_since])?;
        self.run("UPDATE folders SET known_since=? WHERE id=?", [known_since, folder])?;
        Ok(Some(ModSeq(number(known_since))))
    }

    /// Sets the mark of an orderly stop, or takes it away.
    pub fn clean_mark(&self, mark: Option<CleanMark>) -> Sql<()> {
        self.run("DELETE FROM meta WHERE key LIKE 'clean_%'", [])?;
        if let Some(mark) = mark {
            let insert = "INSERT INTO meta(key, value) VALUES(?,?)";
            self.run(insert, params!["clean_generation", signed(mark.generation)])?;
            self.run(insert, params!["clean_modseq", signed(mark.modseq.0)])?;
        }
        Ok(())
    }

    /// Remembers the change log's generation.
    pub fn generation(&self, generation: u64) -> Sql<()> {
        self.run(
            "INSERT OR REPLACE INTO meta(key, value) VALUES('generation', ?)",
            [signed(generation)],
        )?;
        Ok(())
    }
}
