//! `index.db`, an account's write-behind copy of names and flags (the only SQL of the store but for search). It is
//! never synced for an answer, nothing is removed from the disk because it says so, and when it is lost or damaged it is made anew.

use super::array::Entry;
use super::row::{At, Row};
use crate::maildir::{Flags, MailboxId, MailboxName, ModSeq, Uid, UidSet, UidValidity, Unique};
use rusqlite::{Connection, OptionalExtension, Params, Statement, Transaction, params};
use std::path::{Path, PathBuf};

/// A connection, for one thread at a time.
#[derive(Debug)]
pub struct Index {
    db: Connection,
}

/// A mailbox as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the table, named as elsewhere")]
pub struct FolderRow {
    pub mailbox: MailboxId,
    pub name: MailboxName,
    pub validity: UidValidity,
    pub uidnext: Uid,
    pub modseq: ModSeq,
    /// Expunged UIDs are known from here on; before it, every missing one counts.
    pub known_since: ModSeq,
    pub count: u32,
    pub unseen: u32,
    /// Sequence number of the first message without `\Seen`.
    pub first_unseen: Option<u32>,
    pub bytes: u64,
    /// The first UID that no session has had as `\Recent`.
    pub recent_from: Uid,
    /// Nanoseconds since 1970 when the list was last known to agree; 0 if that is not known.
    pub cur_mtime: i64,
    pub new_mtime: i64,
}

/// What an orderly stop leaves, so that the next start lists nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanMark {
    /// The change log's generation; fits only while no line follows its head.
    pub generation: u64,
    /// The account's MODSEQ.
    pub modseq: ModSeq,
}

type Sql<T> = rusqlite::Result<T>;

const VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE folders(id INTEGER PRIMARY KEY, mailboxid INTEGER NOT NULL UNIQUE, name TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL, known_since INTEGER NOT NULL,
  count INTEGER NOT NULL, unseen INTEGER NOT NULL, first_unseen INTEGER, bytes INTEGER NOT NULL,
  recent_from INTEGER NOT NULL, cur_mtime INTEGER NOT NULL, new_mtime INTEGER NOT NULL);
CREATE TABLE messages(folder INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL, nameflags INTEGER NOT NULL,
  modseq INTEGER NOT NULL, place INTEGER NOT NULL, date INTEGER NOT NULL, zone INTEGER NOT NULL, saved INTEGER NOT NULL,
  size INTEGER NOT NULL, emailid INTEGER NOT NULL, msgid INTEGER NOT NULL, thread INTEGER NOT NULL, foreign_name BLOB,
  PRIMARY KEY(folder, uid)) WITHOUT ROWID;
CREATE INDEX messages_emailid ON messages(emailid);
CREATE INDEX messages_msgid ON messages(msgid) WHERE msgid <> 0;
CREATE INDEX messages_thread ON messages(thread);
CREATE TABLE expunged(folder INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, modseq INTEGER NOT NULL,
  PRIMARY KEY(folder, first, modseq)) WITHOUT ROWID;
";

const PLACE_CUR: i64 = 0;
const PLACE_NEW: i64 = 1;
const PLACE_NUL: i64 = 4;

const COLUMNS: &str = "uid, flags, nameflags, modseq, place, date, zone, saved, size, emailid, msgid, thread, foreign_name";

impl Index {
    /// Opens or makes the file. One that is damaged or of another version is removed and made anew.
    pub fn open(account: &Path) -> Sql<Self> {
        let path = account.join("index.db");
        match Self::open_sound(&path) {
            Ok(index) => Ok(index),
            Err(error) => {
                log::warn!(
                    "index={} unusable=\"{error}\" made anew from the Maildir",
                    path.display()
                );
                remove(&path);
                Self::open_sound(&path)
            }
        }
    }

    fn open_sound(path: &Path) -> Sql<Self> {
        let mut db = Connection::open(path)?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=1000;
             PRAGMA journal_size_limit=8388608; PRAGMA cache_size=-1000; PRAGMA mmap_size=0;
             PRAGMA temp_store=FILE;",
        )?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            VERSION => {
                // Reads the header of every table; a file cut to pieces shows here.
                db.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0))?;
                db.query_row("SELECT count(*) FROM folders", [], |row| row.get::<_, i64>(0))?;
            }
            0 => {
                let transaction = db.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.commit()?;
            }
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        Ok(Self { db })
    }

    /// A second connection, for reading beside the writer.
    pub fn reader(account: &Path) -> Sql<Self> {
        let db = Connection::open(account.join("index.db"))?;
        db.execute_batch("PRAGMA cache_size=-1000; PRAGMA mmap_size=0; PRAGMA query_only=1;")?;
        Ok(Self { db })
    }

    /// All of a change of rows goes in one transaction.
    pub fn write<T>(&mut self, work: impl FnOnce(&Writer<'_>) -> Sql<T>) -> Sql<T> {
        let transaction = self.db.transaction()?;
        let result = work(&Writer { db: &transaction })?;
        transaction.commit()?;
        Ok(result)
    }

    /// Every mailbox. One whose name is no name any more is left out: it is found again by its folder.
    pub fn folders(&self) -> Sql<Vec<FolderRow>> {
        let mut statement = self.db.prepare_cached(
            "SELECT mailboxid, name, uidvalidity, uidnext, modseq, known_since, count, unseen, first_unseen, bytes,
             recent_from, cur_mtime, new_mtime FROM folders",
        )?;
        let rows = statement.query_map([], |row| {
            let name: String = row.get(1)?;
            Ok(MailboxName::new(&name).ok().map(|name| (name, row)).map(|(name, row)| {
                Ok(FolderRow {
                    mailbox: MailboxId(unique(row.get(0)?)),
                    name,
                    validity: UidValidity(row.get(2)?),
                    uidnext: Uid(row.get(3)?),
                    modseq: ModSeq(number(row.get(4)?)),
                    known_since: ModSeq(number(row.get(5)?)),
                    count: row.get(6)?,
                    unseen: row.get(7)?,
                    first_unseen: row.get(8)?,
                    bytes: number(row.get(9)?),
                    recent_from: Uid(row.get(10)?),
                    cur_mtime: row.get(11)?,
                    new_mtime: row.get(12)?,
                })
            }))
        })?;
        let rows: Vec<Option<Sql<FolderRow>>> = rows.collect::<Sql<_>>()?;
        rows.into_iter().flatten().collect()
    }

    /// UID, flags and MODSEQ of a mailbox, rising.
    pub fn entries(&self, mailbox: MailboxId) -> Sql<Vec<Entry>> {
        let mut statement = self.db.prepare_cached(
            "SELECT uid, flags, modseq FROM messages WHERE folder=(SELECT id FROM folders WHERE mailboxid=?) ORDER BY uid",
        )?;
        let rows = statement.query_map([mailbox.0.0.cast_signed()], |row| {
            Ok(Entry {
                uid: Uid(row.get(0)?),
                flags: Flags(row.get(1)?),
                modseq: ModSeq(number(row.get(2)?)),
            })
        })?;
        rows.collect()
    }

    /// Whole rows from `first` to `last`, rising, at most `limit`.
    pub fn rows(&self, mailbox: MailboxId, first: Uid, last: Uid, limit: usize) -> Sql<Vec<Row>> {
        let mut rows = Vec::new();
        self.each_row(mailbox, first, last, limit, |row| rows.push(row))?;
        Ok(rows)
    }

    /// The same without keeping them all.
    pub fn each_row(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
        mut take: impl FnMut(Row),
    ) -> Sql<()> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE folder=(SELECT id FROM folders WHERE mailboxid=?)
             AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows =
            statement.query(params![mailbox.0.0.cast_signed(), first.0, last.0, limit])?;
        while let Some(row) = rows.next()? {
            take(read_row(row)?);
        }
        Ok(())
    }

    /// All flags that any message of the account bears.
    pub fn all_flags(&self) -> Sql<Flags> {
        let mut statement = self.db.prepare_cached("SELECT DISTINCT flags FROM messages")?;
        let rows = statement.query_map([], |row| row.get(0).map(Flags))?;
        rows.collect::<Sql<Vec<_>>>()
            .map(|all| all.into_iter().fold(Flags::default(), Flags::union))
    }

    /// What the last orderly stop left.
    pub fn clean_mark(&self) -> Sql<Option<CleanMark>> {
        let value = |key: &str| {
            self.db
                .query_row("SELECT value FROM meta WHERE key=?", [key], |row| row.get::<_, i64>(0))
                .optional()
        };
        let (generation, modseq) = (value("clean_generation")?, value("clean_modseq")?);
        Ok(generation.zip(modseq).map(|(generation, modseq)| CleanMark {
            generation: number(generation),
            modseq: ModSeq(number(modseq)),
        }))
    }

    /// The highest change log generation that this index has seen.
    pub fn generation(&self) -> Sql<u64> {
        let value = self
            .db
            .query_row("SELECT value FROM meta WHERE key='generation'", [], |row| row.get(0))
            .optional()?;
        Ok(number(value.unwrap_or(0)))
    }
}

/// A write under way.
pub struct Writer<'a> {
    db: &'a Transaction<'a>,
}

impl Writer<'_> {
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
    pub fn named(&self, mailbox: MailboxId, uids: &[(Uid, Flags)]) -> Sql<()> {
        let folder = self.folder_number(mailbox)?;
        let mut update = self.statement(
            "UPDATE messages SET nameflags=?, place=(place & 4) WHERE folder=? AND uid=?",
        )?;
        for (uid, flags) in uids {
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

fn read_row(row: &rusqlite::Row<'_>) -> Sql<Row> {
    let place: i64 = row.get(4)?;
    Ok(Row {
        uid: Uid(row.get(0)?),
        flags: Flags(row.get(1)?),
        name_flags: Flags(row.get(2)?),
        modseq: ModSeq(number(row.get(3)?)),
        at: if place & PLACE_NEW != 0 { At::New } else { At::Cur },
        date: row.get(5)?,
        zone: row.get(6)?,
        saved: row.get(7)?,
        size: number(row.get(8)?),
        nul: place & PLACE_NUL != 0,
        email_id: unique(row.get(9)?),
        message_id: row.get::<_, i64>(10)?.cast_unsigned(),
        thread: row.get::<_, i64>(11)?.cast_unsigned(),
        stem: row.get(12)?,
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn unique(value: i64) -> Unique {
    Unique(value.cast_unsigned())
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::warn!("file={} cannot be removed: {error}", file.display());
        }
    }
}
