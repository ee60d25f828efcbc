//! A key as others see it: its record, and how far it is in its life.

use super::key::Algorithm;
use super::selector::Selector;
use crate::base::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a key is in its life. In each its record is to be in DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Published first, so that everyone can know it when it signs.
    Next,
    /// It signs.
    Current,
    /// It has signed; messages on their way are still checked by it.
    Retired,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
        })
    }
}

/// What is to be in DNS for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub selector: Selector,
    /// How it signs.
    pub algorithm: Algorithm,
    /// How far it is.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// When it goes on, if nobody does anything before.
    pub until: Option<Timestamp>,
    /// The text of its TXT record.
    pub record: String,
}
