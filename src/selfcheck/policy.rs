//! The MTA-STS policy of a domain (RFC 8461 §3.2): others send to its host with TLS or not at all.

use crate::dns::Name;
use openssl::sha::sha256;

/// A week: long enough to protect, short enough to change one's mind.
const AGE_MAX: u32 = 604_800;
/// Bytes of the hash that tell one policy from another.
const ID_LEN: usize = 10;

/// The text that is served at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`. Others only report what would fail.
pub fn policy(host: &Name) -> String {
    format!("version: STSv1\r\nmode: testing\r\nmx: {host}\r\nmax_age: {AGE_MAX}\r\n")
}

/// The `id` of its record (§3.1): another for another policy.
pub fn policy_id(policy: &str) -> String {
    sha256(policy.as_bytes()).iter().take(ID_LEN).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Name, policy, policy_id};

    #[test]
    fn each_policy_has_its_id() {
        let one = policy(&Name::parse("mail.example.org").unwrap());
        let two = policy(&Name::parse("mail.example.net").unwrap());
        assert!(one.starts_with("version: STSv1\r\nmode: testing\r\nmx: mail.example.org\r\n"));
        assert_eq!(policy_id(&one).len(), 20);
        assert_ne!(policy_id(&one), policy_id(&two));
    }
}
