//! Sockets that systemd has bound and passed on (sd_listen_fds(3)): each has the name of a port of ours, given by
//! `FileDescriptorName=` in its .socket unit. Whoever starts the server controls the variables.

use super::port::Port;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::fmt;
use std::net::TcpListener;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

/// A listening socket that was passed on.
#[derive(Debug)]
pub enum Inherited {
    /// A port.
    Tcp(TcpListener),
    /// A Unix socket; whoever made it removes it.
    Unix(UnixListener),
}

/// What was passed on and cannot be used.
#[derive(Debug)]
pub enum InheritedError {
    /// The variables are not as sd_listen_fds(3) has them.
    Variables(String),
    /// A socket's name is no port's.
    Name(String),
    /// A socket is not what this port listens on.
    Kind(Port, &'static str),
}

impl fmt::Display for InheritedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables(what) => {
                write!(
                    f,
                    "sockets were passed on, but LISTEN_FDS and LISTEN_FDNAMES do not fit: {what}"
                )
            }
            Self::Name(name) => {
                let names: Vec<&str> = Port::ALL.into_iter().map(Port::name).collect();
                write!(
                    f,
                    "a socket was passed on with the name {name:?}, so it is not known what to serve there. Set \
                     FileDescriptorName= in its .socket unit to one of {}",
                    names.join(", ")
                )
            }
            Self::Kind(port, what) => {
                write!(
                    f,
                    "the socket that was passed on as {} {what}. See its .socket unit",
                    port.name()
                )
            }
        }
    }
}

/// All that were passed on to this process, and for which port.
pub fn inherited() -> Result<Vec<(Port, Inherited)>, InheritedError> {
    let wrong = |error: std::io::Error| InheritedError::Variables(error.to_string());
    // It looks at LISTEN_PID, so that what was meant for a parent is not taken, and sets close-on-exec.
    let fds: Vec<RawFd> = sd_notify::listen_fds().map_err(wrong)?.collect();
    if fds.is_empty() {
        return Ok(Vec::new());
    }
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let ports = ports(&names, fds.len())?;
    // Only now is anything owned: an error before leaves all as it is.
    ports.into_iter().zip(fds).map(|(port, fd)| Ok((port, listener(port, adopt(fd))?))).collect()
}

/// The ports of so many names parted by colons.
fn ports(names: &str, count: usize) -> Result<Vec<Port>, InheritedError> {
    let names: Vec<&str> = names.split(':').collect();
    if names.len() != count {
        let what = format!("{count} sockets and {} names ({})", names.len(), names.join(":"));
        return Err(InheritedError::Variables(what));
    }
    let port = |name: &str| {
        let port = Port::ALL.into_iter().find(|port| port.name() == name);
        port.ok_or_else(|| InheritedError::Name(name.to_owned()))
    };
    names.into_iter().map(port).collect()
}

/// Takes a descriptor over.
#[allow(unsafe_code)]
fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller has it from systemd, which opened it for this process alone (LISTEN_PID) and closed its own; it is
    // open, as `fcntl` has just found. It is called once for each, before anything else here could have got the number.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn listener(port: Port, fd: OwnedFd) -> Result<Inherited, InheritedError> {
    let kind = |what| InheritedError::Kind(port, what);
    let no_socket = |_| kind("is no socket");
    if sockopt::socket_type(&fd).map_err(no_socket)? != SocketType::STREAM {
        return Err(kind("is no stream socket (ListenStream=)"));
    }
    if !sockopt::socket_acceptconn(fd.as_fd()).map_err(no_socket)? {
        return Err(kind(
            "does not listen: Accept=yes starts a server for each connection, Accept=no is needed",
        ));
    }
    match sockopt::socket_domain(&fd).map_err(no_socket)? {
        AddressFamily::INET | AddressFamily::INET6 if port == Port::Submit => Err(kind(
            "is on the network; it must be a Unix socket, for the kernel to say who sends",
        )),
        AddressFamily::INET | AddressFamily::INET6 => Ok(Inherited::Tcp(fd.into())),
        AddressFamily::UNIX if matches!(port, Port::Lmtp | Port::Submit) => {
            Ok(Inherited::Unix(fd.into()))
        }
        AddressFamily::UNIX => Err(kind("is a Unix socket, which only lmtp and submit may be")),
        _ => Err(kind("is neither of IP nor a Unix socket")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Inherited, InheritedError, Port, listener, ports};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;

    #[test]
    fn names_are_ports() {
        assert_eq!(ports("smtp:imaps:smtp", 3).unwrap(), [Port::Smtp, Port::Imaps, Port::Smtp]);
        for (names, count, said) in [
            ("smtp", 2, "2 sockets and 1 names"),
            ("smtp:imap", 1, "1 sockets and 2 names"),
            ("", 1, "the name \"\""),
            ("unknown", 1, "FileDescriptorName="),
        ] {
            let text = ports(names, count).unwrap_err().to_string();
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn only_what_listens_is_taken() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let wrong = |found: Result<Inherited, InheritedError>| found.unwrap_err().to_string();
        assert!(matches!(listener(Port::Imaps, tcp.into()), Ok(Inherited::Tcp(_))));
        assert!(wrong(listener(Port::Imaps, client.into())).contains("does not listen"));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(wrong(listener(Port::Smtp, udp.into())).contains("ListenStream="));
        let (unix, _other) = UnixStream::pair().unwrap();
        assert!(wrong(listener(Port::Lmtp, unix.into())).contains("does not listen"));
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(wrong(listener(Port::Submit, tcp.into())).contains("must be a Unix socket"));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(wrong(listener(Port::Lmtp, file.into())).contains("is no socket"));
    }
}
