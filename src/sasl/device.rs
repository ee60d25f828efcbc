//! Device passwords: 80 random bits that we make for one phone or program, printed as `abcd-efgh-jkmn-pqrs`. They are
//! random, so one SHA-256 is enough to keep them by. What is typed comes from anyone.

use super::scram_keys::ScramKeys;
use crate::base::Secret;
use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::sha::sha256;

/// 32 letters and digits. `l` and `o` are missing, and so are `1` and `0`; then `i` has nothing to be mistaken for.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of a password: 16 of 5 bits.
const LETTERS: usize = 16;

/// Bytes that a person may type for one, dashes and blanks included.
const TYPED_LEN_MAX: usize = 64;

/// A device password in its canonical form, without dashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePassword(Secret<String>);

impl DevicePassword {
    /// Spells 80 bits, which must come from a good random source.
    pub fn from_random(bits: [u8; 10]) -> Self {
        let bits = bits.iter().fold(0_u128, |all, &byte| all << 8 | u128::from(byte));
        let letters = (0..LETTERS).rev().map(|place| {
            let index = usize::try_from(bits >> (5 * place) & 31).unwrap_or(0);
            char::from(ALPHABET.get(index).copied().unwrap_or(b'a'))
        });
        Self(Secret::new(letters.collect()))
    }

    /// What a person typed: dashes and blanks anywhere, upper case, `l` or `1` for `i`. `None` if it cannot be one.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > TYPED_LEN_MAX {
            return None;
        }
        let letters = text.chars().filter(|c| !matches!(c, '-' | ' ' | '\t' | '\u{a0}')).map(|c| {
            let letter = match c.to_ascii_lowercase() {
                'l' | '1' => 'i',
                other => other,
            };
            u8::try_from(letter).ok().filter(|b| ALPHABET.contains(b)).map(char::from)
        });
        let letters: String = letters.collect::<Option<_>>()?;
        (letters.len() == LETTERS).then(|| Self(Secret::new(letters)))
    }

    /// As it is printed, four groups with dashes.
    pub fn spelled(&self) -> Secret<String> {
        let mut spelled = String::new();
        for (place, letter) in self.0.reveal().chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                spelled.push('-');
            }
            spelled.push(letter);
        }
        Secret::new(spelled)
    }

    /// What is kept to check it by.
    pub fn verifier(&self) -> Verifier {
        Verifier(sha256(self.0.reveal().as_bytes()))
    }

    /// SCRAM keys under the account's salt, with dashes and without: in SCRAM the client hashes what was typed, and
    /// both are typed.
    pub fn scram_keys(&self, salt: &[u8]) -> Result<[ScramKeys; 2], ErrorStack> {
        let dashed = ScramKeys::derive(self.spelled().reveal(), salt)?;
        Ok([dashed, ScramKeys::derive(self.0.reveal(), salt)?])
    }
}

/// SHA-256 of the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifier(pub [u8; 32]);

impl Verifier {
    /// True if it is this password's; takes the same time whether it is or not.
    pub fn matches(&self, password: &DevicePassword) -> bool {
        memcmp::eq(&self.0, &password.verifier().0)
    }
}

#[cfg(test)]
mod tests {
    use super::{DevicePassword, ScramKeys};

    #[test]
    fn eighty_bits_are_sixteen_letters() {
        let spelled = |bits| DevicePassword::from_random(bits).spelled().reveal().clone();
        assert_eq!(spelled([0; 10]), "aaaa-aaaa-aaaa-aaaa");
        assert_eq!(spelled([0xff; 10]), "9999-9999-9999-9999");
        // 00000 00001 00010 00011 00100 00101 00110 00111, twice.
        assert_eq!(
            spelled([0x00, 0x44, 0x32, 0x14, 0xc7, 0x00, 0x44, 0x32, 0x14, 0xc7]),
            "abcd-efgh-abcd-efgh"
        );
    }

    #[test]
    fn a_person_may_type_it_in_many_ways() {
        let password = DevicePassword::typed("abcd-efgh-ijkm-npqr").unwrap();
        for typed in [
            "abcdefghijkmnpqr",
            "ABCD EFGH IJKM NPQR",
            " abcd-efgh-1jkm-npqr ",
            "abcd-efgh-Ljkm-npqr",
        ] {
            assert!(password.verifier().matches(&DevicePassword::typed(typed).unwrap()), "{typed}");
        }
        let other = DevicePassword::typed("abcd-efgh-ijkm-npqs").unwrap();
        assert!(!password.verifier().matches(&other));
        for typed in
            ["", "abcd", "abcd-efgh-ijkm-npqr-s", "abcd-efgh-ijkm-npq0", "abcd-efgh-ijkm-npqé"]
        {
            assert!(DevicePassword::typed(typed).is_none(), "{typed}");
        }
        assert!(DevicePassword::typed(&"-".repeat(65)).is_none());
    }

    #[test]
    fn scram_knows_both_spellings() {
        let password = DevicePassword::typed("abcdefghijkmnpqr").unwrap();
        let [dashed, plain] = password.scram_keys(b"0123456789abcdef").unwrap();
        assert_eq!(dashed, ScramKeys::derive("abcd-efgh-ijkm-npqr", b"0123456789abcdef").unwrap());
        assert_eq!(plain, ScramKeys::derive("abcdefghijkmnpqr", b"0123456789abcdef").unwrap());
        assert_ne!(dashed, plain);
    }
}
