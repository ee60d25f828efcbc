//! Sockets, TLS and the clock: what runs the machines of the pure wing over the network. Everything that comes in here
//! is hostile.

mod attempts;
mod behind;
mod clock;
mod connect;
mod connector;
mod deflate;
mod drive;
mod https;
mod listen;
mod proxy;
mod resolve;
mod stream;
mod tls;
mod trust;
mod wire;

pub use attempts::Attempts;
pub use behind::{BehindError, behind};
pub use clock::{now, within};
pub use connect::{ConnectError, connect, connect_locally};
pub use connector::Connector;
pub use drive::{DriveError, End, drive, secure};
pub use https::{HttpsError, Page, https_get, https_post};
pub use listen::{Admission, Crowd, listen, listen_locally};
pub use proxy::{Header, ProxyError};
pub use resolve::{Believed, Resolver, Servers, server_address};
pub use stream::Stream;
pub use tls::{Acceptor, SelfSigned, TlsError};
pub use trust::{Network, Trust};
