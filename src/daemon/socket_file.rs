//! A Unix socket that this program makes: what a killed server has left there is replaced, what lives or is no socket is
//! not, and its file goes when it is not needed any more.

use smol::net::unix::UnixListener;
use std::fmt;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file of a bound socket; it goes when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum SocketError {
    /// Another server answers there.
    Taken,
    /// Something that is no socket lies there; it is not removed.
    NoSocket,
    /// It cannot be made.
    Io(io::Error),
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("another program answers there"),
            Self::NoSocket => f.write_str("a file that is no socket lies there"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Binds a socket with this mode. A folder that is missing is made, `folder_mode` its mode.
pub fn bind(
    path: &Path,
    mode: u32,
    folder_mode: u32,
) -> Result<(UnixListener, SocketFile), SocketError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.exists()
    {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(SocketError::Io)?;
        // The mask has taken something from it.
        let mode = Permissions::from_mode(folder_mode);
        std::fs::set_permissions(folder, mode).map_err(SocketError::Io)?;
    }
    clear(path)?;
    let listener = UnixListener::bind(path).map_err(SocketError::Io)?;
    let file = SocketFile { path: path.to_owned() };
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(SocketError::Io)?;
    Ok((listener, file))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("socket {} not removed: {error}", self.path.display());
        }
    }
}

/// Removes a socket that nobody listens on: its server was killed.
fn clear(path: &Path) -> Result<(), SocketError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SocketError::Io(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(SocketError::Io)
        }
        Ok(_) => Err(SocketError::Taken),
        Err(error) => Err(SocketError::Io(error)),
    }
}
