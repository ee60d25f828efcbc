//! TLS towards other servers (RFC 3207 §4, RFC 8314). A handshake never fails for what the certificate says: most mail
//! servers prove nothing, and a policy that wants proof is asked when the handshake is done and before anything is sent.

use super::stream::Stream;
use super::tls::{TlsError, facts};
use crate::base::{Doubt, PeerCertificate, TlsFacts};
use async_openssl::SslStream;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::X509VerifyResult;
use smol::net::TcpStream;
use std::fmt;
use std::net::IpAddr;

/// Does handshakes as a client. The authorities that this machine trusts are read once.
#[derive(Clone)]
pub struct Connector {
    context: SslContext,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// With the authorities of this machine.
    pub fn new() -> Result<Self, TlsError> {
        let made = || {
            let mut builder = SslContext::builder(SslMethod::tls_client())?;
            builder.set_default_verify_paths()?;
            builder.set_verify(SslVerifyMode::NONE);
            builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
            Ok(builder.build())
        };
        made().map(|context| Self { context }).map_err(TlsError::Authorities)
    }

    /// Does the handshake with the server of that name; the caller limits its time.
    pub async fn connect(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> Result<(Stream, TlsFacts), TlsError> {
        let mut stream = Box::pin(SslStream::new(self.session(name)?, stream)?);
        stream.as_mut().connect().await.map_err(TlsError::Handshake)?;
        let ssl = stream.ssl();
        let facts = TlsFacts { peer: Some(shown(ssl)), ..facts(ssl) };
        Ok((Stream::Tls(stream), facts))
    }

    fn session(&self, name: &str) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        match name.parse::<IpAddr>() {
            Ok(address) => ssl.param_mut().set_ip(address)?,
            Err(_) => {
                // RFC 6066 §3: a name, never an address.
                ssl.set_hostname(name)?;
                ssl.param_mut().set_host(name)?;
            }
        }
        Ok(ssl)
    }
}

fn shown(ssl: &SslRef) -> PeerCertificate {
    let chain = ssl.peer_cert_chain().into_iter().flatten();
    let chain: Vec<Vec<u8>> = chain.filter_map(|certificate| certificate.to_der().ok()).collect();
    let vouched = match ssl.verify_result() {
        _ if chain.is_empty() => Err(Doubt::NoCertificate),
        X509VerifyResult::OK => Ok(()),
        error => Err(Doubt::of_openssl(error.as_raw(), error.error_string())),
    };
    PeerCertificate { chain, vouched }
}
