//! What is known of DNS, and what is missing. A rule reads `Answers` and returns its verdict, or the questions that it
//! could not do without; whoever runs it asks those and runs it again.

use super::name::Name;
use super::record::{Kind, Record};
use std::collections::{BTreeMap, BTreeSet};

/// So many aliases (CNAME) are followed, one after another; more are taken for a circle.
pub const ALIASES_MAX: usize = 8;

/// A name and a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Of what.
    pub name: Name,
    /// What is wanted of it.
    pub kind: Kind,
}

/// What was answered to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The records, or why there are none.
    pub found: Found,
    /// True if a resolver that is trusted for it has checked the signatures (RFC 4035 §3.2.3), of a "no" as well.
    pub authentic: bool,
}

/// The outcome of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// At least one record, all of the kind that was asked for, after CNAMEs were followed, with the name at their end (if
    /// that is none that a `Name` can be, the last one before it: RFC 2317 leads through `0/25.2.0.192.in-addr.arpa`).
    Records(Vec<Record>, Name),
    /// The name is there and has none of this kind.
    NoData,
    /// There is no such name (NXDOMAIN).
    NoName,
    /// Nobody knows: for later, never a reason to give something up.
    Failed(Failure),
}

/// Why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No resolver answered in time, or none could be reached.
    Timeout,
    /// The resolver could not find out (SERVFAIL): a name server is down, or signatures are wrong.
    Servfail,
    /// The resolver does not answer us (REFUSED and others).
    Refused,
    /// Answers that cannot be read, or CNAMEs in a circle.
    Malformed,
}

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Question, Answer>);

/// What a rule must know before it can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need(BTreeSet<Question>);

impl Answers {
    /// Enters what was answered.
    pub fn insert(&mut self, question: Question, answer: Answer) {
        self.0.insert(question, answer);
    }

    /// What is known of this, or the need for it.
    pub fn get(&self, name: &Name, kind: Kind) -> Result<&Answer, Need> {
        let question = Question { name: name.clone(), kind };
        self.0.get(&question).ok_or_else(|| Need::from(question))
    }
}

impl Need {
    /// Both needs: what is missing is asked for together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Is nothing missing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is missing.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.0.iter()
    }
}

impl From<Question> for Need {
    fn from(question: Question) -> Self {
        Self(BTreeSet::from([question]))
    }
}
