//! A login as a client (RFC 4954): PLAIN (RFC 4616), or LOGIN for servers that have only that. The password crosses in the
//! clear within TLS, so whoever sets up a session with a login demands TLS to a server that has proven its name.

use crate::base::Secret;
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
#[derive(Debug, Clone, Copy)]
pub enum Exchange {
    /// LOGIN: the name, then the password.
    Name,
    /// LOGIN: the password.
    Password,
    /// Nothing more.
    Said,
}

impl Login {
    /// The AUTH command, and what is to be said after it; `None` if the server offers nothing that we have.
    pub fn begin(&self, offered: &[String]) -> Option<(String, Exchange)> {
        let has = |name: &str| offered.iter().any(|one| one == name);
        if has("PLAIN") {
            let text = format!("\0{}\0{}", self.user, self.password.reveal());
            return Some((
                format!("AUTH PLAIN {}", BASE64.encode(text.as_bytes())),
                Exchange::Said,
            ));
        }
        has("LOGIN").then(|| ("AUTH LOGIN".to_owned(), Exchange::Name))
    }

    /// The answer to a challenge, whatever it asks: LOGIN has two, in this order. `None`: there should be no more.
    pub fn answer(&self, exchange: Exchange) -> Option<(String, Exchange)> {
        match exchange {
            Exchange::Name => Some((BASE64.encode(self.user.as_bytes()), Exchange::Password)),
            Exchange::Password => {
                Some((BASE64.encode(self.password.reveal().as_bytes()), Exchange::Said))
            }
            Exchange::Said => None,
        }
    }
}
