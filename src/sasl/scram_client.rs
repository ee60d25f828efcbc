//! SCRAM-SHA-256 from the client's side (RFC 5802, RFC 7677): we log in at a server that brings our mail on, and it proves
//! that it knows our keys. The server wrote every challenge.

use crate::base::{Secret, hmac_sha256};
use data_encoding::BASE64;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::sha::sha256;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// As many rounds as a server may ask for: it must not keep us busy.
const ROUNDS_MAX: usize = 200_000;
const ROUNDS_MIN: usize = 1000;
const CHALLENGE_LEN_MAX: usize = 2048;
/// "n,,": no channel binding.
const GS2_HEADER: &str = "n,,";

/// An exchange. It is not shown in logs.
pub struct ScramClient {
    password: Secret<String>,
    nonce: String,
    bare: String,
    stage: Stage,
}

enum Stage {
    /// The server's salt comes.
    Salt,
    /// The server's proof comes, and must be this.
    Proof([u8; 32]),
    Over,
}

impl fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramClient(…)")
    }
}

impl ScramClient {
    /// `nonce` is random, printable ASCII without commas.
    pub fn new(user: &str, password: &Secret<String>, nonce: String) -> Self {
        let user: String = user.nfkc().collect();
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let password = Secret::new(password.reveal().nfkc().collect());
        let bare = format!("n={user},r={nonce}");
        Self { password, nonce, bare, stage: Stage::Salt }
    }

    /// What is said first.
    pub fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.bare)
    }

    /// What is said to a challenge; `None`: the server does not do as it must, or does not know our keys.
    pub fn answer(&mut self, challenge: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(challenge).ok();
        let text = text.filter(|text| text.len() <= CHALLENGE_LEN_MAX)?;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Salt => self.prove(text),
            Stage::Proof(expected) => {
                let proof = text.split(',').next()?.strip_prefix("v=")?;
                let proof = BASE64.decode(proof.as_bytes()).ok()?;
                let right = proof.len() == expected.len() && memcmp::eq(&proof, &expected);
                right.then(String::new)
            }
            Stage::Over => None,
        }
    }

    /// True once the server has proven itself.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// `r=NONCE,s=SALT,i=ROUNDS` (RFC 5802 §5).
    fn prove(&mut self, server_first: &str) -> Option<String> {
        let mut attributes = server_first.split(',');
        let whole = attributes.next()?.strip_prefix("r=")?;
        let salt = BASE64.decode(attributes.next()?.strip_prefix("s=")?.as_bytes()).ok()?;
        let rounds = attributes.next()?.strip_prefix("i=")?.parse().ok()?;
        let theirs = whole.strip_prefix(&self.nonce)?;
        if theirs.is_empty() || !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return None;
        }
        let without_proof = format!("c={},r={whole}", BASE64.encode(GS2_HEADER.as_bytes()));
        let auth_message = format!("{},{server_first},{without_proof}", self.bare);
        let mut salted = [0; 32];
        let password = self.password.reveal().as_bytes();
        pbkdf2_hmac(password, &salt, rounds, MessageDigest::sha256(), &mut salted).ok()?;
        let mut proof = hmac_sha256(&salted, b"Client Key").ok()?;
        let signature = hmac_sha256(&sha256(&proof), auth_message.as_bytes()).ok()?;
        proof.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        let server_key = hmac_sha256(&salted, b"Server Key").ok()?;
        self.stage = Stage::Proof(hmac_sha256(&server_key, auth_message.as_bytes()).ok()?);
        Some(format!("{without_proof},p={}", BASE64.encode(&proof)))
    }
}

#[cfg(test)]
mod tests {
    use super::{ScramClient, Secret};

    fn client() -> ScramClient {
        let password = Secret::new("pencil".to_owned());
        ScramClient::new("user", &password, "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const PROOF: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn the_exchange_of_rfc_7677() {
        let mut client = client();
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = client.answer(CHALLENGE.as_bytes()).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(client.answer(PROOF.as_bytes()).as_deref(), Some(""));
        assert!(client.is_over() && client.answer(PROOF.as_bytes()).is_none());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_gets_no_further() {
        for (from, to) in [
            ("rOprNGfwEbeRWgbNEkqO%", "other%"),
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""),
            ("i=4096", "i=10"),
            ("i=4096", "i=99999999"),
            ("s=W22", "s=!"),
            ("r=", "m=x,r="),
        ] {
            assert_eq!(client().answer(CHALLENGE.replace(from, to).as_bytes()), None, "{to}");
        }
        let mut client = client();
        client.answer(CHALLENGE.as_bytes()).unwrap();
        assert_eq!(client.answer(PROOF.replace("6rri", "7rri").as_bytes()), None);
        let odd = ScramClient::new("a,b=c", &Secret::new("x".to_owned()), "n".to_owned());
        assert_eq!(odd.first(), "n,,n=a=2Cb=3Dc,r=n");
    }
}
