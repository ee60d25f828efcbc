//! A real store in a folder of its own, for the protocols that read mail.

use pillarbox::base::{AccountId, Secret, Timestamp};
use pillarbox::maildir::{Flags, MailboxName};
use pillarbox::sasl::{Proof, ScramKeys, ScramSecrets};
use pillarbox::store::{Account, Cause, Placement, Store, Target};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Mailroom {
    store: Store,
    data: PathBuf,
}

/// 2026-11-02T10:00:00Z: when all messages came.
const DELIVERED: Timestamp = Timestamp::from_seconds(1_793_613_600);

impl Mailroom {
    pub fn new() -> Self {
        static ROOMS: AtomicU64 = AtomicU64::new(0);
        let number = ROOMS.fetch_add(1, Ordering::SeqCst);
        let name = format!("pillarbox-room-{}-{number}", std::process::id());
        // Memory, where there is any: what the texts show does not depend on the disk.
        let memory = Path::new("/dev/shm");
        let data =
            if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) };
        std::fs::create_dir_all(&data).unwrap();
        Self { store: Store::new(&data), data }
    }

    pub fn account(&self) -> Account {
        self.store.account(AccountId(1))
    }

    pub fn maildir(&self) -> PathBuf {
        self.data.join("accounts/1/Maildir")
    }

    pub fn deliver(&self, mailbox: &str, text: &[u8]) {
        let account = self.account();
        let mailboxes = account.mailboxes().unwrap();
        let target = mailboxes.named(&MailboxName::new(mailbox).unwrap()).unwrap().id;
        let mut incoming = account.begin().unwrap();
        incoming.write(text).unwrap();
        let placement = Placement {
            target: Target::Mailbox(target),
            flags: Flags::default(),
            keywords: Vec::new(),
        };
        let arrival = incoming.finish(DELIVERED, 60, vec![placement]);
        account.commit(vec![arrival], Cause::Delivery).wait().unwrap().unwrap();
    }
}

impl Drop for Mailroom {
    fn drop(&mut self) {
        self.store.close();
        std::fs::remove_dir_all(&self.data).unwrap();
    }
}

/// A message of `messages/`, its lines ended by CRLF.
pub fn message(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/messages");
    let text = std::fs::read_to_string(folder.join(name).with_extension("eml")).unwrap();
    text.replace('\n', "\r\n").into_bytes()
}

pub fn plain(number: usize) -> String {
    format!(
        "From: Joe Bloggs <joe@example.com>\r\nTo: ann@example.org\r\nSubject: message {number}\r\n\
         Date: Mon, 2 Nov 2026 10:0{}:00 +0100\r\nMessage-ID: <{number}@example.com>\r\n\r\ntext {number}\r\n",
        number % 10
    )
}

/// Is this Ann's password, or the proof that her device has given by SCRAM?
pub fn is_right(proof: &Proof) -> bool {
    *proof == Proof::Password(Secret::new("right".to_owned())) || *proof == Proof::Device(7)
}

/// What SCRAM is told of any name: the keys of Ann's device, and a nonce that is always the same.
pub fn secrets() -> ScramSecrets {
    let salt = b"sixteen octets..".to_vec();
    let keys = vec![(7, ScramKeys::derive("right", &salt).unwrap())];
    ScramSecrets { salt, nonce: *b"eighteen bytes now", keys }
}
