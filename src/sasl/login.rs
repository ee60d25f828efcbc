//! LOGIN (never an RFC; draft-murchison-sasl-login): the user name, then the password, each in a message of its own.
//! Outlook's cloud, copiers and cameras speak nothing else. The peer wrote both.

use super::credentials::{Credentials, Proof, field};
use super::turn::{Conversation, Turn};
use crate::base::Secret;

/// Which of the two it waits for.
pub enum Login {
    /// Nothing is known yet.
    UserName,
    /// The user name is here.
    Password {
        /// As the peer wrote it.
        authcid: String,
    },
}

impl Conversation for Login {
    fn begin(&mut self) -> Turn {
        // Quirk(Outlook, copiers): they compare the challenges with exactly these texts.
        Turn::Challenge(b"Username:".to_vec())
    }

    fn message(&mut self, message: &[u8]) -> Turn {
        let text = match field(message) {
            Some(text) if !text.is_empty() => text,
            Some(_) | None => return Turn::Malformed,
        };
        match std::mem::replace(self, Self::UserName) {
            Self::UserName => {
                *self = Self::Password { authcid: text };
                Turn::Challenge(b"Password:".to_vec())
            }
            Self::Password { authcid } => Turn::Decide(Credentials {
                authzid: None,
                authcid,
                proof: Proof::Password(Secret::new(text)),
            }),
        }
    }
}
