//! The command line: the only reader of argv. Data goes to stdout, talk to stderr; no password is ever an argument.

mod attempt;
mod words;

pub use words::main;
