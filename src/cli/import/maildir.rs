//! Reads a Maildir: Maildir++ (`.Work.2025`), Dovecot's `LAYOUT=fs` (`Work/2025`), or one that other programs fill. Its
//! owner controls what lies there, and the reader may be root: no link is followed, and only regular files are read.

use super::courier::Courier;
use super::text::{LineEnds, no_mail};
use crate::cli::command::Stop;
use crate::daemon::Marked;
use crate::maildir::{AccountText, Dir, FileName, Flags, Kind, dovecot, parse_subscriptions};
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A folder with messages.
struct Folder {
    /// Its levels, parted by `/`.
    name: String,
    /// The way to it from the top.
    path: Vec<Vec<u8>>,
}

/// A message's file, in the order in which messages come: by the time in its name, then by the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    seconds: i64,
    micros: u64,
    base: Vec<u8>,
    sub: &'static [u8],
    name: Vec<u8>,
}

/// So many names are held at once: a folder of any size is read in order, in as many walks through its names as it takes.
const PLACES_MAX: usize = 8192;
/// Lies in a Maildir of another Pillarbox.
const OURS: &[u8] = b"pillarbox-account";
const TEXT_MAX: u64 = 1 << 20;
const DEPTH_MAX: usize = 16;
const PIECE: usize = 64 * 1024;

/// Brings all messages of a Maildir, and its subscriptions.
pub fn bring(courier: &mut Courier, path: &Path) -> Result<(), Stop> {
    let named = |error: io::Error| Stop::Failed(format!("{}: {error}", path.display()));
    let root = Dir::open(path).map_err(named)?;
    let folders = folders(&root).map_err(named)?;
    if folders.is_empty() {
        return Err(Stop::Failed(format!(
            "{} is no Maildir: neither it nor a folder in it has a folder `cur`. Give the folder that has",
            path.display()
        )));
    }
    let mut all = 0;
    for folder in &folders {
        let dir = open(&root, folder).map_err(named)?;
        for sub in SUBS {
            each_message(&dir, sub, |_| all += 1).map_err(named)?;
        }
    }
    courier.expect(all);
    let mut done = 0;
    for folder in &folders {
        let dir = open(&root, folder).map_err(named)?;
        let keywords = keywords(&root, &dir).map_err(named)?;
        let from = path.join(String::from_utf8_lossy(&folder.path.join(&b'/')).as_ref());
        let from = from.display().to_string();
        let entered = courier.enter(&from, &folder.name)?;
        let mut after = None;
        loop {
            let places = places(&dir, after.as_ref()).map_err(named)?;
            let Some(last) = places.last().cloned() else { break };
            for place in &places {
                let label = format!("{from}/{}", String::from_utf8_lossy(&place.name));
                match &entered {
                    Ok(()) => send(courier, &dir, place, &keywords, label)?,
                    Err(why) => courier.not_taken(label, why),
                }
                done += 1;
                courier.at(done);
            }
            after = Some(last);
        }
    }
    let text = root.read_text(b"subscriptions", TEXT_MAX).map_err(named)?;
    let subscribed = match text {
        Some(text) if root.has(OURS) => {
            parse_subscriptions(&text).iter().map(ToString::to_string).collect()
        }
        Some(text) => dovecot::parse_subscriptions_of_others(&text),
        // Without a list of its own all that was brought shall be seen.
        None => folders.into_iter().map(|folder| folder.name).collect(),
    };
    subscribed.iter().try_for_each(|name| courier.subscribe(name))
}

const SUBS: [&[u8]; 2] = [b"cur", b"new"];

fn open(root: &Dir, folder: &Folder) -> io::Result<Dir> {
    folder.path.iter().try_fold(root.clone(), |dir, name| dir.folder(name))
}

/// Every folder with a `cur/`, in the order of their names, INBOX first.
fn folders(root: &Dir) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    if root.has(b"cur") {
        found.push(Folder { name: "INBOX".to_owned(), path: Vec::new() });
    }
    walk(root, &mut Vec::new(), &mut found)?;
    let order = |folder: &Folder| (folder.name != "INBOX", folder.name.clone());
    found.sort_by_cached_key(order);
    Ok(found)
}

fn walk(dir: &Dir, way: &mut Vec<Vec<u8>>, found: &mut Vec<Folder>) -> io::Result<()> {
    for entry in dir.list()? {
        let name = entry.name.as_slice();
        if entry.kind != Kind::Folder || matches!(name, b"cur" | b"new" | b"tmp") {
            continue;
        }
        let below = dir.folder(name)?;
        let text = String::from_utf8_lossy(name);
        let levels: Vec<String> = match text.strip_prefix('.') {
            // Maildir++ stands at the top only.
            Some(levels) if way.is_empty() => {
                levels.split('.').map(dovecot::decode_level).collect()
            }
            Some(_) => continue,
            None => {
                let above = way.iter().map(|level| String::from_utf8_lossy(level));
                above.chain([text]).map(|level| dovecot::decode_level(&level)).collect()
            }
        };
        way.push(name.to_vec());
        if below.has(b"cur") {
            found.push(Folder { name: levels.join("/"), path: way.clone() });
        }
        if !name.starts_with(b".") && way.len() < DEPTH_MAX {
            walk(&below, way, found)?;
        }
        way.pop();
    }
    Ok(())
}

/// What a folder's keyword letters mean: Dovecot has a list in each folder, another Pillarbox one for the account.
fn keywords(root: &Dir, dir: &Dir) -> io::Result<BTreeMap<u8, String>> {
    if let Some(text) = dir.read_text(b"dovecot-keywords", TEXT_MAX)? {
        return Ok(dovecot::parse_keywords(&text));
    }
    let ours = root.read_text(OURS, TEXT_MAX)?;
    let ours = ours.and_then(|text| AccountText::parse(&text).ok());
    Ok(ours.map(|account| account.keywords).unwrap_or_default())
}

fn each_message(dir: &Dir, sub: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    match dir.folder(sub) {
        // What begins with a dot is no message (https://cr.yp.to/proto/maildir.html).
        Ok(sub) => sub.each_name(|name| {
            if !name.starts_with(b".") {
                each(name);
            }
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The next messages after this one.
fn places(dir: &Dir, after: Option<&Place>) -> io::Result<Vec<Place>> {
    let mut next = BinaryHeap::new();
    for sub in SUBS {
        each_message(dir, sub, |name| {
            let place = Place::new(sub, name);
            if after.is_some_and(|after| place.order() <= after.order()) {
                return;
            }
            next.push(place);
            if next.len() > PLACES_MAX {
                next.pop();
            }
        })?;
    }
    Ok(next.into_sorted_vec())
}

impl Place {
    fn new(sub: &'static [u8], name: &[u8]) -> Self {
        let parsed = FileName::parse(name);
        let base = parsed.base().to_vec();
        let unique = base.split(|&b| b == b'.').nth(1).unwrap_or_default();
        // Dovecot's and Courier's `M` and microseconds, without leading zeros.
        let micros = unique.strip_prefix(b"M").unwrap_or_default();
        let end = micros.iter().position(|b| !b.is_ascii_digit()).unwrap_or(micros.len());
        let micros = std::str::from_utf8(micros.get(..end).unwrap_or_default()).unwrap_or_default();
        Self {
            seconds: parsed.seconds().unwrap_or(0),
            micros: micros.parse().unwrap_or(0),
            base,
            sub,
            name: name.to_vec(),
        }
    }

    /// Flags may change meanwhile, which is no other place; and a move from `new/` to `cur/` leads back, not on.
    fn order(&self) -> (i64, u64, &[u8], &[u8]) {
        (self.seconds, self.micros, &self.base, self.sub)
    }
}

/// Opens a message, also where a mail program has just renamed it.
fn open_message(dir: &Dir, place: &Place) -> io::Result<(File, Vec<u8>)> {
    match dir.folder(place.sub)?.read(&place.name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return Ok((opened?, place.name.clone())),
    }
    let mut now = None;
    each_message(dir, b"cur", |name| {
        if FileName::parse(name).base() == place.base {
            now = Some(name.to_vec());
        }
    })?;
    let now = now.ok_or(io::ErrorKind::NotFound)?;
    Ok((dir.folder(b"cur")?.read(&now)?, now))
}

fn send(
    courier: &mut Courier,
    dir: &Dir,
    place: &Place,
    keywords: &BTreeMap<u8, String>,
    label: String,
) -> Result<(), Stop> {
    let opened = open_message(dir, place).and_then(|(file, name)| {
        let date = file.metadata()?.modified()?;
        let mut reader = Pieces { file, buffer: vec![0; PIECE] };
        let first = reader.next()?.to_vec();
        Ok((reader, first, marks(&name, date, keywords)))
    });
    let (mut reader, first, marks) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            courier.not_taken(label, &error.to_string());
            return Ok(());
        }
    };
    if let Some(why) = no_mail(&first) {
        courier.not_taken(label, why);
        return Ok(());
    }
    courier.message(label, &marks)?;
    let mut ends = LineEnds::default();
    courier.piece(ends.mend(&first))?;
    loop {
        match reader.next() {
            Ok([]) => return courier.end(),
            Ok(piece) => courier.piece(ends.mend(piece))?,
            Err(error) => return courier.broken(&error.to_string()),
        }
    }
}

struct Pieces {
    file: File,
    buffer: Vec<u8>,
}

impl Pieces {
    /// Empty at the end.
    fn next(&mut self) -> io::Result<&[u8]> {
        let count = self.file.read(&mut self.buffer)?;
        Ok(self.buffer.get(..count).unwrap_or_default())
    }
}

fn marks(name: &[u8], modified: std::time::SystemTime, keywords: &BTreeMap<u8, String>) -> Marked {
    let name = FileName::parse(name);
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let modified = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => seconds(after),
        Err(before) => -seconds(before.duration()),
    };
    // Another Pillarbox keeps INTERNALDATE in the name, where no copy loses it.
    let own = name.own_unique().and_then(|_| name.seconds());
    let known = keywords.iter().filter(|(at, _)| name.flags.contains(Flags::keyword(**at)));
    Marked {
        date: own.unwrap_or(modified),
        zone: own.map_or(0, |_| name.zone()),
        flags: name.flags.letters().chars().filter(char::is_ascii_uppercase).collect(),
        keywords: known.map(|(_, keyword)| keyword.clone()).collect(),
    }
}
