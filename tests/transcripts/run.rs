//! Runs texts against a session and compares what the server says.

use super::text::{Line, Text, What, read};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

/// One protocol end with a world around it.
pub trait Peer {
    /// Bytes from the client; empty closes its side.
    fn receive(&mut self, bytes: &[u8]);
    fn pass(&mut self, time: Duration);
    fn tls(&mut self);
    /// Everything that the server has to say now.
    fn say(&mut self) -> Vec<u8>;
    fn is_closed(&self) -> bool;
    fn delivered(&self) -> Option<Vec<u8>>;
}

#[derive(Clone, Copy, Debug)]
enum Pieces {
    Whole,
    Bytes,
}

/// Every text of a folder; all are run before one fails.
pub fn folder<P: Peer>(name: &str, new: impl Fn(&[String]) -> P) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = Vec::new();
    for text in paths.iter().map(|path| read(path)) {
        for pieces in [Pieces::Whole, Pieces::Bytes] {
            if let Err(error) = run(&text, new(&text.given), pieces) {
                wrong.push(format!("{} ({pieces:?}): {error}", text.path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} texts:\n{}",
        wrong.len(),
        paths.len() * 2,
        wrong.join("\n")
    );
}

struct Session<'t> {
    said: VecDeque<String>,
    names: BTreeMap<String, String>,
    any_order: Vec<(usize, &'t str)>,
    never: Vec<(usize, &'t str)>,
}

fn run<P: Peer>(text: &Text, mut peer: P, pieces: Pieces) -> Result<(), String> {
    let mut session = Session {
        said: VecDeque::new(),
        names: BTreeMap::new(),
        any_order: Vec::new(),
        never: Vec::new(),
    };
    let mut lines = text.lines.iter().peekable();
    if let Some(Line { what: What::Tls, .. }) = lines.peek() {
        peer.tls();
        lines.next();
    }
    session.hear(&mut peer);
    while let Some(Line { number, what }) = lines.next() {
        match what {
            What::Client(bytes) => {
                let mut block = bytes.clone();
                while let Some(Line { what: What::Client(more), .. }) = lines.peek() {
                    block.extend_from_slice(more);
                    lines.next();
                }
                match pieces {
                    Pieces::Whole => peer.receive(&block),
                    Pieces::Bytes => {
                        for byte in block {
                            peer.receive(&[byte]);
                            session.hear(&mut peer);
                        }
                    }
                }
                session.hear(&mut peer);
            }
            What::Server(pattern) => session.plain(*number, pattern)?,
            What::AnyOrder(pattern) => session.any_order.push((*number, pattern)),
            What::Never(pattern) => session.never.push((*number, pattern)),
            What::Wait(time) => {
                session.nothing_left(*number)?;
                peer.pass(*time);
                session.hear(&mut peer);
            }
            What::Tls => {
                session.nothing_left(*number)?;
                peer.tls();
                session.hear(&mut peer);
            }
            What::Close => {
                peer.receive(&[]);
                session.hear(&mut peer);
            }
            What::Closed if peer.is_closed() => session.nothing_left(*number)?,
            What::Closed => return Err(format!("line {number}: the server has not closed")),
            What::Delivered(expected) => {
                let found = peer.delivered().map(|b| String::from_utf8_lossy(&b).into_owned());
                if found.as_ref() != Some(expected) {
                    return Err(format!("line {number}: delivered {found:?}, not {expected:?}"));
                }
            }
        }
    }
    session.nothing_left(text.lines.last().map_or(0, |line| line.number))
}

impl<'t> Session<'t> {
    fn hear<P: Peer>(&mut self, peer: &mut P) {
        let said = String::from_utf8_lossy(&peer.say()).into_owned();
        assert!(said.is_empty() || said.ends_with("\r\n"), "half a line: {said:?}");
        self.said.extend(said.split_terminator("\r\n").map(str::to_owned));
    }

    fn plain(&mut self, number: usize, pattern: &'t str) -> Result<(), String> {
        loop {
            let found = self.said.pop_front();
            let Some(found) = found else {
                return Err(format!("line {number}: nothing was said, wanted {pattern:?}"));
            };
            if let Some((at, never)) =
                self.never.iter().find(|(_, p)| self.fits(p, &found).is_some())
            {
                return Err(format!("line {at}: {found:?} came, and {never:?} must not"));
            }
            if let Some(names) = self.fits(pattern, &found)
                && self.any_order.is_empty()
            {
                self.names = names;
                self.never.clear();
                return Ok(());
            }
            let hit = self.any_order.iter().position(|(_, p)| self.fits(p, &found).is_some());
            match hit {
                Some(at) => {
                    let (_, pattern) = self.any_order.remove(at);
                    self.names = self.fits(pattern, &found).unwrap_or_default();
                }
                None => return Err(format!("line {number}: wanted {pattern:?}, found {found:?}")),
            }
        }
    }

    /// The bindings after `pattern` was held against `line`, if it fits.
    fn fits(&self, pattern: &str, line: &str) -> Option<BTreeMap<String, String>> {
        let (mut names, mut rest, mut pattern) = (self.names.clone(), line, pattern);
        loop {
            if pattern == "..." {
                return Some(names);
            }
            let Some(c) = pattern.chars().next() else { return rest.is_empty().then_some(names) };
            if let Some(after) =
                pattern.strip_prefix('$').filter(|a| a.starts_with(char::is_alphabetic))
            {
                let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
                let (name, tail) = after.split_at(end);
                let stop = tail.chars().next().filter(|_| tail != "...");
                let len = stop.map_or(rest.len(), |stop| rest.find(stop).unwrap_or(rest.len()));
                let (value, after_value) = rest.split_at(len);
                if names.get(name).is_some_and(|known| known != value) {
                    return None;
                }
                names.insert(name.to_owned(), value.to_owned());
                (pattern, rest) = (tail, after_value);
                continue;
            }
            rest = rest.strip_prefix(c)?;
            pattern = &pattern[c.len_utf8()..];
        }
    }

    fn nothing_left(&self, number: usize) -> Result<(), String> {
        match (self.said.front(), self.any_order.first()) {
            (Some(said), _) => Err(format!("line {number}: {said:?} was said and not expected")),
            (None, Some((at, pattern))) => Err(format!("line {at}: {pattern:?} was never said")),
            (None, None) => Ok(()),
        }
    }
}
