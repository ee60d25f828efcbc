//! Sockets, TLS and the clock: what runs the machines of the pure wing over the network. Everything that comes in here
//! is hostile.

mod attempts;
mod clock;
mod deflate;
mod drive;
mod listen;
mod stream;
mod tls;
mod trust;
mod wire;

pub use attempts::Attempts;
pub use clock::now;
pub use drive::{DriveError, drive, secure};
pub use listen::{Admission, Crowd, listen};
pub use stream::Stream;
pub use tls::{Acceptor, SelfSigned, TlsError};
pub use trust::{Network, Trust};
