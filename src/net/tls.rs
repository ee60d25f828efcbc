//! TLS for everything that accepts (TLS 1.2 and 1.3), and a self-signed certificate for `try`. RFC 9266 for the exporter.

use super::stream::Stream;
use crate::base::TlsFacts;
use async_openssl::SslStream;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{self, NameType, Ssl, SslAcceptor, SslMethod, SslRef, SslVersion};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};
use smol::net::TcpStream;
use std::fmt;

/// Takes handshakes with one certificate.
#[derive(Clone)]
pub struct Acceptor {
    inner: SslAcceptor,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// Why TLS does not stand.
#[derive(Debug)]
pub enum TlsError {
    /// The certificate or key cannot be used: ours to mend.
    Certificate(ErrorStack),
    /// The authorities of this machine cannot be read: ours to mend.
    Authorities(ErrorStack),
    /// The peer's handshake failed.
    Handshake(ssl::Error),
    /// STARTTLS on a connection that is TLS already: a fault of ours.
    Twice,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "certificate or key unusable: {error}"),
            Self::Authorities(error) => {
                write!(f, "the certificates of this machine's authorities cannot be read: {error}")
            }
            Self::Handshake(error) => write!(f, "TLS handshake failed: {error}"),
            Self::Twice => f.write_str("TLS within TLS"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<ErrorStack> for TlsError {
    fn from(error: ErrorStack) -> Self {
        Self::Certificate(error)
    }
}

impl Acceptor {
    /// From a certificate chain and its key, both PEM.
    pub fn new(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, TlsError> {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        let mut chain = X509::stack_from_pem(chain_pem)?.into_iter();
        if let Some(leaf) = chain.next() {
            builder.set_certificate(&leaf)?;
        }
        for above in chain {
            builder.add_extra_chain_cert(above)?;
        }
        let key = PKey::private_key_from_pem(key_pem)?;
        builder.set_private_key(&key)?;
        builder.check_private_key()?;
        Ok(Self { inner: builder.build() })
    }

    /// Does the handshake; the caller limits its time.
    pub async fn accept(&self, stream: TcpStream) -> Result<(Stream, TlsFacts), TlsError> {
        let ssl = Ssl::new(self.inner.context())?;
        let mut stream = Box::pin(SslStream::new(ssl, stream)?);
        stream.as_mut().accept().await.map_err(TlsError::Handshake)?;
        let facts = facts(stream.ssl());
        Ok((Stream::Tls(stream), facts))
    }
}

/// What is known of a session after its handshake.
pub(super) fn facts(ssl: &SslRef) -> TlsFacts {
    let mut binding = vec![0; 32];
    let exported = ssl.version2() == Some(SslVersion::TLS1_3)
        && ssl.export_keying_material(&mut binding, "EXPORTER-Channel-Binding", Some(&[])).is_ok();
    TlsFacts {
        version: ssl.version_str().to_owned(),
        cipher: ssl.current_cipher().map_or("", |cipher| cipher.name()).to_owned(),
        server_name: ssl.servername(NameType::HOST_NAME).map(str::to_owned),
        exporter: exported.then_some(binding),
        peer: None,
    }
}

/// A certificate that nobody vouches for, PEM.
#[derive(Debug)]
pub struct SelfSigned {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// Its key, PKCS#8.
    pub key: Vec<u8>,
}

impl SelfSigned {
    /// For these DNS names, for ten years: P-256.
    pub fn new(names: &[&str]) -> Result<Self, TlsError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut subject = X509NameBuilder::new()?;
        subject.append_entry_by_nid(Nid::COMMONNAME, names.first().unwrap_or(&"pillarbox"))?;
        let subject = subject.build();
        let mut number = BigNum::new()?;
        number.rand(127, MsbOption::MAYBE_ZERO, false)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        let number = number.to_asn1_integer()?;
        builder.set_serial_number(&number)?;
        builder.set_subject_name(&subject)?;
        builder.set_issuer_name(&subject)?;
        let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(3650)?);
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        builder.set_pubkey(&key)?;
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            alternatives.dns(name);
        }
        let alternatives = alternatives.build(&builder.x509v3_context(None, None))?;
        builder.append_extension(alternatives)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build().to_pem()?, key: key.private_key_to_pem_pkcs8()? })
    }
}
