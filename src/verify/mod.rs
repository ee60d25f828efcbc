//! Is a message from whom it says, and is a server the one that is meant: rules over known answers, and the making of what
//! others judge ours by. Pure: no socket, clock, randomness or disk. So far DKIM, the signing half of it, and what a domain
//! says of TLS to its servers: DANE, MTA-STS, and where reports on it go.

pub mod dane;
pub mod dkim;
pub mod mta_sts;
pub mod tls_report;
