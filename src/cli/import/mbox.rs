//! Brings the messages of one mbox file, or of a folder of them: a mail program's folder, where `Sent.sbd/` (Thunderbird)
//! or `Work/` has those below it and `Work.mbox/mbox` (Apple Mail) is one too. Its owner controls what lies there.

use super::courier::Courier;
use super::mbox_file::{Head, MboxFile};
use super::text::{LineEnds, no_mail};
use crate::base::Timestamp;
use crate::cli::command::Stop;
use crate::daemon::Marked;
use crate::mail::mbox;
use crate::maildir::{Dir, Kind};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// A file that may be an mbox.
struct Found {
    path: PathBuf,
    /// The mailbox, levels parted by `/`.
    name: String,
    len: u64,
    file: FileIn,
}

/// Where to open it: a name in a folder, so that no link is followed; or what a person named.
enum FileIn {
    Folder(Dir, Vec<u8>),
    Named,
}

const DEPTH_MAX: usize = 16;
const BUFFER: usize = 128 * 1024;

/// Brings all messages. `mailbox` is where those of a single file go, if that is said.
pub fn bring(courier: &mut Courier, path: &Path, mailbox: Option<&str>) -> Result<(), Stop> {
    let named = |error: io::Error| Stop::Failed(format!("{}: {error}", path.display()));
    let about = std::fs::metadata(path).map_err(named)?;
    let mut found = Vec::new();
    if about.is_dir() {
        if mailbox.is_some() {
            return Err(Stop::Usage(
                "--mailbox is for a single file; a folder's files have names of their own"
                    .to_owned(),
            ));
        }
        walk(&Dir::open(path).map_err(named)?, path, "", 0, &mut found).map_err(named)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
    } else {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = mailbox.map_or_else(|| mailbox_of(&name), str::to_owned);
        found.push(Found { path: path.to_owned(), name, len: about.len(), file: FileIn::Named });
    }
    courier.expect(found.iter().map(|one| one.len).sum());
    let (mut done, mut brought, single) = (0, Vec::new(), !about.is_dir());
    for one in found {
        if bring_file(courier, &one, done)? {
            brought.push(one.name);
        } else if single {
            return Err(Stop::Failed(format!(
                "{} is no mbox file: it does not begin with a line `From SENDER DATE`",
                one.path.display()
            )));
        } else {
            courier.talk(&format!("passed over: {} is no mbox file", one.path.display()));
        }
        done += one.len;
    }
    if brought.is_empty() {
        return Err(Stop::Failed(format!("{} has no mbox file in it", path.display())));
    }
    brought.iter().try_for_each(|name| courier.subscribe(name))
}

/// Every file, and its mailbox's name; what begins with a dot, and the indexes of Thunderbird, are no mail.
fn walk(
    dir: &Dir,
    path: &Path,
    above: &str,
    depth: usize,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    for entry in dir.list()? {
        let text = String::from_utf8_lossy(&entry.name).into_owned();
        let is_index = [".msf", ".dat", ".html", ".json"].iter().any(|end| text.ends_with(end));
        if text.starts_with('.') || is_index {
            continue;
        }
        let path = path.join(&text);
        match entry.kind {
            Kind::File => {
                let len = dir.read(&entry.name)?.metadata()?.len();
                // `Work.mbox/mbox` is the mailbox Work.
                let inner = text == "mbox" && !above.is_empty();
                let name = if inner { above.to_owned() } else { join(above, &mailbox_of(&text)) };
                found.push(Found {
                    path,
                    name,
                    len,
                    file: FileIn::Folder(dir.clone(), entry.name),
                });
            }
            Kind::Folder if depth < DEPTH_MAX => {
                let ends = [".sbd", ".mbox"];
                let name = ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(&text);
                walk(&dir.folder(&entry.name)?, &path, &join(above, name), depth + 1, found)?;
            }
            Kind::Folder | Kind::Strange => {}
        }
    }
    Ok(())
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

/// A file's mailbox by its name.
fn mailbox_of(file: &str) -> String {
    let name = file.strip_suffix(".mbox").or_else(|| file.strip_suffix(".mbx")).unwrap_or(file);
    match name.to_ascii_lowercase().as_str() {
        "inbox" | "mbox" => "INBOX".to_owned(),
        _ => name.to_owned(),
    }
}

/// False if it is no mbox.
fn bring_file(courier: &mut Courier, found: &Found, done: u64) -> Result<bool, Stop> {
    let named = |error: io::Error| Stop::Failed(format!("{}: {error}", found.path.display()));
    let file = match &found.file {
        FileIn::Folder(dir, name) => dir.read(name),
        FileIn::Named => File::open(&found.path),
    };
    let file = file.map_err(named)?;
    let modified = file.metadata().and_then(|about| about.modified()).map_err(named)?;
    let reader = BufReader::with_capacity(BUFFER, file);
    let opened = MboxFile::open(reader, Timestamp::from(modified)).map_err(named)?;
    let Some(mut file) = opened else { return Ok(false) };
    let entered = courier.enter(&found.path.display().to_string(), &found.name)?;
    let mut number = 0_u64;
    while let Some(head) = file.next_head().map_err(named)? {
        number += 1;
        let label = format!("{}, message {number}", found.path.display());
        if head.marks.is == mbox::Is::NoMessage {
            // It goes with the file.
        } else if let Err(why) = &entered {
            courier.not_taken(label, why);
        } else if let Some(why) = no_mail(&head.header) {
            courier.not_taken(label, why);
        } else {
            courier.message(label, &marked(&head))?;
            let mut ends = LineEnds::default();
            courier.piece(ends.mend(&head.header))?;
            match file.body(|piece| courier.piece(ends.mend(piece))) {
                Ok(sent) => sent.and_then(|()| courier.end())?,
                Err(error) => {
                    courier.broken(&error.to_string())?;
                    return Err(named(error));
                }
            }
        }
        courier.at(done + file.at);
    }
    Ok(true)
}

fn marked(head: &Head) -> Marked {
    let marks = &head.marks;
    Marked {
        date: head.date.at.seconds(),
        zone: head.date.zone_minutes,
        flags: marks.letters.iter().collect(),
        keywords: marks.keywords.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::mailbox_of;

    #[test]
    fn files_and_their_mailboxes() {
        for (file, name) in
            [("Inbox", "INBOX"), ("mbox", "INBOX"), ("Sent", "Sent"), ("Work.mbox", "Work")]
        {
            assert_eq!(mailbox_of(file), name);
        }
    }
}
