//! What the index keeps of a message beside its flags: enough to find its file and to answer without opening it.

use crate::maildir::{
    FileName, Flags, MailboxId, ModSeq, Stem, Uid, UidValidity, Unique, base, in_cur,
};

/// A message as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In its mailbox.
    pub uid: Uid,
    /// As acknowledged.
    pub flags: Flags,
    /// As the file's name says; it follows `flags` later.
    pub name_flags: Flags,
    /// Of the last change.
    pub modseq: ModSeq,
    /// Where the file is.
    pub at: At,
    /// INTERNALDATE, seconds since 1970.
    pub date: i64,
    /// INTERNALDATE's zone, minutes east.
    pub zone: i16,
    /// When it came into this mailbox (SAVEDATE), seconds since 1970.
    pub saved: i64,
    /// RFC822.SIZE: bytes with every line ended by CRLF.
    pub size: u64,
    /// The file has a NUL in it.
    pub nul: bool,
    /// EMAILID.
    pub email_id: Unique,
    /// A hash of Message-ID; 0 if there is none.
    pub message_id: u64,
    /// THREADID.
    pub thread: u64,
    /// The file's stem where it is not just as we make it: another program's file.
    pub stem: Option<Vec<u8>>,
}

/// Where a message's file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// In its mailbox's `new/`.
    New,
    /// In its mailbox's `cur/`.
    Cur,
    /// Moved, and the name has not followed: it still has this place's name.
    Elsewhere(MailboxId, Uid),
}

impl Row {
    /// The stem of the file in its own mailbox.
    pub fn stem(&self, validity: UidValidity) -> Vec<u8> {
        self.stem.clone().unwrap_or_else(|| {
            Stem {
                seconds: self.date,
                unique: self.email_id,
                size: self.size,
                uid: self.uid,
                validity,
                zone: self.zone,
                nul: self.nul,
            }
            .text()
        })
    }

    /// Is this a name of its file, whatever place and flags it has?
    pub fn is_named(&self, name: &FileName) -> bool {
        match &self.stem {
            Some(stem) => base(stem) == name.base(),
            None => name.is_ours_of(self.date, self.email_id),
        }
    }

    /// Bytes of the file, by its name; differs from `size` where another program ended lines by LF alone.
    pub fn file_size(&self) -> u64 {
        let named = self.stem.as_ref().and_then(|stem| FileName::parse(stem).size());
        named.unwrap_or(self.size)
    }

    /// The file's name with these flags in `cur/`.
    pub fn cur_name(&self, validity: UidValidity, flags: Flags) -> Vec<u8> {
        in_cur(&self.stem(validity), flags)
    }
}
