//! Prints the message on stdin as a server that takes 7-bit only gets it, or says why it cannot be; for `seven_bit.py`.
//!
//! Usage: seven_bit
// A test may fail loudly.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut message = Vec::new();
    std::io::stdin().read_to_end(&mut message).unwrap();
    match pillarbox::mail::to_seven_bit(&message) {
        Ok(sent) => {
            std::io::stdout().write_all(&sent).unwrap();
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
