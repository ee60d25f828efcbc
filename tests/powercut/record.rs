//! What the recorder wrote, read back: every write, name and sync below the data folder, in one order.

use std::path::Path;

/// One call. Files and folders are told apart by inode number.
#[derive(Debug)]
pub enum Call<'a> {
    Create {
        folder: u64,
        name: &'a [u8],
        inode: u64,
    },
    MakeFolder {
        folder: u64,
        name: &'a [u8],
        inode: u64,
    },
    Write {
        inode: u64,
        at: usize,
        data: &'a [u8],
    },
    Truncate {
        inode: u64,
        size: usize,
    },
    Rename {
        from: u64,
        old: &'a [u8],
        to: u64,
        new: &'a [u8],
    },
    Link {
        folder: u64,
        name: &'a [u8],
        inode: u64,
    },
    Unlink {
        folder: u64,
        name: &'a [u8],
    },
    /// A sync was asked for; `metadata` unless it is `fdatasync`; of everything if the inode is 0.
    SyncBegin {
        inode: u64,
        number: u64,
        metadata: bool,
    },
    /// It has returned.
    SyncEnd {
        number: u64,
    },
}

/// A call, and the modification times of the folders that it changed.
#[derive(Debug)]
pub struct Event<'a> {
    pub call: Call<'a>,
    pub time: i64,
    pub time_to: i64,
}

/// A whole record.
#[derive(Debug)]
pub struct Record {
    bytes: Vec<u8>,
}

const HEAD: usize = 48;

impl Record {
    pub fn read(path: &Path) -> Self {
        Self { bytes: std::fs::read(path).unwrap() }
    }

    pub fn write(&self, path: &Path) {
        std::fs::write(path, &self.bytes).unwrap();
    }

    /// The inode of the data folder, and all calls in it and elsewhere.
    pub fn events(&self) -> (u64, Vec<Event<'_>>) {
        let (mut root, mut events) = (0, Vec::new());
        let mut rest = &self.bytes[..];
        while !rest.is_empty() {
            let four = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
            let eight = |at: usize| u64::from_ne_bytes(rest[at..at + 8].try_into().unwrap());
            let (kind, name_len, data_len) = (four(0), four(4) as usize, four(8) as usize);
            let (a, b) = (eight(16), eight(24));
            let (time, time_to) = (eight(32).cast_signed(), eight(40).cast_signed());
            let name = &rest[HEAD..HEAD + name_len];
            let data = &rest[HEAD + name_len..HEAD + name_len + data_len];
            rest = &rest[HEAD + name_len + data_len..];
            let size = || usize::try_from(b).unwrap();
            let call = match kind {
                1 => {
                    root = a;
                    continue;
                }
                2 => Call::Create { folder: a, name, inode: b },
                3 => Call::MakeFolder { folder: a, name, inode: b },
                4 => Call::Write { inode: a, at: size(), data },
                5 => Call::Truncate { inode: a, size: size() },
                6 => Call::Rename { from: a, old: name, to: b, new: data },
                7 => Call::Link { folder: a, name, inode: b },
                8 => Call::Unlink { folder: a, name },
                9 => Call::SyncBegin { inode: a, number: b, metadata: time != 0 },
                10 => Call::SyncEnd { number: b },
                other => panic!("the record has an entry of kind {other}"),
            };
            events.push(Event { call, time, time_to });
        }
        (root, events)
    }
}
