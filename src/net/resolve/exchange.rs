//! One question to one server, over UDP and, if the reply does not fit, over TCP (RFC 7766 §5). Anyone may send to the
//! socket; a reply counts if it comes from the server, and has our id and our question.

use super::super::clock::within;
use crate::dns::{Edns, Failure, Question, Reply, Told, UDP_LEN_MAX, read_reply, write_query};
use openssl::rand::rand_bytes;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpStream, UdpSocket};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Why a server has told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It did not answer in time: whoever is on the way, or serves the zone, can bring that about.
    Silent,
    /// Nothing is listening there, or no way leads there.
    Unreachable,
    /// It said so, or what it said cannot be read.
    Failed(Failure),
}

/// Asks; `wait` is for UDP, and once more for TCP.
pub async fn exchange(
    server: SocketAddr,
    question: &Question,
    wait: Duration,
) -> Result<Told, Unanswered> {
    let mut edns = Edns::Offered;
    loop {
        let asking = Asking::new(question, edns)?;
        let mut reply = asking.waiting(wait, asking.over_udp(server)).await?;
        if reply == Reply::Truncated {
            reply = asking.waiting(wait, asking.over_tcp(server)).await?;
        }
        match (reply, edns) {
            (Reply::Told(told), _) => return Ok(told),
            (Reply::NoEdns, Edns::Offered) => edns = Edns::Left,
            (Reply::NoEdns, Edns::Left) => return Err(Unanswered::Failed(Failure::Refused)),
            (Reply::Failed(failure), _) => return Err(Unanswered::Failed(failure)),
            // Over TCP there is nobody else, and everything fits.
            (Reply::Stray | Reply::Truncated, _) => {
                return Err(Unanswered::Failed(Failure::Malformed));
            }
        }
    }
}

struct Asking<'q> {
    question: &'q Question,
    id: u16,
    query: Vec<u8>,
}

impl<'q> Asking<'q> {
    fn new(question: &'q Question, edns: Edns) -> Result<Self, Unanswered> {
        let mut id = [0; 2];
        // Without chance nobody could be believed.
        rand_bytes(&mut id).map_err(|_| Unanswered::Unreachable)?;
        let id = u16::from_be_bytes(id);
        Ok(Self { question, id, query: write_query(question, id, edns) })
    }

    async fn waiting(
        &self,
        wait: Duration,
        exchange: impl Future<Output = io::Result<Reply>>,
    ) -> Result<Reply, Unanswered> {
        match within(wait, exchange).await {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => {
                log::debug!("dns question={} error={error}", self.question.name);
                Err(Unanswered::Unreachable)
            }
            None => Err(Unanswered::Silent),
        }
    }

    /// From a port of its own, which the system chooses by chance; to a connected socket nobody else can send.
    async fn over_udp(&self, server: SocketAddr) -> io::Result<Reply> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        socket.send(&self.query).await?;
        // One byte more: what fills it is longer than we asked for.
        let mut buffer = vec![0; usize::from(UDP_LEN_MAX) + 1];
        loop {
            let count = socket.recv(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            match read_reply(bytes, self.id, self.question) {
                Reply::Stray => {}
                Reply::Failed(Failure::Malformed) if count == buffer.len() => {
                    return Ok(Reply::Truncated);
                }
                reply => return Ok(reply),
            }
        }
    }

    /// Messages have their length before them in two bytes (RFC 1035 §4.2.2).
    async fn over_tcp(&self, server: SocketAddr) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(server).await?;
        let len = u16::try_from(self.query.len()).map_err(io::Error::other)?;
        stream.write_all(&[&len.to_be_bytes(), self.query.as_slice()].concat()).await?;
        let mut len = [0; 2];
        stream.read_exact(&mut len).await?;
        let mut bytes = vec![0; u16::from_be_bytes(len).into()];
        stream.read_exact(&mut bytes).await?;
        Ok(read_reply(&bytes, self.id, self.question))
    }
}
