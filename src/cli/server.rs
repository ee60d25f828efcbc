//! Speaks to the running server over its control socket: one request, one answer.

use super::command::Stop;
use crate::config::{ConfigError, DEFAULT_PATH, Settings};
use crate::daemon::{ANSWER_LEN_MAX, Answer, REQUEST_LEN_MAX, Request, Transfer};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the control socket in the folder of `try`.
pub const TRY_SOCKET: &str = "control";
/// The name of the socket for `sendmail` there.
pub const TRY_SUBMIT_SOCKET: &str = "submit";
/// Longer than the server takes for anything.
const ANSWER_WAIT: Duration = Duration::from_secs(40);
const SOCKET: &str = "/run/pillarbox/control";
const SUBMIT_SOCKET: &str = "/run/pillarbox/submit";

/// Which server.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
}

impl Server {
    /// The one of these settings, or of this folder of `try`, or the usual one.
    pub fn find(config: Option<&Path>, dir: Option<&Path>) -> Result<Self, Stop> {
        let socket = match (config, dir) {
            (Some(_), Some(_)) => {
                return Err(two_servers());
            }
            (Some(config), None) => Settings::read(config)?.control,
            (None, Some(dir)) => dir.join(TRY_SOCKET),
            (None, None) => match Settings::read(Path::new(DEFAULT_PATH)) {
                Ok(settings) => settings.control,
                // Nothing was said, so the usual place is as good as any.
                Err(ConfigError::Io(..)) => SOCKET.into(),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Self { socket })
    }

    /// Asks, and waits for the answer.
    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Stop> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        if line.len() > REQUEST_LEN_MAX {
            return Err(Stop::Usage("these words are too long".to_owned()));
        }
        let stream = UnixStream::connect(&self.socket).map_err(|error| self.unreachable(&error))?;
        match talk(&stream, &line) {
            Ok(answer) => match serde_json::from_slice(&answer)? {
                Answer::Done(value) => Ok(serde_json::from_value(value)?),
                Answer::Refused(why) | Answer::Failed(why) => Err(Stop::Failed(why)),
            },
            Err(error) => Err(Stop::Unreachable(format!(
                "the server at {} did not answer ({error}). Whether it did what was asked is not known: look before you \
                 try again",
                self.socket.display()
            ))),
        }
    }

    /// Asks for what goes on after the answer; the rest is between the caller and the server.
    pub fn transfer(&self, request: &Request) -> Result<Transfer, Stop> {
        let stream = UnixStream::connect(&self.socket).map_err(|error| self.unreachable(&error))?;
        let asked = Transfer::new(stream).and_then(|mut transfer| {
            // A server that refuses does not read first: its answer is still there.
            let said = transfer.say(request).and_then(|()| transfer.flush());
            match transfer.hear::<Answer>()? {
                Some(answer) => Ok((transfer, answer)),
                None => said.and(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        });
        match asked {
            Ok((transfer, Answer::Done(_))) => Ok(transfer),
            Ok((_, Answer::Refused(why) | Answer::Failed(why))) => Err(Stop::Failed(why)),
            Err(error) => Err(Stop::Unreachable(format!(
                "the server at {} did not answer ({error}); nothing was done",
                self.socket.display()
            ))),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Stop {
        let socket = self.socket.display();
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Stop::Unreachable(format!(
                "{socket} is only for the server's own user and root. Try it with sudo"
            ));
        }
        Stop::Unreachable(format!(
            "no server answers at {socket} ({error}). Start it: systemctl start pillarbox, or pillarbox serve. If it was \
             started by `pillarbox try`, add --dir and its folder; if with other settings, add --config and their file"
        ))
    }
}

/// The socket over which programs of this machine send, of a server that is named like one of `Server::find`. Any user may
/// ask, also one who cannot read the settings.
pub fn submit_socket(config: Option<&Path>, dir: Option<&Path>) -> Result<PathBuf, Stop> {
    match (config, dir) {
        (Some(config), None) => Ok(Settings::read(config)?.submit),
        (None, Some(dir)) => Ok(dir.join(TRY_SUBMIT_SOCKET)),
        (Some(_), Some(_)) => Err(two_servers()),
        (None, None) => {
            let settings = Settings::read(Path::new(DEFAULT_PATH));
            Ok(settings.map_or_else(|_| SUBMIT_SOCKET.into(), |settings| settings.submit))
        }
    }
}

fn two_servers() -> Stop {
    Stop::Usage("--config and --dir name two servers; give one".to_owned())
}

fn talk(mut stream: &UnixStream, line: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    // A server that refuses does not read first: its answer is still there.
    let sent = stream.write_all(line);
    let limit = u64::try_from(ANSWER_LEN_MAX).unwrap_or(u64::MAX);
    let mut answer = Vec::new();
    BufReader::new(stream.take(limit)).read_until(b'\n', &mut answer)?;
    if answer.last() == Some(&b'\n') {
        return Ok(answer);
    }
    sent.and(Err(io::ErrorKind::UnexpectedEof.into()))
}
