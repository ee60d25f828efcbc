//! What the workers do and what they were told: each writes a line before it asks the store for something, and one after
//! the answer, into a file beside the accounts, so that the record has them in one order with everything else.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A line of the trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    pub worker: u32,
    pub what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum What {
    /// Asked for.
    Begin(Op),
    /// Acknowledged, and what the account showed then.
    Done(Outcome, Shown),
    /// Refused: not done.
    Refused(String),
    /// The server has started, and this is what it shows.
    Started(Shown),
    /// Everything that a client can see after a start.
    Seen(Vec<Message>),
}

/// One request of a worker. Mailboxes are their ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    Deliver(Vec<Delivery>),
    Flags {
        mailbox: u64,
        uids: Vec<u32>,
        how: How,
        flags: u32,
        keywords: BTreeSet<String>,
    },
    Expunge {
        mailbox: u64,
        uids: Vec<u32>,
    },
    Copy {
        from: u64,
        uids: Vec<u32>,
        to: u64,
    },
    Move {
        from: u64,
        uids: Vec<u32>,
        to: u64,
    },
    Create {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Delete {
        name: String,
    },
    Subscribe {
        name: String,
    },
    Unsubscribe {
        name: String,
    },
    Settle,
    /// Another program puts a file into `new/`.
    Drop {
        mailbox: u64,
        token: String,
    },
    /// Another program adds a flag to a file's name.
    Mark {
        mailbox: u64,
        uid: u32,
        flags: u32,
    },
    /// Another program removes a file.
    Remove {
        mailbox: u64,
        uid: u32,
    },
}

impl Op {
    /// The mailbox and the UIDs that are there no more when it is done.
    pub fn parts_with(&self) -> (u64, &[u32]) {
        match self {
            Self::Expunge { mailbox, uids } | Self::Move { from: mailbox, uids, .. } => {
                (*mailbox, uids)
            }
            Self::Remove { mailbox, uid } => (*mailbox, std::slice::from_ref(uid)),
            _ => (0, &[]),
        }
    }

    pub const fn is_about_mailboxes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Rename { .. } | Self::Delete { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    Add,
    Remove,
    Replace,
}

/// A message, known by its token, and where it goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    pub token: String,
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    pub mailbox: u64,
    pub flags: u32,
    pub keywords: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Outcome {
    /// Mailbox, UID and EMAILID of every place, in order.
    Placed(Vec<(u64, u32, u64)>),
    /// UIDs before and after, pair by pair.
    Pairs(Vec<(u32, u32)>),
    /// The worker's own mailboxes now.
    Boxes(BTreeMap<u64, String>),
    Plain,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    pub boxes: Vec<ShownBox>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownBox {
    pub id: u64,
    pub name: String,
    pub validity: u32,
    pub uidnext: u32,
    pub modseq: u64,
}

/// A message as a client sees it; `email_id` 0 where it is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub mailbox: u64,
    pub uid: u32,
    pub token: String,
    pub flags: u32,
    pub keywords: BTreeSet<String>,
    pub email_id: u64,
}

/// What one worker owns: nobody else touches it.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub messages: BTreeMap<(u64, u32), Message>,
    pub boxes: BTreeMap<u64, String>,
    pub subscriptions: BTreeSet<String>,
}

impl World {
    /// The messages of a mailbox.
    pub fn within(&self, mailbox: u64) -> impl Iterator<Item = &Message> {
        self.messages.range((mailbox, 0)..=(mailbox, u32::MAX)).map(|(_, message)| message)
    }

    /// After an acknowledged request.
    pub fn apply(&mut self, op: &Op, outcome: &Outcome) {
        match (op, outcome) {
            (Op::Deliver(deliveries), Outcome::Placed(placed)) => {
                let all = deliveries.iter().flat_map(|d| d.places.iter().map(move |p| (d, p)));
                for ((delivery, place), &(mailbox, uid, email_id)) in all.zip(placed) {
                    let (flags, keywords) = (place.flags, place.keywords.clone());
                    let token = delivery.token.clone();
                    self.insert(Message { mailbox, uid, token, flags, keywords, email_id });
                }
            }
            (Op::Drop { token, .. }, Outcome::Placed(placed)) => {
                for &(mailbox, uid, email_id) in placed {
                    let (token, keywords) = (token.clone(), BTreeSet::new());
                    self.insert(Message { mailbox, uid, token, flags: 0, keywords, email_id });
                }
            }
            (Op::Flags { mailbox, uids, how, flags, keywords }, _) => {
                for uid in uids {
                    let Some(message) = self.messages.get_mut(&(*mailbox, *uid)) else { continue };
                    match how {
                        How::Add => {
                            message.flags |= flags;
                            message.keywords.extend(keywords.iter().cloned());
                        }
                        How::Remove => {
                            message.flags &= !flags;
                            message.keywords.retain(|keyword| !keywords.contains(keyword));
                        }
                        How::Replace => {
                            message.flags = *flags;
                            message.keywords.clone_from(keywords);
                        }
                    }
                }
            }
            (Op::Mark { mailbox, uid, flags }, _) => {
                if let Some(message) = self.messages.get_mut(&(*mailbox, *uid)) {
                    message.flags |= flags;
                }
            }
            (Op::Expunge { mailbox, uids }, _) => {
                for &uid in uids {
                    self.messages.remove(&(*mailbox, uid));
                }
            }
            (Op::Remove { mailbox, uid }, _) => {
                self.messages.remove(&(*mailbox, *uid));
            }
            (Op::Copy { from, to, .. } | Op::Move { from, to, .. }, Outcome::Pairs(pairs)) => {
                for &(old, new) in pairs {
                    let Some(message) = self.messages.get(&(*from, old)).cloned() else { continue };
                    if matches!(op, Op::Move { .. }) {
                        self.messages.remove(&(*from, old));
                    }
                    self.insert(Message { mailbox: *to, uid: new, ..message });
                }
            }
            (_, Outcome::Boxes(boxes)) => {
                for id in self.boxes.keys().filter(|&id| !boxes.contains_key(id)) {
                    self.messages.retain(|(mailbox, _), _| mailbox != id);
                }
                self.boxes.clone_from(boxes);
            }
            (Op::Subscribe { name }, _) => {
                self.subscriptions.insert(name.clone());
            }
            (Op::Unsubscribe { name }, _) => {
                self.subscriptions.remove(name);
            }
            (Op::Settle, _) => {}
            (op, outcome) => panic!("{op:?} cannot end as {outcome:?}"),
        }
    }

    pub fn insert(&mut self, message: Message) {
        self.messages.insert((message.mailbox, message.uid), message);
    }
}

/// Whose message this is.
pub fn worker_of(token: &str) -> u32 {
    let digits = token.trim_start_matches('w').split('-').next().unwrap();
    digits.parse().unwrap_or_else(|_| panic!("a message without an owner: {token:?}"))
}

fn hash(token: &str) -> u64 {
    token.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// INTERNALDATE and its zone.
pub fn date(token: &str) -> (i64, i16) {
    let hash = hash(token);
    let zone = [0, 120, -210, 345][usize::try_from(hash >> 7).unwrap_or(0) % 4];
    (1_700_000_000 + i64::try_from(hash % 50_000_000).unwrap(), zone)
}

/// The text of a message: most are small, some are large, some have a NUL in them and some hold blocks of zeros.
pub fn text(token: &str) -> Vec<u8> {
    let hash = hash(token) >> 9;
    let size = match hash % 16 {
        0 => 70_000 + hash % 30_000,
        1 => 4096 * (1 + hash % 3),
        _ => 300 + hash % 9000,
    };
    let mut text = format!(
        "From: a@example.org\r\nSubject: {token}\r\nMessage-ID: <{token}@example.org>\r\n\r\n"
    )
    .into_bytes();
    let mut line = 0_u64;
    while u64::try_from(text.len()).unwrap() < size {
        line += 1;
        let word = hash.wrapping_mul(line);
        text.extend_from_slice(format!("{line} {word:x} {token}\r\n").as_bytes());
    }
    if (hash >> 4).is_multiple_of(12) {
        text.extend_from_slice(b"NUL: \0\r\n");
        if hash.is_multiple_of(2) {
            text.extend_from_slice(&[0; 9000]);
        }
        text.extend_from_slice(b"the end\r\n");
    }
    text
}
