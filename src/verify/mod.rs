//! Is a message from whom it says: rules over known answers, and the making of what others judge ours by. Pure: no
//! socket, clock, randomness or disk. So far DKIM, the signing half of it.

pub mod dkim;
