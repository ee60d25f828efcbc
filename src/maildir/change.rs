//! What a line of the change log says, and its text: `CRC GENERATION NUMBER i/k MAILBOXID UIDSET what MODSEQ`.
//! A change that was acknowledged stands here until the file names have followed.

use super::flags::Flags;
use super::ids::{MailboxId, ModSeq};
use super::mailbox_name::MailboxName;
use super::uid_set::UidSet;
use super::utf7;

/// One durable change.
#[allow(missing_docs, reason = "the fields are the words of the line")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Flags of some messages.
    Flags { mailbox: MailboxId, uids: UidSet, edit: FlagEdit },
    /// Expunged messages.
    Gone { mailbox: MailboxId, uids: UidSet },
    /// Moved: the nth of `uids` becomes the nth of `to_uids`.
    Move { mailbox: MailboxId, uids: UidSet, to: MailboxId, to_uids: UidSet },
    /// Copied: the nth of `uids` is also the nth of `to_uids`.
    Copy { mailbox: MailboxId, uids: UidSet, to: MailboxId, to_uids: UidSet },
    /// A mailbox has another name.
    Rename { mailbox: MailboxId, to: MailboxName },
    /// A mailbox is gone with all that was in it.
    Delete { mailbox: MailboxId },
    /// No MODSEQ at or above the line's has been shown.
    Reserve,
}

/// How flags change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagEdit {
    /// `+S`
    Add(Flags),
    /// `-S`
    Remove(Flags),
    /// `=FS`
    Set(Flags),
}

impl FlagEdit {
    /// The flags after it. `Set` leaves alone what has no name in the account's table (`known`): another
    /// program's letters.
    pub const fn apply(self, flags: Flags, known: Flags) -> Flags {
        match self {
            Self::Add(more) => flags.union(more),
            Self::Remove(less) => flags.without(less),
            Self::Set(new) => flags.without(known).union(new),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Add(flags) => format!("+{}", flags.letters()),
            Self::Remove(flags) => format!("-{}", flags.letters()),
            Self::Set(flags) => format!("={}", flags.letters()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (sign, letters) = text.split_at_checked(1)?;
        let flags = Flags::from_letters(letters.as_bytes());
        (flags.letters() == letters).then_some(())?;
        match sign {
            "+" => Some(Self::Add(flags)),
            "-" => Some(Self::Remove(flags)),
            "=" => Some(Self::Set(flags)),
            _ => None,
        }
    }
}

/// Bytes of a UID set in one line; a longer one takes several lines.
const SET_MAX: usize = 700;

impl Change {
    /// The change as changes of which each fits a line.
    pub fn split(self) -> Vec<Self> {
        let pairs = |uids: &UidSet, to_uids: &UidSet| {
            let (mut rest, mut to_rest, mut pairs) = (uids.clone(), to_uids.clone(), Vec::new());
            while !rest.is_empty() {
                let first = |set: &UidSet| set.pieces(SET_MAX).first().map_or(0, UidSet::len);
                let count = first(&rest).min(first(&to_rest)).max(1);
                let (head, tail) = rest.split_at(count);
                let (to_head, to_tail) = to_rest.split_at(count);
                pairs.push((head, to_head));
                (rest, to_rest) = (tail, to_tail);
            }
            pairs
        };
        match self {
            Self::Flags { mailbox, uids, edit } => {
                let piece = |uids| Self::Flags { mailbox, uids, edit };
                uids.pieces(SET_MAX).into_iter().map(piece).collect()
            }
            Self::Gone { mailbox, uids } => {
                uids.pieces(SET_MAX).into_iter().map(|uids| Self::Gone { mailbox, uids }).collect()
            }
            Self::Move { mailbox, uids, to, to_uids } => pairs(&uids, &to_uids)
                .into_iter()
                .map(|(uids, to_uids)| Self::Move { mailbox, uids, to, to_uids })
                .collect(),
            Self::Copy { mailbox, uids, to, to_uids } => pairs(&uids, &to_uids)
                .into_iter()
                .map(|(uids, to_uids)| Self::Copy { mailbox, uids, to, to_uids })
                .collect(),
            other @ (Self::Rename { .. } | Self::Delete { .. } | Self::Reserve) => vec![other],
        }
    }

    /// Is it about a folder as a whole?
    pub const fn is_folder_change(&self) -> bool {
        matches!(self, Self::Rename { .. } | Self::Delete { .. })
    }

    /// What is not in its mailbox any more.
    pub const fn parts_with(&self) -> Option<(MailboxId, &UidSet)> {
        match self {
            Self::Gone { mailbox, uids } | Self::Move { mailbox, uids, .. } => {
                Some((*mailbox, uids))
            }
            _ => None,
        }
    }

    /// Bytes that its line has at most.
    pub fn line_len_max(&self) -> usize {
        // CRC, generation, number, part and MODSEQ at their longest.
        self.body().len() + 100
    }

    fn body(&self) -> String {
        match self {
            Self::Flags { mailbox, uids, edit } => format!("{mailbox} {uids} {}", edit.text()),
            Self::Gone { mailbox, uids } => format!("{mailbox} {uids} gone"),
            Self::Move { mailbox, uids, to, to_uids } => {
                format!("{mailbox} {uids} mv {to} {to_uids}")
            }
            Self::Copy { mailbox, uids, to, to_uids } => {
                format!("{mailbox} {uids} cp {to} {to_uids}")
            }
            Self::Rename { mailbox, to } => {
                format!("{mailbox} - rename {}", utf7::encode(to.as_str(), |c| c == ' '))
            }
            Self::Delete { mailbox } => format!("{mailbox} - delete"),
            Self::Reserve => "- - modseq-at-least".to_owned(),
        }
    }

    fn parse_body(words: &[&str]) -> Option<Self> {
        let pair = |uids: &str, to_uids: &str| {
            let (uids, to_uids) = (UidSet::parse(uids)?, UidSet::parse(to_uids)?);
            (uids.len() == to_uids.len()).then_some((uids, to_uids))
        };
        match *words {
            ["-", "-", "modseq-at-least"] => Some(Self::Reserve),
            [mailbox, "-", "delete"] => Some(Self::Delete { mailbox: MailboxId::parse(mailbox)? }),
            [mailbox, "-", "rename", name] => Some(Self::Rename {
                mailbox: MailboxId::parse(mailbox)?,
                to: MailboxName::new(&utf7::decode(name.as_bytes())?).ok()?,
            }),
            [mailbox, uids, "gone"] => {
                Some(Self::Gone { mailbox: MailboxId::parse(mailbox)?, uids: UidSet::parse(uids)? })
            }
            [mailbox, uids, what @ ("mv" | "cp"), to, to_uids] => {
                let (mailbox, to) = (MailboxId::parse(mailbox)?, MailboxId::parse(to)?);
                let (uids, to_uids) = pair(uids, to_uids)?;
                Some(match what {
                    "mv" => Self::Move { mailbox, uids, to, to_uids },
                    _ => Self::Copy { mailbox, uids, to, to_uids },
                })
            }
            [mailbox, uids, edit] => Some(Self::Flags {
                mailbox: MailboxId::parse(mailbox)?,
                uids: UidSet::parse(uids)?,
                edit: FlagEdit::parse(edit)?,
            }),
            _ => None,
        }
    }
}

/// A line: a change and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Of which log; lines of another count for nothing.
    pub generation: u64,
    /// From 1 without gap.
    pub number: u64,
    /// Which of a command's lines this is, from 1; they count only together.
    pub part: (u32, u32),
    /// What changed.
    pub change: Change,
    /// With which MODSEQ.
    pub modseq: ModSeq,
}

impl LogLine {
    /// The text with its line feed.
    pub fn text(&self) -> String {
        let Self { generation, number, part: (i, k), change, modseq } = self;
        let rest = format!("{generation} {number} {i}/{k} {} {modseq}", change.body());
        format!("{:08x} {rest}\n", crc32fast::hash(rest.as_bytes()))
    }

    /// Reads a line without its line feed; `None` if anything about it is wrong.
    pub fn parse(line: &str) -> Option<Self> {
        let (crc, rest) = line.split_once(' ')?;
        if crc != format!("{:08x}", crc32fast::hash(rest.as_bytes())) {
            return None;
        }
        let words: Vec<&str> = rest.split(' ').collect();
        let (head, body) = words.split_at_checked(3)?;
        let (modseq, body) = body.split_last()?;
        let &[generation, number, part] = head else { return None };
        let (i, k) = part.split_once('/')?;
        Some(Self {
            generation: generation.parse().ok()?,
            number: number.parse().ok()?,
            part: (i.parse().ok()?, k.parse().ok()?),
            change: Change::parse_body(body)?,
            modseq: ModSeq(modseq.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, FlagEdit, Flags, LogLine, MailboxId, MailboxName, ModSeq, UidSet};
    use crate::maildir::ids::Unique;

    fn set(text: &str) -> UidSet {
        UidSet::parse(text).unwrap()
    }

    fn every_kind() -> Vec<Change> {
        let (mailbox, to) = (MailboxId(Unique(1)), MailboxId(Unique(u64::MAX)));
        vec![
            Change::Reserve,
            Change::Flags { mailbox, uids: set("1:4,9"), edit: FlagEdit::Add(Flags::SEEN) },
            Change::Flags { mailbox, uids: set("1"), edit: FlagEdit::Remove(Flags::keyword(3)) },
            Change::Flags { mailbox, uids: set("1"), edit: FlagEdit::Set(Flags::default()) },
            Change::Gone { mailbox, uids: set("7") },
            Change::Move { mailbox, uids: set("1:2"), to, to_uids: set("5,9") },
            Change::Copy { mailbox, uids: set("1:2"), to, to_uids: set("5:6") },
            Change::Rename { mailbox, to: MailboxName::new("Neue Ordner/Ä").unwrap() },
            Change::Delete { mailbox },
        ]
    }

    #[test]
    fn every_line_reads_back_and_no_damage_passes() {
        for change in every_kind() {
            let line =
                LogLine { generation: 3, number: 12, part: (1, 1), change, modseq: ModSeq(77) };
            let text = line.text();
            assert!(text.len() <= line.change.line_len_max());
            let text = text.strip_suffix('\n').unwrap();
            assert_eq!(LogLine::parse(text), Some(line), "{text}");
            for at in 0..text.len() {
                let mut damaged = text.as_bytes().to_vec();
                damaged[at] ^= 1;
                assert_eq!(std::str::from_utf8(&damaged).ok().and_then(LogLine::parse), None);
            }
        }
    }

    #[test]
    fn a_long_set_takes_several_lines_of_whole_pairs() {
        let uids: UidSet = (1..2000).step_by(2).map(crate::maildir::ids::Uid).collect();
        let to_uids = set("100001:101000");
        let (mailbox, to) = (MailboxId(Unique(1)), MailboxId(Unique(2)));
        let parts = Change::Move { mailbox, uids: uids.clone(), to, to_uids }.split();
        assert!(parts.len() > 3);
        let mut all = Vec::new();
        for part in parts {
            let Change::Move { uids, to_uids, .. } = part else { panic!() };
            assert!(uids.to_string().len() <= 700 && uids.len() == to_uids.len());
            all.extend(uids.iter().zip(to_uids.iter()));
        }
        let expected: Vec<_> = uids.iter().zip((100_001..).map(crate::maildir::ids::Uid)).collect();
        assert_eq!(all, expected);
    }
}
