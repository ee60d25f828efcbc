//! A login as a client (RFC 4954): SCRAM-SHA-256 (RFC 7677), PLAIN (RFC 4616), or LOGIN for servers that have only that. By
//! the last two the password crosses in the clear within TLS, so whoever sets up a session with a login demands TLS to a
//! server that has proven its name.

use crate::base::Secret;
use crate::sasl::ScramClient;
use data_encoding::BASE64;
use std::fmt;

/// Who we are to a server that takes mail of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// What is still to be said.
#[derive(Debug)]
pub enum Exchange {
    /// SCRAM: as the server's challenges have it.
    Scram(Box<ScramClient>),
    /// LOGIN: the name, then the password.
    Name,
    /// LOGIN: the password.
    Password,
    /// Nothing more.
    Said,
}

impl Login {
    /// The AUTH command, and what is to be said after it; `None` if the server offers nothing that we have. `nonce` is
    /// random.
    pub fn begin(&self, offered: &[String], nonce: &[u8; 18]) -> Option<(String, Exchange)> {
        let has = |name: &str| offered.iter().any(|one| one == name);
        if has("SCRAM-SHA-256") {
            let scram = ScramClient::new(&self.user, &self.password, BASE64.encode(nonce));
            let line = format!("AUTH SCRAM-SHA-256 {}", BASE64.encode(scram.first().as_bytes()));
            return Some((line, Exchange::Scram(Box::new(scram))));
        }
        if has("PLAIN") {
            let text = format!("\0{}\0{}", self.user, self.password.reveal());
            return Some((
                format!("AUTH PLAIN {}", BASE64.encode(text.as_bytes())),
                Exchange::Said,
            ));
        }
        has("LOGIN").then(|| ("AUTH LOGIN".to_owned(), Exchange::Name))
    }

    /// The answer to a challenge; LOGIN has two, whatever they ask, in this order. `None`: there should be no more, or the
    /// server has not proven what it must.
    pub fn answer(&self, exchange: Exchange, challenge: &str) -> Option<(String, Exchange)> {
        match exchange {
            Exchange::Scram(mut scram) => {
                let challenge = BASE64.decode(challenge.trim().as_bytes()).ok()?;
                let answer = scram.answer(&challenge)?;
                Some((BASE64.encode(answer.as_bytes()), Exchange::Scram(scram)))
            }
            Exchange::Name => Some((BASE64.encode(self.user.as_bytes()), Exchange::Password)),
            Exchange::Password => {
                Some((BASE64.encode(self.password.reveal().as_bytes()), Exchange::Said))
            }
            Exchange::Said => None,
        }
    }

    /// Is it over, so that the server's yes counts? By SCRAM not before it has proven that it knows us.
    pub const fn is_over(exchange: &Exchange) -> bool {
        match exchange {
            Exchange::Scram(scram) => scram.is_over(),
            Exchange::Name | Exchange::Password | Exchange::Said => true,
        }
    }
}
