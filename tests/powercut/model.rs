//! What a power cut may leave of a disk, and which syncs are left out to see that the test notices.

/// What a file system may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// A journal that was written at the last sync which had to: names up to then, data as synced (ext4).
    Ordered,
    /// A journal that was written at some later moment, and some data with it.
    Journal,
    /// All names, data only as synced: files short, empty, or with zeros where data was to be.
    Names,
    /// Any piece that was not synced may be lost; a rename is one piece.
    Pieces,
    /// Each folder exactly as it was last synced, each file too: what POSIX promises and no more.
    Strict,
    /// Nothing is lost: the program alone was killed.
    Killed,
}

impl Model {
    pub const ALL: [Self; 6] =
        [Self::Ordered, Self::Journal, Self::Names, Self::Pieces, Self::Strict, Self::Killed];
}

/// Syncs that are left out, to see that the test notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    Nothing,
    /// Of message files.
    Messages,
    /// Of `cur/` and `new/`.
    Folders,
    /// Of the change log.
    ChangeLog,
    /// Of `pillarbox-account`, `pillarbox-folder` and `subscriptions` before they get their name.
    Texts,
    /// Of the Maildir itself, after a mailbox has got its name.
    Maildir,
    /// Of everything, in a start after the program was killed.
    Killed,
}

impl Forget {
    pub const ALL: [Self; 6] =
        [Self::Messages, Self::Folders, Self::ChangeLog, Self::Texts, Self::Maildir, Self::Killed];

    /// Of a file or folder with this name, in a folder with that?
    pub fn forgets(self, is_folder: bool, name: &[u8], parent: &[u8]) -> bool {
        let is_one_of = |name: &[u8], names: &[&[u8]]| names.contains(&name);
        match self {
            Self::Nothing | Self::Killed => false,
            Self::Messages => !is_folder && is_one_of(parent, &[b"cur", b"new", b"tmp"]),
            Self::Folders => is_folder && is_one_of(name, &[b"cur", b"new"]),
            Self::ChangeLog => name.starts_with(b"pillarbox-changes"),
            Self::Texts => !is_folder && name.ends_with(b".new"),
            Self::Maildir => name == b"Maildir",
        }
    }
}
