//! The queue on the disk: what is finished is there after a restart, with what was done since; what was never promised is
//! not, and what is damaged is put aside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use pillarbox::base::Timestamp;
use pillarbox::mail::{Address, Body};
use pillarbox::spool::{
    Envelope, Handed, Hold, Opened, Queued, Recipient, Spool, SpoolError, State, Try,
};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pillarbox-spool-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Opened {
        Spool::open(&self.0).unwrap()
    }

    fn file(&self, queued: &Queued) -> PathBuf {
        self.0.join("queue").join(queued.id.as_str())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient = |text: &&str| Recipient::new(Address::parse(text.as_bytes()).unwrap());
    let (arrived, from) =
        (Timestamp::from_seconds(1_700_000_000), Address::parse(b"ann@example.org"));
    Envelope::new(arrived, from.ok(), recipients.iter().map(recipient).collect())
}

fn queue(spool: &Arc<Spool>, recipients: &[&str], text: &[u8], fields: &[u8]) -> Queued {
    let mut draft = spool.begin(envelope(recipients)).unwrap();
    text.chunks(1000).for_each(|piece| draft.write(piece).unwrap());
    draft.finish(fields).unwrap()
}

fn text_of(spool: &Spool, queued: &Queued) -> Vec<u8> {
    let outgoing = spool.outgoing(queued).unwrap();
    let len = usize::try_from(outgoing.range.end - outgoing.range.start).unwrap();
    let mut text = vec![0; len];
    outgoing.file.read_exact_at(&mut text, outgoing.range.start).unwrap();
    [outgoing.fields, text].concat()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_finished_stays_with_all_that_was_done_since() {
    let folder = Folder::new("stays");
    let text = "Subject: x\r\n\r\n".to_owned() + &"gr\u{fc}n\r\n".repeat(30_000);
    let (first, second);
    {
        let Opened { spool, queued } = folder.open();
        assert!(queued.is_empty());
        first = queue(
            &spool,
            &["a@else.example", "b@else.example", "c@other.example"],
            text.as_bytes(),
            b"X: y\r\n",
        );
        second = queue(&spool, &["d@else.example"], b"\r\n", b"");
        assert!(first.id < second.id, "two in one microsecond");
        let mut changed = first.clone();
        changed.set(1, State::Delivered);
        changed.set(2, State::Delayed);
        spool.settle(&changed, &[1, 2]).unwrap();
        let tried = Try {
            at: Timestamp::from_seconds(1_700_000_300),
            recipients: vec![0, 2],
            host: Some("mx.else.example".into()),
            result: "451 4.3.0 not now".into(),
            handed: Handed::Over,
        };
        spool.note(&changed.id, &tried).unwrap();
        spool.set_hold(&changed.id, Hold::ByHand).unwrap();
        assert_eq!((mode(&folder.0.join("queue")), mode(&folder.file(&first))), (0o700, 0o600));
    }
    let Opened { spool, mut queued } = folder.open();
    assert_eq!(queued.len(), 2);
    let found = &mut queued[0];
    assert_eq!(found.envelope.demands.body, Body::EightBitMime, "the sender had not said it");
    let states: Vec<State> = found.envelope.recipients.iter().map(|to| to.state).collect();
    assert_eq!(states, [State::Waiting, State::Delivered, State::Delayed]);
    assert_eq!(
        (found.hold, found.open_recipients().collect::<Vec<_>>()),
        (Hold::ByHand, vec![0, 2])
    );
    assert_eq!(found.tried(2), Some(Timestamp::from_seconds(1_700_000_300)));
    assert_eq!(found.tried(1), None);
    assert_eq!(spool.history(found).unwrap().len(), 1);
    assert_eq!(text_of(&spool, found), ["X: y\r\n", &text].concat().as_bytes());
    assert_eq!(found.size(), text.len() as u64 + 6);
    found.set(0, State::Delivered);
    found.set(2, State::Failed);
    spool.settle(found, &[0, 2]).unwrap();
    spool.remove(&second.id).unwrap();
    assert!(folder.open().queued.is_empty());
    assert!(matches!(spool.outgoing(&first), Err(SpoolError::Gone)));
}

#[test]
fn what_was_never_promised_is_gone() {
    let folder = Folder::new("draft");
    {
        let Opened { spool, .. } = folder.open();
        let mut draft = spool.begin(envelope(&["a@else.example"])).unwrap();
        draft.write(b"half").unwrap();
        drop(draft);
        let mut killed = spool.begin(envelope(&["a@else.example"])).unwrap();
        killed.write(&vec![b'x'; 100_000]).unwrap();
        std::mem::forget(killed);
        fs::write(folder.0.join("queue").join("abc1"), b"").unwrap();
        fs::write(folder.0.join("queue").join("abc2"), [0; 4096]).unwrap();
    }
    assert!(folder.open().queued.is_empty());
    assert_eq!(fs::read_dir(folder.0.join("queue")).unwrap().count(), 0);
}

#[test]
fn what_is_damaged_is_put_aside_and_the_rest_goes_on() {
    let folder = Folder::new("damaged");
    let whole = {
        let Opened { spool, .. } = folder.open();
        let text = b"Subject: x\r\n\r\ntext\r\n".repeat(500);
        for damage in [&b"pillarbox-queue 9"[..], b"at", b"zeros", b"short"] {
            let queued = queue(&spool, &["a@else.example"], &text, b"X: y\r\n");
            let path = folder.file(&queued);
            let mut bytes = fs::read(&path).unwrap();
            match damage {
                b"short" => bytes.truncate(bytes.len() / 2),
                b"zeros" => bytes[5000..9000].fill(0),
                b"at" => bytes[105..107].fill(0),
                word => bytes[..word.len()].copy_from_slice(word),
            }
            fs::write(&path, bytes).unwrap();
        }
        queue(&spool, &["a@else.example"], &text, b"X: y\r\n")
    };
    let Opened { spool, queued } = folder.open();
    assert_eq!(queued.iter().map(|one| &one.id).collect::<Vec<_>>(), [&whole.id]);
    assert_eq!(fs::read_dir(folder.0.join("queue").join("broken")).unwrap().count(), 4);
    assert!(text_of(&spool, &queued[0]).starts_with(b"X: y\r\nSubject"));
}

#[test]
fn many_at_once_are_all_there() {
    let folder = Folder::new("many");
    let Opened { spool, .. } = folder.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    queue(&spool, &["a@else.example"], b"\r\n", b"");
                }
            });
        }
    });
    assert_eq!(folder.open().queued.len(), 200);
}

#[test]
fn what_was_withheld_is_no_try_that_counts_towards_another_way() {
    let folder = Folder::new("withheld");
    {
        let Opened { spool, .. } = folder.open();
        let queued = queue(&spool, &["a@else.example", "b@else.example"], b"\r\n", b"");
        for (recipients, handed) in
            [(vec![0], Handed::Withheld), (vec![0, 1], Handed::Over), (vec![0], Handed::Withheld)]
        {
            let (at, result) = (Timestamp::from_seconds(1_700_000_300), "later".to_owned());
            let tried = Try { at, recipients, host: None, result, handed };
            spool.note(&queued.id, &tried).unwrap();
        }
    }
    let Opened { spool, queued } = folder.open();
    assert_eq!(queued[0].tries, [1, 1]);
    let handed: Vec<Handed> =
        spool.history(&queued[0]).unwrap().into_iter().map(|tried| tried.handed).collect();
    assert_eq!(handed, [Handed::Withheld, Handed::Over, Handed::Withheld]);
}
