//! The store against its promises: what a client was shown survives a stop, a cut, the loss of the index, and other
//! programs at work in the Maildir.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use pillarbox::base::{AccountId, Timestamp};
use pillarbox::maildir::{Flags, MailboxId, MailboxName, ModSeq, Uid, UidSet};
use pillarbox::store::{
    Account, Cause, ExpungeRequest, FlagsRequest, Mailbox, MailboxRequest, Mode, Placed, Placement,
    Store, StoreError, Stored, Target, TransferRequest, Transferred, Way, What,
};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pillarbox-store-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What a `kill -9` at this moment leaves: the files as the kernel has them. Copied again if the store was at work
    /// meanwhile.
    fn killed(&self, name: &str) -> Self {
        let copy = Self::new(name);
        loop {
            let before = files(&self.0);
            std::fs::remove_dir_all(&copy.0).unwrap();
            let mut cp = std::process::Command::new("cp");
            cp.arg("-a").arg(&self.0).arg(&copy.0).stderr(std::process::Stdio::null());
            if cp.status().unwrap().success() && files(&self.0) == before {
                return copy;
            }
        }
    }

    fn maildir(&self) -> PathBuf {
        self.0.join("accounts/1/Maildir")
    }

    fn lose_index(&self) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            drop(std::fs::remove_file(self.0.join("accounts/1").join(name)));
        }
        drop(std::fs::remove_dir_all(self.0.join("hot")));
    }

    fn take_index_of(&self, older: &Self) {
        self.lose_index();
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let path = Path::new("accounts/1").join(name);
            // The log beside it is gone when nobody has it open.
            drop(std::fs::copy(older.0.join(&path), self.0.join(&path)));
        }
    }

    fn index(&self, sql: &str) {
        let index = rusqlite::Connection::open(self.0.join("accounts/1/index.db")).unwrap();
        index.execute_batch(sql).unwrap();
    }

    /// As on a full disk: nothing that the index is told gets into it.
    fn index_takes_nothing(&self) {
        self.index(
            "CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'full'); END;",
        );
    }

    fn index_takes_everything(&self) {
        self.index("DROP TRIGGER full;");
    }
}

/// All files below a folder, as they are now.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if let Ok(known) = std::fs::symlink_metadata(&path) {
            let state = (known.ino(), known.size(), known.mtime(), known.mtime_nsec());
            found.insert(path.clone(), state);
        }
        found.extend(files(&path));
    }
    found
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn open(folder: &Folder) -> (Store, Account) {
    let store = Store::new(&folder.0);
    let account = store.account(AccountId(1));
    account.ready().unwrap();
    (store, account)
}

fn named(account: &Account, name: &str) -> Arc<Mailbox> {
    let name = MailboxName::new(name).unwrap();
    account.mailboxes().unwrap().named(&name).cloned().unwrap_or_else(|| panic!("no {name}"))
}

fn set(text: &str) -> UidSet {
    UidSet::parse(text).unwrap()
}

const BY: Cause = Cause::Session(1, "imap");

fn deliver(account: &Account, number: u32, zone: i16, flags: Flags, keywords: &[&str]) -> Placed {
    let text = format!(
        "From: a@example.org\r\nSubject: {number}\r\nMessage-ID: <{number}@example.org>\r\n\
         References: <thread{}@example.org>\r\n\r\nbody {number}\r\n",
        number % 3
    );
    let mut incoming = account.begin().unwrap();
    for piece in text.as_bytes().chunks(11) {
        incoming.write(piece).unwrap();
    }
    let keywords = keywords.iter().map(|&keyword| keyword.to_owned()).collect();
    let placement = Placement { target: Target::Inbox, flags, keywords };
    let date = Timestamp::from_seconds(1_700_000_000 + i64::from(number));
    let arrival = incoming.finish(date, zone, vec![placement]);
    account.commit(vec![arrival], Cause::Delivery).wait().unwrap().unwrap()[0]
}

fn store(
    account: &Account,
    name: &str,
    uids: &str,
    mode: Mode,
    flags: Flags,
    keywords: &[&str],
) -> Stored {
    let request = FlagsRequest {
        mailbox: named(account, name).id,
        uids: set(uids),
        mode,
        flags,
        keywords: keywords.iter().map(|&keyword| keyword.to_owned()).collect(),
        unchanged_since: None,
        cause: BY,
    };
    account.store_flags(request).wait().unwrap().unwrap()
}

fn transfer(account: &Account, from: &str, uids: &str, to: &str, way: Way) -> Transferred {
    let (from, to) = (named(account, from).id, named(account, to).id);
    let request = TransferRequest { from, uids: set(uids), to, way, cause: BY };
    account.transfer(request).wait().unwrap().unwrap()
}

fn expunge(account: &Account, name: &str, uids: &str) -> UidSet {
    let mailbox = named(account, name).id;
    let request = ExpungeRequest { mailbox, uids: set(uids), only: Flags::default(), cause: BY };
    account.expunge(request).wait().unwrap().unwrap()
}

fn change(account: &Account, request: MailboxRequest) -> Result<(), StoreError> {
    account.change_mailboxes(request, BY).wait().unwrap()
}

/// All that a client can notice, but UIDNEXT and MODSEQ.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mailbox: MailboxId,
    validity: u32,
    messages: Vec<String>,
}

fn seen(account: &Account) -> BTreeMap<String, Seen> {
    let mailboxes = account.mailboxes().unwrap();
    let mut all = BTreeMap::new();
    for mailbox in mailboxes.iter() {
        let array = account.array(mailbox).unwrap();
        let rows = account.rows(mailbox.id, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
        let mut messages = Vec::new();
        for (_, entry) in array.iter() {
            let row = rows.iter().find(|row| row.uid == entry.uid).expect("a row for each message");
            let text = account.open(mailbox, row).unwrap().read(0..u64::MAX).unwrap();
            let subject = account.card(mailbox, row).unwrap().envelope.subject;
            let names: Vec<&str> = mailboxes
                .text
                .keywords
                .iter()
                .filter(|&(&at, _)| entry.flags.contains(Flags::keyword(at)))
                .map(|(_, name)| name.as_str())
                .collect();
            messages.push(format!(
                "{} {} {names:?} {} {} {} {:?} {} {:?} {}",
                entry.uid,
                entry.flags.both(Flags(63)).letters(),
                row.date,
                row.zone,
                row.size,
                row.email_id,
                row.thread,
                subject,
                text.len(),
            ));
            assert_eq!(text.len() as u64, row.size);
        }
        assert_eq!(array.len(), mailbox.count, "{}", mailbox.name);
        let unseen = array.iter().filter(|(_, e)| !e.flags.contains(Flags::SEEN)).count();
        assert_eq!(unseen, mailbox.unseen as usize, "{}", mailbox.name);
        let bytes: u64 =
            rows.iter().filter(|row| array.find(row.uid).is_some()).map(|row| row.size).sum();
        assert_eq!(bytes, mailbox.bytes, "{}", mailbox.name);
        let (id, validity) = (mailbox.id, mailbox.validity.0);
        all.insert(mailbox.name.to_string(), Seen { mailbox: id, validity, messages });
    }
    all
}

fn numbers(account: &Account) -> BTreeMap<String, (Uid, ModSeq)> {
    let mailboxes = account.mailboxes().unwrap();
    mailboxes.iter().map(|m| (m.name.to_string(), (m.uidnext, m.modseq))).collect()
}

fn not_lower(before: &BTreeMap<String, (Uid, ModSeq)>, after: &BTreeMap<String, (Uid, ModSeq)>) {
    for (name, (uidnext, modseq)) in before {
        let (uidnext_after, modseq_after) = after[name];
        assert!(uidnext_after >= *uidnext && modseq_after >= *modseq, "{name}");
    }
}

/// A mailbox with everything in it: keywords, zones, moved, copied, expunged, and the newest message expunged.
fn fill(account: &Account) {
    for number in 1..=12 {
        let zone = [0, 120, -210][number as usize % 3];
        deliver(
            account,
            number,
            zone,
            Flags::default(),
            if number == 4 { &["Einkauf"] } else { &[] },
        );
    }
    store(account, "INBOX", "1:3", Mode::Add, Flags::SEEN, &["$Junk"]);
    store(account, "INBOX", "2", Mode::Replace, Flags::FLAGGED, &["$Forwarded"]);
    store(account, "INBOX", "1", Mode::Remove, Flags::SEEN, &[]);
    change(
        account,
        MailboxRequest::Create { name: MailboxName::new("Work/2025 & Co").unwrap(), role: None },
    )
    .unwrap();
    assert_eq!(transfer(account, "INBOX", "3:5", "Work/2025 & Co", Way::Move).to, set("1:3"));
    assert_eq!(transfer(account, "INBOX", "1:2,6", "Archive", Way::Copy).to, set("1:3"));
    assert_eq!(transfer(account, "Work/2025 & Co", "2", "Trash", Way::Move).to, set("1"));
    store(account, "Trash", "1", Mode::Add, Flags::ANSWERED, &[]);
    assert_eq!(transfer(account, "INBOX", "7", "INBOX", Way::Copy).to, set("13"));
    assert_eq!(expunge(account, "INBOX", "8,12:13"), set("8,12:13"));
    change(
        account,
        MailboxRequest::Rename {
            from: MailboxName::new("Work").unwrap(),
            to: MailboxName::new("Arbeit").unwrap(),
        },
    )
    .unwrap();
    change(account, MailboxRequest::Create { name: MailboxName::new("Weg").unwrap(), role: None })
        .unwrap();
    transfer(account, "INBOX", "9", "Weg", Way::Copy);
    change(account, MailboxRequest::Delete { name: MailboxName::new("Weg").unwrap() }).unwrap();
    store(account, "Arbeit/2025 & Co", "1", Mode::Add, Flags::SEEN, &["Einkauf"]);
}

fn check_reopened(
    folder: &Folder,
    before: &BTreeMap<String, Seen>,
    shown: &BTreeMap<String, (Uid, ModSeq)>,
) {
    let (store, account) = open(folder);
    assert_eq!(&seen(&account), before);
    not_lower(shown, &numbers(&account));
    // The expunged newest message does not give its UID away.
    let placed = deliver(&account, 99, 0, Flags::default(), &[]);
    assert!(placed.uid >= shown["INBOX"].0, "{placed:?}");
    store.close();
}

#[test]
fn everything_is_as_before_after_an_orderly_stop() {
    let folder = Folder::new("orderly");
    let (store, account) = open(&folder);
    fill(&account);
    let (before, shown) = (seen(&account), numbers(&account));
    store.close();
    assert!(matches!(account.ready(), Err(StoreError::Closed)));
    check_reopened(&folder, &before, &shown);
}

#[test]
fn everything_is_as_before_when_index_and_cards_are_deleted() {
    let folder = Folder::new("lost-index");
    let (store, account) = open(&folder);
    fill(&account);
    let (before, shown) = (seen(&account), numbers(&account));
    store.close();
    folder.lose_index();
    check_reopened(&folder, &before, &shown);
}

#[test]
fn a_kill_before_any_name_has_followed_loses_nothing() {
    let folder = Folder::new("kill");
    let (store, account) = open(&folder);
    fill(&account);
    let (before, shown) = (seen(&account), numbers(&account));
    let killed = folder.killed("kill-a");
    let killed_without_index = folder.killed("kill-b");
    killed_without_index.lose_index();
    check_reopened(&killed, &before, &shown);
    check_reopened(&killed_without_index, &before, &shown);
    // And again: recovery left everything in order.
    check_files_are_plain(&killed_without_index);
    account.settle().wait().unwrap().unwrap();
    assert_eq!(seen(&account), before);
    let settled = folder.killed("kill-c");
    settled.lose_index();
    check_reopened(&settled, &before, &shown);
    store.close();
}

/// Names follow: what other programs see in the Maildir is what clients see.
fn check_files_are_plain(folder: &Folder) {
    let trash: Vec<String> = names(&folder.maildir().join(".Trash/cur"));
    assert_eq!(trash.len(), 1);
    assert!(trash[0].ends_with(":2,Ra"), "{trash:?}");
    assert!(!folder.maildir().join(".Weg").exists());
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_torn_arrival_is_set_aside_and_its_uid_never_given_again() {
    let folder = Folder::new("torn");
    let (store, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    let last = deliver(&account, 2, 0, Flags::default(), &[]);
    let killed = folder.killed("torn-a");
    store.close();
    killed.lose_index();
    let new = killed.maildir().join("new");
    let torn = names(&new).into_iter().find(|name| name.contains(",P=2.")).unwrap();
    std::fs::write(new.join(&torn), "half").unwrap();
    let (store, account) = open(&killed);
    assert_eq!(seen(&account)["INBOX"].messages.len(), 1);
    assert_eq!(names(&killed.0.join("accounts/1/broken")), [torn]);
    assert!(deliver(&account, 3, 0, Flags::default(), &[]).uid > last.uid);
    store.close();
}

#[test]
fn an_arrival_with_a_few_zeros_that_nobody_wrote_is_set_aside() {
    let folder = Folder::new("zeros");
    let (store, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    let killed = folder.killed("zeros-a");
    store.close();
    killed.lose_index();
    let new = killed.maildir().join("new");
    let torn = new.join(&names(&new)[0]);
    let mut bytes = std::fs::read(&torn).unwrap();
    *bytes.last_mut().unwrap() = 0;
    std::fs::write(&torn, bytes).unwrap();
    let (store, account) = open(&killed);
    assert_eq!(seen(&account)["INBOX"].messages.len(), 0);
    store.close();
}

#[test]
fn unchangedsince_keeps_newer_flags() {
    let folder = Folder::new("unchanged");
    let (closing, account) = open(&folder);
    for number in 1..=3 {
        deliver(&account, number, 0, Flags::default(), &[]);
    }
    let before = named(&account, "INBOX").modseq;
    store(&account, "INBOX", "2", Mode::Add, Flags::FLAGGED, &[]);
    let request = FlagsRequest {
        mailbox: named(&account, "INBOX").id,
        uids: set("1:3"),
        mode: Mode::Add,
        flags: Flags::SEEN,
        keywords: Vec::new(),
        unchanged_since: Some(before),
        cause: BY,
    };
    let stored = account.store_flags(request).wait().unwrap().unwrap();
    assert_eq!((stored.changed, stored.modified), (set("1,3"), set("2")));
    let again = store(&account, "INBOX", "1", Mode::Add, Flags::SEEN, &[]);
    assert_eq!(again, Stored::default(), "nothing changed, so no MODSEQ moved");
    closing.close();
}

#[test]
fn the_27th_keyword_is_refused_and_a_freed_letter_is_given_again() {
    let folder = Folder::new("keywords");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    for number in 0..26 {
        store(&account, "INBOX", "1", Mode::Add, Flags::default(), &[&format!("k{number}")]);
    }
    let request = FlagsRequest {
        mailbox: named(&account, "INBOX").id,
        uids: set("1"),
        mode: Mode::Add,
        flags: Flags::default(),
        keywords: vec!["k26".into()],
        unchanged_since: None,
        cause: BY,
    };
    let refused = account.store_flags(request).wait().unwrap();
    assert!(matches!(refused, Err(StoreError::KeywordLimit)), "{refused:?}");
    store(&account, "INBOX", "1", Mode::Remove, Flags::default(), &["k7"]);
    store(&account, "INBOX", "1", Mode::Add, Flags::default(), &["k26"]);
    assert!(seen(&account)["INBOX"].messages[0].contains("\"k26\""));
    closing.close();
}

#[test]
fn one_request_never_gives_a_letter_to_two_keywords() {
    let folder = Folder::new("letters");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    // Every letter has been given, and none is used.
    for number in 0..26 {
        let keyword = format!("k{number}");
        store(&account, "INBOX", "1", Mode::Replace, Flags::default(), &[&keyword]);
    }
    store(&account, "INBOX", "1", Mode::Replace, Flags::default(), &[]);
    store(&account, "INBOX", "1", Mode::Add, Flags::default(), &["new", "newer", "k3"]);
    assert!(seen(&account)["INBOX"].messages[0].contains(r#"["new", "newer", "k3"]"#));
    store(&account, "INBOX", "1", Mode::Replace, Flags::default(), &[]);
    for number in 0..26 {
        let keyword = format!("l{number}");
        store(&account, "INBOX", "1", Mode::Replace, Flags::default(), &[&keyword]);
    }
    store(&account, "INBOX", "1", Mode::Replace, Flags::default(), &[]);
    let mut incoming = account.begin().unwrap();
    incoming.write(b"Subject: two\r\n\r\n").unwrap();
    let place = |keyword: &str| Placement {
        target: Target::Inbox,
        flags: Flags::default(),
        keywords: vec![keyword.to_owned()],
    };
    let date = Timestamp::from_seconds(1_700_000_000);
    let arrival = incoming.finish(date, 0, vec![place("l25"), place("newest")]);
    account.commit(vec![arrival], Cause::Delivery).wait().unwrap().unwrap();
    let messages = &seen(&account)["INBOX"].messages;
    assert!(messages[1].contains(r#"["l25"]"#) && messages[2].contains(r#"["newest"]"#));
    closing.close();
}

#[test]
fn a_rename_of_which_a_cut_left_both_names_is_one_message() {
    let folder = Folder::new("both-names");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    store(&account, "INBOX", "1", Mode::Add, Flags::SEEN, &[]);
    let killed = folder.killed("both-names-a");
    let (cur, new) = (killed.maildir().join("cur"), killed.maildir().join("new"));
    // The name may have followed already: either way both are there now.
    let name = names(&new).into_iter().chain(names(&cur)).next().unwrap();
    let stem = name.trim_end_matches(":2,S");
    let (old, new) = (new.join(stem), cur.join(format!("{stem}:2,S")));
    drop(std::fs::hard_link(&old, &new).or_else(|_| std::fs::hard_link(&new, &old)));
    assert!(old.exists() && new.exists());
    let before = seen(&account);
    closing.close();
    killed.lose_index();
    let (closing, account) = open(&killed);
    assert_eq!(seen(&account), before);
    assert!(!old.exists());
    closing.close();
}

#[test]
fn another_programs_work_is_seen_while_running() {
    let folder = Folder::new("others");
    let (closing, account) = open(&folder);
    for number in 1..=4 {
        deliver(&account, number, 0, Flags::default(), &[]);
    }
    account.settle().wait().unwrap().unwrap();
    let (sender, events) = mpsc::channel();
    let watching =
        account.watch(move |news| news.iter().for_each(|e| sender.send(e.clone()).unwrap()));
    let maildir = folder.maildir();
    let file = |uid: u32| {
        let mark = format!(",P={uid}.");
        names(&maildir.join("new")).into_iter().find(|name| name.contains(&mark)).unwrap()
    };
    // A file dropped into new/, with bare line feeds.
    std::fs::write(maildir.join("tmp/1700000500.1.host"), "Subject: drop\n\nhello\n").unwrap();
    std::fs::rename(maildir.join("tmp/1700000500.1.host"), maildir.join("new/1700000500.1.host"))
        .unwrap();
    // A flag by rename, a delete, a move by hand, and a copy under the name it had elsewhere.
    let (one, two, three, four) = (file(1), file(2), file(3), file(4));
    std::fs::rename(
        maildir.join("new").join(&one),
        maildir.join("cur").join(format!("{one}:2,FS")),
    )
    .unwrap();
    std::fs::remove_file(maildir.join("new").join(&two)).unwrap();
    std::fs::rename(
        maildir.join("new").join(&three),
        maildir.join(".Archive/cur").join(format!("{three}:2,")),
    )
    .unwrap();
    std::fs::copy(
        maildir.join("new").join(&four),
        maildir.join(".Sent/cur").join(format!("{four}:2,S")),
    )
    .unwrap();
    let mut wanted = vec!["drop", "flags", "gone 2", "gone 3", "archive", "sent"];
    while !wanted.is_empty() {
        let event = events
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("not heard of: {wanted:?}"));
        assert_eq!(event.cause, Cause::Outside, "{event:?}");
        let (inbox, archive) = (named(&account, "INBOX").id, named(&account, "Archive").id);
        let heard: Vec<&str> = match &event.what {
            What::Arrived { mailbox, uids } if *mailbox == inbox => {
                assert_eq!(*uids, set("5"));
                vec!["drop"]
            }
            What::Arrived { mailbox, .. } if *mailbox == archive => vec!["archive"],
            What::Arrived { .. } => vec!["sent"],
            What::Flags { uids, .. } => {
                assert_eq!(*uids, set("1"));
                vec!["flags"]
            }
            What::Gone { uids, .. } => {
                let gone = |uid| if uid == Uid(2) { "gone 2" } else { "gone 3" };
                assert!(uids.iter().all(|uid| uid == Uid(2) || uid == Uid(3)), "{uids}");
                uids.iter().map(gone).collect()
            }
            other => panic!("{other:?}"),
        };
        wanted.retain(|name| !heard.contains(name));
    }
    drop(watching);
    let all = seen(&account);
    let inbox: Vec<String> = all["INBOX"]
        .messages
        .iter()
        .map(|m| m.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(inbox, ["1 FS", "4 ", "5 "]);
    assert_eq!((all["Archive"].messages.len(), all["Sent"].messages.len()), (1, 1));
    // CRLF is what clients count.
    let dropped = account.rows(named(&account, "INBOX").id, Uid(5), Uid(5), 1).unwrap();
    assert_eq!(dropped[0].size, 24);
    let before = seen(&account);
    let shown = numbers(&account);
    closing.close();
    check_reopened(&folder, &before, &shown);
}

#[test]
fn another_programs_work_is_seen_after_a_restart() {
    let folder = Folder::new("others-down");
    let (store, account) = open(&folder);
    for number in 1..=3 {
        deliver(&account, number, 0, Flags::default(), &[]);
    }
    store.close();
    let maildir = folder.maildir();
    let new = maildir.join("new");
    let file = |uid: u32| {
        names(&new).into_iter().find(|name| name.contains(&format!(",P={uid}."))).unwrap()
    };
    let (one, two) = (file(1), file(2));
    // Renamed to a name without our field: the same message, so the UID stays.
    let base = one.split(',').next().unwrap().to_owned();
    std::fs::rename(new.join(&one), maildir.join("cur").join(format!("{base}:2,S"))).unwrap();
    std::fs::remove_file(new.join(&two)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", new.join("1700000600.link.host")).unwrap();
    let (store, account) = open(&folder);
    let inbox: Vec<String> = seen(&account)["INBOX"]
        .messages
        .iter()
        .map(|m| m.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(inbox, ["1 S", "3 "]);
    store.close();
}

#[test]
fn many_writers_at_once_share_their_syncs_and_lose_nothing() {
    let folder = Folder::new("many");
    let (closing, account) = open(&folder);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let account = account.clone();
            std::thread::spawn(move || {
                for number in 0..20 {
                    let placed = deliver(&account, thread * 100 + number, 0, Flags::default(), &[]);
                    let uid = placed.uid.to_string();
                    store(&account, "INBOX", &uid, Mode::Add, Flags::SEEN, &[]);
                    match number % 3 {
                        0 => drop(transfer(&account, "INBOX", &uid, "Archive", Way::Move)),
                        1 => drop(expunge(&account, "INBOX", &uid)),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let before = seen(&account);
    assert_eq!(before["INBOX"].messages.len(), 8 * 6);
    assert_eq!(before["Archive"].messages.len(), 8 * 7);
    let killed = folder.killed("many-a");
    closing.close();
    let (closing, account) = open(&killed);
    assert_eq!(seen(&account), before);
    closing.close();
}

#[test]
fn a_set_far_larger_than_the_mailbox_costs_what_is_there() {
    let folder = Folder::new("large-set");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    deliver(&account, 2, 0, Flags::default(), &[]);
    let everything = "1:4294967295";
    assert_eq!(transfer(&account, "INBOX", everything, "Archive", Way::Move).from, set("1:2"));
    assert_eq!(
        store(&account, "Archive", everything, Mode::Add, Flags::SEEN, &[]).changed,
        set("1:2")
    );
    assert_eq!(expunge(&account, "Archive", everything), set("1:2"));
    closing.close();
}

#[test]
fn a_rename_that_no_log_can_hold_is_refused_and_harms_nothing() {
    let folder = Folder::new("large-rename");
    let (closing, account) = open(&folder);
    let long = "x".repeat(200);
    for number in 0..450 {
        let name = MailboxName::new(&format!("a/{long}{number}")).unwrap();
        change(&account, MailboxRequest::Create { name, role: None }).unwrap();
    }
    let rename = MailboxRequest::Rename {
        from: MailboxName::new("a").unwrap(),
        to: MailboxName::new("b").unwrap(),
    };
    let refused = change(&account, rename);
    assert!(matches!(refused, Err(StoreError::Cannot(_))), "{refused:?}");
    deliver(&account, 1, 0, Flags::default(), &[]);
    closing.close();
}

#[test]
fn a_first_start_that_was_cut_off_is_done_again() {
    let folder = Folder::new("first-start");
    let (store, _) = open(&folder);
    store.close();
    // As a cut before the last steps leaves it.
    std::fs::remove_file(folder.maildir().join("subscriptions")).unwrap();
    std::fs::remove_dir_all(folder.maildir().join(".Trash")).unwrap();
    let (store, account) = open(&folder);
    named(&account, "Trash");
    // And a mailbox that was deleted by will stays deleted.
    change(&account, MailboxRequest::Delete { name: MailboxName::new("Junk").unwrap() }).unwrap();
    store.close();
    let (store, account) = open(&folder);
    assert!(account.mailboxes().unwrap().named(&MailboxName::new("Junk").unwrap()).is_none());
    store.close();
}

/// UID and flags of what is in INBOX.
fn flags_in_inbox(account: &Account) -> Vec<String> {
    let all = seen(account);
    let flags = |m: &String| m.split(' ').take(2).collect::<Vec<_>>().join(" ");
    all["INBOX"].messages.iter().map(flags).collect()
}

fn look(account: &Account) {
    account.look(Some(named(account, "INBOX").id)).wait().unwrap().unwrap();
}

#[test]
fn a_flag_set_after_a_look_that_the_index_was_not_told_before_gets_into_the_name() {
    let folder = Folder::new("untold-flags");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::default(), &[]);
    account.settle().wait().unwrap().unwrap();
    folder.index_takes_nothing();
    store(&account, "INBOX", "1", Mode::Add, Flags::FLAGGED, &[]);
    look(&account);
    store(&account, "INBOX", "1", Mode::Add, Flags::ANSWERED, &[]);
    account.settle().wait().unwrap().unwrap();
    // No line speaks of it any more: the name must.
    let killed = folder.killed("untold-flags-a");
    folder.index_takes_everything();
    closing.close();
    for folder in [&folder, &killed] {
        let (closing, account) = open(folder);
        assert_eq!(flags_in_inbox(&account), ["1 FR"]);
        closing.close();
    }
}

#[test]
fn letters_that_another_program_changes_are_seen_while_the_index_does_not_know_the_name() {
    let folder = Folder::new("untold-letters");
    let (closing, account) = open(&folder);
    deliver(&account, 1, 0, Flags::SEEN, &[]);
    account.settle().wait().unwrap().unwrap();
    folder.index_takes_nothing();
    store(&account, "INBOX", "1", Mode::Replace, Flags::FLAGGED, &[]);
    account.settle().wait().unwrap().unwrap();
    let cur = folder.maildir().join("cur");
    let name = names(&cur).remove(0);
    let stem = name.strip_suffix(":2,F").unwrap();
    std::fs::rename(cur.join(&name), cur.join(format!("{stem}:2,S"))).unwrap();
    look(&account);
    assert_eq!(flags_in_inbox(&account), ["1 S"]);
    folder.index_takes_everything();
    closing.close();
}

#[test]
fn a_message_that_another_program_removes_before_the_index_knew_it_goes_once() {
    let folder = Folder::new("untold-removal");
    let (closing, account) = open(&folder);
    folder.index_takes_nothing();
    deliver(&account, 1, 0, Flags::default(), &[]);
    deliver(&account, 2, 0, Flags::default(), &[]);
    let new = folder.maildir().join("new");
    let first = names(&new).into_iter().find(|name| name.contains(",P=1.")).unwrap();
    std::fs::remove_file(new.join(first)).unwrap();
    look(&account);
    let modseq = named(&account, "INBOX").modseq;
    look(&account);
    assert_eq!(named(&account, "INBOX").modseq, modseq);
    assert_eq!(flags_in_inbox(&account), ["2 "]);
    folder.index_takes_everything();
    closing.close();
}

#[test]
fn who_knew_a_message_that_only_passed_through_is_told_by_an_older_index_too() {
    let folder = Folder::new("passed-through");
    let (closing, account) = open(&folder);
    for number in 1..=40 {
        deliver(&account, number, 0, Flags::default(), &[]);
    }
    account.settle().wait().unwrap().unwrap();
    assert_eq!(transfer(&account, "INBOX", "1", "Archive", Way::Move).to, set("1"));
    let known = named(&account, "Archive").modseq;
    // So many changes that the index is told, while no name has followed.
    for turn in 0..14 {
        let mode = if turn % 2 == 0 { Mode::Add } else { Mode::Remove };
        store(&account, "INBOX", "2:40", mode, Flags::SEEN, &[]);
    }
    account.wait_until_published(&named(&account, "INBOX"));
    let older = folder.killed("passed-through-a");
    transfer(&account, "Archive", "1", "Trash", Way::Move);
    account.settle().wait().unwrap().unwrap();
    // What the index was told last is lost in the cut, and no line speaks of the message any more.
    let killed = folder.killed("passed-through-b");
    killed.take_index_of(&older);
    closing.close();
    let (closing, account) = open(&killed);
    let told = account.expunged_since(named(&account, "Archive").id, known).unwrap().unwrap();
    assert!(told.contains(Uid(1)), "{told}");
    closing.close();
}

#[test]
fn a_start_does_not_tell_the_index_of_mailboxes_before_their_messages() {
    let folder = Folder::new("rows-first");
    let (closing, account) = open(&folder);
    for number in 1..=2 {
        deliver(&account, number, 0, Flags::default(), &[]);
    }
    transfer(&account, "INBOX", "1", "Trash", Way::Move);
    account.settle().wait().unwrap().unwrap();
    let killed = folder.killed("rows-first-a");
    closing.close();
    // A start that makes all rows anew, cut off before those of the trash.
    let refusal = "CREATE TRIGGER full BEFORE INSERT ON messages WHEN NEW.uid=1 BEGIN SELECT RAISE(ABORT, 'full'); END;";
    killed.index(&format!("DELETE FROM messages; DELETE FROM folders; {refusal}"));
    let account = Store::new(&killed.0).account(AccountId(1));
    assert!(account.ready().is_err());
    drop(account);
    killed.index_takes_everything();
    let older = killed.killed("rows-first-b");
    let (closing, account) = open(&killed);
    let known = named(&account, "Trash").modseq;
    transfer(&account, "Trash", "1", "INBOX", Way::Move);
    account.settle().wait().unwrap().unwrap();
    let cut = killed.killed("rows-first-c");
    closing.close();
    cut.take_index_of(&older);
    let (closing, account) = open(&cut);
    let told = account.expunged_since(named(&account, "Trash").id, known).unwrap();
    assert!(told.as_ref().is_none_or(|told| told.contains(Uid(1))), "{told:?}");
    closing.close();
}
