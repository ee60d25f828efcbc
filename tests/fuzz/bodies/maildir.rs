//! Any bytes as what stands in a Maildir: the name of a message, a mailbox's folder, the account's texts, the change log.

use pillarbox::maildir::{
    AccountText, FileName, Folder, FolderText, LogLine, MailboxName, Placing, Uid, UidSet,
    UidValidity, Unique, parse_subscriptions, subscriptions_text, utf7,
};

/// The name of a file in `cur/`, or of a folder.
pub fn file_name(name: &[u8]) {
    let file = FileName::parse(name);
    assert!(file.stem().len() <= name.len() && file.base().len() <= name.len());
    let canonical = file.in_cur();
    // What we write is read as the same.
    assert_eq!(FileName::parse(&canonical).in_cur(), canonical);
    let _ = (file.size(), file.zone(), file.has_nul(), file.email_id(), file.seconds());
    let place = Placing {
        size: 5,
        uid: Uid(7),
        validity: UidValidity(9),
        zone: file.zone(),
        nul: file.has_nul(),
        email_id: Unique(11),
        folder: Folder::Other,
    };
    let ours = file.stem_for(&place);
    assert_eq!(FileName::parse(&ours).place(), Some((Uid(7), UidValidity(9))));
    if let Some(stem) = FileName::parse(&ours).as_ours() {
        assert_eq!(stem.text(), ours);
    }
    if let Some(mailbox) = MailboxName::from_folder(name) {
        assert_eq!(mailbox.folder().as_bytes(), name);
    }
    if let Some(text) = utf7::decode(name) {
        assert_eq!(utf7::decode(utf7::encode(&text, |_| false).as_bytes()), Some(text));
    }
}

/// `pillarbox-account`, `pillarbox-folder`, `subscriptions` and a line of the change log.
pub fn account_texts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(account) = AccountText::parse(&text) {
        assert_eq!(AccountText::parse(&account.text()), Ok(account));
    }
    if let Ok(folder) = FolderText::parse(&text) {
        assert_eq!(FolderText::parse(&folder.text()), Ok(folder));
    }
    let names = parse_subscriptions(&text);
    assert_eq!(parse_subscriptions(&subscriptions_text(&names)), names);
    for line in text.lines() {
        // Nobody guesses the checksum, so it is put before the line.
        let whole = format!("{:08x} {line}", crc32fast::hash(line.as_bytes()));
        for line in [line, &whole] {
            if let Some(read) = LogLine::parse(line) {
                assert_eq!(LogLine::parse(read.text().trim_end_matches('\n')), Some(read));
            }
        }
        if let Some(set) = UidSet::parse(line) {
            assert_eq!(UidSet::parse(&set.to_string()), Some(set));
        }
    }
}
