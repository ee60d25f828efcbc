//! A Message-ID that nobody else gives.

use crate::mail::Domain;
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;

/// `left@host`, without angle brackets.
pub fn fresh_id(host: &Domain) -> Result<String, ErrorStack> {
    let mut random = [0; 12];
    rand_bytes(&mut random)?;
    let left: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{left}@{host}"))
}
