//! A DNS server on a loopback port that does as a test says.

use crate::message::Message;
use pillarbox::dns::{Answer, Found, Question};
use pillarbox::net::{Believed, Resolver, Servers};
use smol::future;
use smol::io::AsyncReadExt;
use smol::net::{TcpListener, TcpStream, UdpSocket};
use std::io;
use std::net::SocketAddr;

/// UDP and TCP on the same free port.
pub struct Script {
    pub udp: UdpSocket,
    pub tcp: TcpListener,
    pub address: SocketAddr,
}

/// A question that came over UDP.
pub struct Asked<'s> {
    pub socket: &'s UdpSocket,
    pub peer: SocketAddr,
    pub query: Vec<u8>,
    pub question: Question,
    /// A reply without records.
    pub reply: Message,
}

impl Asked<'_> {
    pub async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.peer).await.unwrap();
    }

    pub async fn answer(&self, text: &str) {
        self.send(&self.reply.clone().answer(text).bytes()).await;
    }

    /// Were the extensions of RFC 6891 offered?
    pub fn has_edns(&self) -> bool {
        self.query[11] == 1
    }
}

impl Script {
    pub async fn new() -> Self {
        Self::at("127.0.0.1").await.unwrap()
    }

    /// The error is that there is no such address here.
    pub async fn at(ip: &str) -> io::Result<Self> {
        loop {
            let udp = UdpSocket::bind((ip, 0)).await?;
            let address = udp.local_addr()?;
            // Another test may have the port for TCP.
            if let Ok(tcp) = TcpListener::bind(address).await {
                return Ok(Self { udp, tcp, address });
            }
        }
    }

    /// Serves until the test is done.
    pub async fn run<T>(
        &self,
        udp: impl AsyncFn(Asked<'_>),
        tcp: impl AsyncFn(TcpStream, Message),
        test: impl Future<Output = T>,
    ) -> T {
        let over_udp = async {
            loop {
                let mut query = vec![0; 512];
                let (len, peer) = self.udp.recv_from(&mut query).await.unwrap();
                query.truncate(len);
                let (reply, question) = Message::to(&query);
                udp(Asked { socket: &self.udp, peer, query, question, reply }).await;
            }
        };
        let over_tcp = async {
            loop {
                let (mut stream, _) = self.tcp.accept().await.unwrap();
                let mut len = [0; 2];
                stream.read_exact(&mut len).await.unwrap();
                let mut query = vec![0; u16::from_be_bytes(len).into()];
                stream.read_exact(&mut query).await.unwrap();
                tcp(stream, Message::to(&query).0).await;
            }
        };
        future::or(test, future::or(over_udp, over_tcp)).await
    }
}

/// Nothing happens over TCP.
pub async fn no_tcp(_: TcpStream, _: Message) {
    panic!("asked over TCP");
}

pub fn resolver(servers: &[&Script]) -> Resolver {
    let listed = servers.iter().map(|server| server.address).collect();
    Resolver::new(Servers { listed, believed: Believed::Nearby })
}

/// As a line: `AD name data, data`.
pub fn show(answer: &Answer) -> String {
    let text = match &answer.found {
        Found::Records(records, end) => {
            let mut records: Vec<_> = records.iter().map(ToString::to_string).collect();
            records.sort();
            format!("{end} {}", records.join(", "))
        }
        Found::Failed(failure) => format!("{failure:?}"),
        Found::NoData | Found::NoName => format!("{:?}", answer.found),
    };
    format!("{}{text}", if answer.authentic { "AD " } else { "" })
}
