//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; channel binding `tls-exporter`, RFC 9266): the peer proves
//! that it knows the password without sending it, and sees that we know its keys. The peer wrote every message.

use super::credentials::{Credentials, Proof};
use super::scram_keys::{SCRAM_ROUNDS, ScramKeys};
use super::scram_secrets::ScramSecrets;
use super::turn::{Conversation, Turn};
use crate::base::hmac_sha256;
use data_encoding::BASE64;
use openssl::memcmp;
use openssl::sha::sha256;

/// Bytes of a nonce or a name of the peer at most.
const FIELD_LEN_MAX: usize = 1024;

/// An exchange.
pub struct Scram {
    binding: Binding,
    stage: Stage,
}

/// What the channel gives, and whether the mechanism wants it.
pub enum Binding {
    /// SCRAM-SHA-256-PLUS: 32 bytes of the TLS exporter.
    Required(Vec<u8>),
    /// SCRAM-SHA-256 where -PLUS is offered too: a peer that could have bound the channel was led to believe otherwise.
    Possible,
    /// SCRAM-SHA-256 where -PLUS is not to be had.
    Absent,
}

enum Stage {
    /// The peer speaks first.
    First,
    /// What is known of the name is asked for.
    Lookup(First),
    /// The peer's proof comes.
    Proof {
        first: First,
        secrets: ScramSecrets,
        server_first: String,
    },
    /// The peer has heard our proof and says nothing more.
    Confirmed(Credentials),
    Over,
}

/// The client's first message, taken apart.
struct First {
    /// With its commas: `n,,` or `p=tls-exporter,,`.
    gs2_header: String,
    /// Behind the header, as it came.
    bare: String,
    authzid: Option<String>,
    authcid: String,
    nonce: String,
}

impl Scram {
    /// Waits for the peer's first message.
    pub const fn new(binding: Binding) -> Self {
        Self { binding, stage: Stage::First }
    }
}

impl Conversation for Scram {
    fn begin(&mut self) -> Turn {
        Turn::Challenge(Vec::new())
    }

    fn message(&mut self, message: &[u8]) -> Turn {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::First => {
                match std::str::from_utf8(message).ok().and_then(|text| first(text, &self.binding))
                {
                    Some(first) => {
                        let name = first.authcid.clone();
                        self.stage = Stage::Lookup(first);
                        Turn::Lookup(name)
                    }
                    None => Turn::Malformed,
                }
            }
            Stage::Proof { first, secrets, server_first } => {
                let text = std::str::from_utf8(message).ok();
                text.map_or(Turn::Malformed, |text| {
                    self.proof(text, first, &secrets, &server_first)
                })
            }
            Stage::Confirmed(credentials) if message.is_empty() => Turn::Decide(credentials),
            Stage::Confirmed(_) | Stage::Lookup(_) | Stage::Over => Turn::Malformed,
        }
    }

    fn secrets(&mut self, secrets: ScramSecrets) -> Turn {
        let Stage::Lookup(first) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Turn::Malformed;
        };
        let (ours, salt) = (BASE64.encode(&secrets.nonce), BASE64.encode(&secrets.salt));
        let server_first = format!("r={}{ours},s={salt},i={SCRAM_ROUNDS}", first.nonce);
        let challenge = server_first.clone().into_bytes();
        self.stage = Stage::Proof { first, secrets, server_first };
        Turn::Challenge(challenge)
    }
}

impl Scram {
    /// `c=biws,r=NONCE,p=PROOF` (RFC 5802 §5).
    fn proof(
        &mut self,
        text: &str,
        first: First,
        secrets: &ScramSecrets,
        server_first: &str,
    ) -> Turn {
        let Some((without_proof, proof)) = text.rsplit_once(",p=") else { return Turn::Malformed };
        let mut attributes = without_proof.split(',');
        let bound = attributes.next().and_then(|c| c.strip_prefix("c=")).and_then(decode);
        let nonce = attributes.next().and_then(|r| r.strip_prefix("r="));
        let proof = decode(proof).and_then(|proof| <[u8; 32]>::try_from(proof).ok());
        let (Some(bound), Some(nonce), Some(proof)) = (bound, nonce, proof) else {
            return Turn::Malformed;
        };
        let First { gs2_header, bare, authzid, authcid, nonce: theirs } = first;
        let mut expected = gs2_header.into_bytes();
        if let Binding::Required(exporter) = &self.binding {
            expected.extend_from_slice(exporter);
        }
        let whole_nonce = format!("{theirs}{}", BASE64.encode(&secrets.nonce));
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let wrong =
            Credentials { authzid: authzid.clone(), authcid: authcid.clone(), proof: Proof::Wrong };
        if bound != expected || nonce != whole_nonce {
            return Turn::Decide(wrong);
        }
        match prove(&secrets.keys, &proof, auth_message.as_bytes()) {
            Some((device, signature)) => {
                self.stage = Stage::Confirmed(Credentials {
                    authzid,
                    authcid,
                    proof: Proof::Device(device),
                });
                Turn::Challenge(format!("v={}", BASE64.encode(&signature)).into_bytes())
            }
            None => Turn::Decide(wrong),
        }
    }
}

/// Whose keys the proof fits, and our own proof. Every key is tried, so that the time tells nothing.
fn prove(
    keys: &[(i64, ScramKeys)],
    proof: &[u8; 32],
    auth_message: &[u8],
) -> Option<(i64, [u8; 32])> {
    let mut found = None;
    for (device, keys) in keys {
        let signature = hmac_sha256(&keys.stored_key, auth_message).ok()?;
        let mut client_key = *proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        if memcmp::eq(&sha256(&client_key), &keys.stored_key) {
            found = Some((*device, hmac_sha256(&keys.server_key, auth_message).ok()?));
        }
    }
    found
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.as_bytes()).ok()
}

/// `n,,n=user,r=nonce` (RFC 5802 §7). Extensions behind the nonce are passed over; a mandatory one (`m=`) is refused.
#[expect(clippy::similar_names, reason = "the RFC's own names")]
fn first(text: &str, binding: &Binding) -> Option<First> {
    let (flag, rest) = text.split_once(',')?;
    let (authzid, bare) = rest.split_once(',')?;
    match (flag, binding) {
        ("n", Binding::Possible | Binding::Absent) | ("y", Binding::Absent) => {}
        ("p=tls-exporter", Binding::Required(_)) => {}
        _ => return None,
    }
    let gs2_header = format!("{flag},{authzid},");
    let authzid = match authzid {
        "" => None,
        named => Some(saslname(named.strip_prefix("a=")?)?),
    };
    let mut attributes = bare.split(',');
    let authcid = saslname(attributes.next()?.strip_prefix("n=")?)?;
    let nonce = attributes.next()?.strip_prefix("r=")?;
    let printable = nonce.bytes().all(|b| b.is_ascii_graphic());
    if nonce.is_empty() || nonce.len() > FIELD_LEN_MAX || !printable {
        return None;
    }
    let (bare, nonce) = (bare.to_owned(), nonce.to_owned());
    Some(First { gs2_header, bare, authzid, authcid, nonce })
}

/// `=2C` is a comma, `=3D` an equals sign; nothing else may be behind one.
fn saslname(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (byte, rest) = match piece.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        name.push(byte);
        name.push_str(rest);
    }
    let fine = !name.is_empty() && name.len() <= FIELD_LEN_MAX && !name.contains('\0');
    fine.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Proof;
    use super::super::turn::{Conversation, Turn};
    use super::{Binding, Scram, ScramKeys, ScramSecrets, hmac_sha256};
    use data_encoding::BASE64;
    use openssl::sha::sha256;

    fn secrets(password: &str) -> ScramSecrets {
        let salt = b"0123456789abcdef".to_vec();
        let keys = ScramKeys::derive(password, &salt).unwrap();
        let other = ScramKeys::derive("another", &salt).unwrap();
        ScramSecrets { salt, nonce: *b"eighteen bytes now", keys: vec![(7, other), (8, keys)] }
    }

    fn challenge(turn: Turn) -> String {
        match turn {
            Turn::Challenge(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// A client of RFC 5802 §3.
    fn client_final(
        first_bare: &str,
        server_first: &str,
        bound: &[u8],
        password: &str,
    ) -> (String, String) {
        let field = |key: &str| {
            server_first.split(',').find_map(|f| f.strip_prefix(key)).unwrap().to_owned()
        };
        let salt = BASE64.decode(field("s=").as_bytes()).unwrap();
        let mut salted = [0; 32];
        let rounds = field("i=").parse().unwrap();
        openssl::pkcs5::pbkdf2_hmac(
            password.as_bytes(),
            &salt,
            rounds,
            openssl::hash::MessageDigest::sha256(),
            &mut salted,
        )
        .unwrap();
        let without_proof = format!("c={},r={}", BASE64.encode(bound), field("r="));
        let auth_message = format!("{first_bare},{server_first},{without_proof}");
        let client_key = hmac_sha256(&salted, b"Client Key").unwrap();
        let signature = hmac_sha256(&sha256(&client_key), auth_message.as_bytes()).unwrap();
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server =
            hmac_sha256(&hmac_sha256(&salted, b"Server Key").unwrap(), auth_message.as_bytes())
                .unwrap();
        (
            format!("{without_proof},p={}", BASE64.encode(&proof)),
            format!("v={}", BASE64.encode(&server)),
        )
    }

    fn login(header: &str, bound: &[u8], binding: Binding, password: &str) -> Option<Proof> {
        let mut scram = Scram::new(binding);
        let bare = "n=ann@example.org,r=abc";
        match scram.message(format!("{header}{bare}").as_bytes()) {
            Turn::Lookup(name) => assert_eq!(name, "ann@example.org"),
            _ => return None,
        }
        let server_first = challenge(scram.secrets(secrets("pencil")));
        let (last, expected) = client_final(bare, &server_first, bound, password);
        match scram.message(last.as_bytes()) {
            Turn::Decide(credentials) => Some(credentials.proof),
            turn => {
                assert_eq!(challenge(turn), expected);
                match scram.message(b"") {
                    Turn::Decide(credentials) => Some(credentials.proof),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn both_sides_prove_themselves() {
        assert_eq!(login("n,,", b"n,,", Binding::Absent, "pencil"), Some(Proof::Device(8)));
        assert_eq!(login("y,,", b"y,,", Binding::Absent, "another"), Some(Proof::Device(7)));
        assert_eq!(login("n,,", b"n,,", Binding::Possible, "wrong"), Some(Proof::Wrong));
    }

    #[test]
    fn a_bound_channel_is_this_channel() {
        let exporter = vec![9; 32];
        let bound = [b"p=tls-exporter,,".as_slice(), &exporter].concat();
        let required = || Binding::Required(exporter.clone());
        assert_eq!(login("p=tls-exporter,,", &bound, required(), "pencil"), Some(Proof::Device(8)));
        let elsewhere = [b"p=tls-exporter,,".as_slice(), &[8; 32]].concat();
        assert_eq!(login("p=tls-exporter,,", &elsewhere, required(), "pencil"), Some(Proof::Wrong));
        // Somebody has cut -PLUS out of our list.
        assert_eq!(login("y,,", b"y,,", Binding::Possible, "pencil"), None);
        assert_eq!(login("n,,", b"n,,", required(), "pencil"), None);
        assert_eq!(login("p=tls-unique,,", b"", required(), "pencil"), None);
    }

    #[test]
    fn malformed_messages_end_the_exchange() {
        for bad in [
            "",
            "n,,",
            "n,,n=,r=a",
            "n,,n=a=2,r=a",
            "n,,n=a=2Db,r=a",
            "n,,n=a",
            "n,,m=x,n=a,r=b",
            "x,,n=a,r=b",
            "n,b,n=a,r=b",
            "n,,n=a,r=a b",
        ] {
            assert_eq!(
                Scram::new(Binding::Absent).message(bad.as_bytes()),
                Turn::Malformed,
                "{bad}"
            );
        }
        let mut scram = Scram::new(Binding::Absent);
        assert_eq!(scram.message(b"n,a=x=2Cy,n=x=3Dy,r=a"), Turn::Lookup("x=y".to_owned()));
        assert_eq!(scram.message(b"c=biws,r=a,p=AAAA"), Turn::Malformed);
    }

    #[test]
    fn the_nonce_must_be_ours() {
        let mut scram = Scram::new(Binding::Absent);
        let _ = scram.message(b"n,,n=a,r=abc");
        let first = challenge(scram.secrets(secrets("pencil"))).replace("r=abc", "r=abd");
        let (last, _) = client_final("n=a,r=abc", &first, b"n,,", "pencil");
        assert!(
            matches!(scram.message(last.as_bytes()), Turn::Decide(c) if c.proof == Proof::Wrong)
        );
    }
}
