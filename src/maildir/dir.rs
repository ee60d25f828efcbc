//! A folder, reached from the account's own folder by handles only: no link is followed, and nothing but regular
//! files and real folders is seen. Whoever can write into the Maildir controls what lies there.

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// An open folder.
#[derive(Debug, Clone)]
pub struct Dir {
    fd: Arc<OwnedFd>,
}

/// What a list found under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A real folder.
    Folder,
    /// A link, a FIFO, a device, a socket: not ours to touch.
    Strange,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as it is, any bytes.
    pub name: Vec<u8>,
    /// By `lstat`.
    pub kind: Kind,
    /// The inode number; two names with one are one file.
    pub inode: u64,
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

impl Dir {
    /// Opens a folder by its path: the one place where a path counts.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd =
            fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd) })
    }

    /// Opens a folder by its path. It is made if it is missing, with what is missing above it, and each new name is
    /// durable when this returns.
    pub fn make_path(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = Self::make_path(above.unwrap_or(Path::new(".")))?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        above.make_folder_synced(name.as_encoded_bytes())
    }

    /// Opens a folder in this one.
    pub fn folder(&self, name: &[u8]) -> io::Result<Self> {
        let fd = fs::openat(&*self.fd, name, FOLDER, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd) })
    }

    /// Opens a folder in this one and makes it if it is missing.
    pub fn make_folder(&self, name: &[u8]) -> io::Result<Self> {
        match fs::mkdirat(&*self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.folder(name),
            Err(error) => Err(error.into()),
        }
    }

    /// The same; a new name is durable when this returns.
    pub fn make_folder_synced(&self, name: &[u8]) -> io::Result<Self> {
        if let Ok(there) = self.folder(name) {
            return Ok(there);
        }
        let made = self.make_folder(name)?;
        self.sync()?;
        Ok(made)
    }

    /// Makes a file that must not be there yet, mode 0600, for writing and reading.
    pub fn create(&self, name: &[u8]) -> io::Result<File> {
        let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(fs::openat(&*self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Opens a regular file for reading; anything else is `NotFound`, as if it were not there.
    pub fn read(&self, name: &[u8]) -> io::Result<File> {
        self.regular(name, OFlags::RDONLY)
    }

    /// Opens a regular file for reading and writing.
    pub fn update(&self, name: &[u8]) -> io::Result<File> {
        self.regular(name, OFlags::RDWR)
    }

    fn regular(&self, name: &[u8], how: OFlags) -> io::Result<File> {
        let fd = match fs::openat(&*self.fd, name, FILE | how, Mode::empty()) {
            Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR | Errno::NODEV) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            other => other?,
        };
        match FileType::from_raw_mode(fs::fstat(&fd)?.st_mode) {
            FileType::RegularFile => Ok(fd.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Renames; what has the new name is replaced.
    pub fn rename(&self, name: &[u8], to: &Self, to_name: &[u8]) -> io::Result<()> {
        Ok(fs::renameat(&*self.fd, name, &*to.fd, to_name)?)
    }

    /// Renames unless the new name is taken (`AlreadyExists`).
    pub fn rename_new(&self, name: &[u8], to: &Self, to_name: &[u8]) -> io::Result<()> {
        match fs::renameat_with(&*self.fd, name, &*to.fd, to_name, RenameFlags::NOREPLACE) {
            // Not every file system knows the flag; the names of messages are unique anyway.
            Err(Errno::INVAL | Errno::NOSYS) => self.rename(name, to, to_name),
            other => Ok(other?),
        }
    }

    /// A second name for a file.
    pub fn link(&self, name: &[u8], to: &Self, to_name: &[u8]) -> io::Result<()> {
        Ok(fs::linkat(&*self.fd, name, &*to.fd, to_name, AtFlags::empty())?)
    }

    /// Takes a file's name away.
    pub fn unlink(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&*self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes a folder with all that is in it; does not leave the file system tree below it.
    pub fn remove_all(&self, name: &[u8]) -> io::Result<()> {
        let folder = self.folder(name)?;
        for entry in folder.list()? {
            match entry.kind {
                Kind::Folder => folder.remove_all(&entry.name)?,
                Kind::File | Kind::Strange => folder.unlink(&entry.name)?,
            }
        }
        self.remove_folder(name)
    }

    /// Makes the folder's names durable.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&*self.fd)?)
    }

    /// Makes all durable that anyone has written to this file system.
    pub fn sync_file_system(&self) -> io::Result<()> {
        Ok(fs::syncfs(&*self.fd)?)
    }

    /// When a name last came, went or changed, in nanoseconds since 1970.
    pub fn mtime(&self) -> io::Result<i64> {
        let stat = fs::fstat(&*self.fd)?;
        #[allow(clippy::useless_conversion, reason = "its type differs between 32 and 64 bits")]
        let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
        Ok(stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// When the folder was made, if the file system knows, in seconds.
    pub fn birth(&self) -> Option<i64> {
        let wanted = fs::StatxFlags::BTIME;
        let stat = fs::statx(&*self.fd, c"", AtFlags::EMPTY_PATH, wanted).ok()?;
        (stat.stx_mask & wanted.bits() != 0).then_some(stat.stx_btime.tv_sec)
    }

    /// Everything in it but `.` and `..`.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        // A handle of its own: a list must not share its place with another list.
        for entry in fs::Dir::read_from(self.fd.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let mode = fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
                    FileType::from_raw_mode(mode)
                }
                known => known,
            };
            let kind = match kind {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                _ => Kind::Strange,
            };
            entries.push(Entry { name: name.to_vec(), kind, inode: entry.ino() });
        }
        Ok(entries)
    }

    /// Calls `each` with every name but `.` and `..`: a folder of any size costs no memory.
    pub fn each_name(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        for entry in fs::Dir::read_from(self.fd.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                each(name);
            }
        }
        Ok(())
    }

    /// Is there anything under this name?
    pub fn has(&self, name: &[u8]) -> bool {
        fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The inode number of what has this name.
    pub fn inode(&self, name: &[u8]) -> io::Result<u64> {
        Ok(fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino)
    }

    /// When a file was last written, in seconds since 1970.
    pub fn file_mtime(&self, name: &[u8]) -> io::Result<i64> {
        Ok(fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mtime)
    }

    /// Bytes that an ordinary user may still write on this file system.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let stat = fs::fstatvfs(&*self.fd)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Replaces a small file as a whole: temporary file, fsync, rename, fsync of the folder. Two sync calls.
    pub fn replace(&self, name: &[u8], text: &[u8]) -> io::Result<()> {
        let temporary = [name, b".new"].concat();
        match self.unlink(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = self.create(&temporary)?;
        io::Write::write_all(&mut file, text)?;
        file.sync_all()?;
        self.rename(&temporary, self, name)?;
        self.sync()
    }

    /// A small text file, at most `max` bytes; `None` if it is not there.
    pub fn read_text(&self, name: &[u8], max: u64) -> io::Result<Option<String>> {
        let file = match self.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut text = String::new();
        io::Read::read_to_string(&mut io::Read::take(file, max), &mut text)?;
        Ok(Some(text))
    }

    /// The handle, for a watch.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{Dir, Kind};
    use std::io::ErrorKind;

    #[test]
    fn a_path_is_made_as_far_as_it_is_missing() {
        let path = std::env::temp_dir().join(format!("pillarbox-path-{}", std::process::id()));
        Dir::make_path(&path.join("a/b/c")).unwrap().create(b"file").unwrap();
        assert!(Dir::make_path(&path.join("a/b/c")).unwrap().has(b"file"));
        let error = Dir::make_path(&path.join("a/b/c/file/d")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_and_fifos_are_not_followed() {
        let path = std::env::temp_dir().join(format!("pillarbox-dir-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let dir = Dir::open(&path).unwrap();
        dir.replace(b"file", b"text").unwrap();
        std::os::unix::fs::symlink(path.join("file"), path.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", path.join("folder")).unwrap();
        assert_eq!(dir.read(b"link").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(dir.folder(b"folder").is_err());
        assert_eq!(dir.read_text(b"file", 99).unwrap().as_deref(), Some("text"));
        let strange = dir.list().unwrap().into_iter().filter(|e| e.kind == Kind::Strange).count();
        assert_eq!(strange, 2);
        let root = Dir::open(&std::env::temp_dir()).unwrap();
        root.remove_all(path.file_name().unwrap().as_encoded_bytes()).unwrap();
        assert!(std::path::Path::new("/etc/passwd").exists() && !path.exists());
    }
}
