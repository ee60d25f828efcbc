//! A record that ought to be there.

use crate::dns::{Kind, Name, Record};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Without it mail is lost or taken for junk.
    Must,
    /// It makes mail safer or programs easier to set up.
    Good,
    /// For those who want everything.
    Expert,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "must",
            Self::Good => "good",
            Self::Expert => "expert",
        })
    }
}

/// A record that ought to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How much it matters.
    pub tier: Tier,
    /// Where it stands.
    pub name: Name,
    /// Of which kind it is.
    pub kind: Kind,
    /// What it says; `None` for an address that is not known.
    pub record: Option<Record>,
    /// What it is for, a sentence or two.
    pub about: String,
}

impl Wanted {
    /// The text of a TXT record, whole.
    pub fn text(&self) -> Option<String> {
        match &self.record {
            Some(Record::Txt(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}
