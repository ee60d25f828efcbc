//! Runs texts against a protocol and compares what the server says.

use super::socket::Socket;
use super::straight::Straight;
use super::text::{Line, Source, Text, What, read};
use super::wire::{Opening, Protocol, Shift, Wire};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Whole,
    ByteByByte,
    Socket,
}

type Lines<'t> = Peekable<std::slice::Iter<'t, Line>>;
/// Bindings of `$x`.
type Names = BTreeMap<String, Vec<u8>>;

/// Texts that run at the same time.
const AT_ONCE: usize = 4;

/// Every text of a folder in every way; all are run before one fails.
pub fn folder<P: Protocol>(name: &str, new: impl Fn(&[String]) -> P + Sync) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::SeqCst)) {
                    wrong.lock().unwrap().extend(in_every_way(&read(path), &new));
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} of {} texts failed:\n{}", paths.len(), wrong.join("\n"));
}

/// What is wrong with a text, if anything.
fn in_every_way<P: Protocol>(text: &Text, new: impl Fn(&[String]) -> P) -> Option<String> {
    let path = text.path.display();
    let socket = P::OVER_SOCKET.then_some(Way::Socket);
    for way in [Way::Whole, Way::ByteByByte].into_iter().chain(socket) {
        let mut run = Run::new(text, Arc::new(new(&text.given)), way);
        if let Err((number, error)) = run.text() {
            return Some(format!("{path}:{number} ({way:?})\n{error}"));
        }
        if !run.blessed.is_empty() {
            bless(text, &run.blessed);
            return Some(format!("{path}: blessed; read it and run again"));
        }
    }
    None
}

/// Writes lines into a text: each before the line of that number.
fn bless(text: &Text, lines: &[(usize, String)]) {
    let raw = std::fs::read_to_string(&text.path).unwrap();
    let mut out = String::new();
    for (number, line) in (1..).zip(raw.lines().map(Some).chain([None])) {
        for (_, blessed) in lines.iter().filter(|(at, _)| *at == number) {
            out.push_str(blessed);
            out.push('\n');
        }
        if let Some(line) = line {
            out.push_str(line);
            out.push('\n');
        }
    }
    std::fs::write(&text.path, out).unwrap();
}

struct Run<'t, P: Protocol> {
    text: &'t Text,
    protocol: Arc<P>,
    shift: Shift,
    way: Way,
    sides: Vec<Option<Side<'t, P::News>>>,
    names: Names,
    blessed: Vec<(usize, String)>,
}

/// One connection.
struct Side<'t, N> {
    wire: Box<dyn Wire<N>>,
    /// Said and not compared yet; may end within a line.
    said: Vec<u8>,
    any_order: Vec<(usize, &'t [u8])>,
    never: Vec<(usize, &'t [u8])>,
    others: Others,
}

/// What of the lines that the text does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Wrong,
    PassedOver,
}

/// The line and what is wrong there.
type Wrong = (usize, String);

impl<'t, P: Protocol> Run<'t, P> {
    fn new(text: &'t Text, protocol: Arc<P>, way: Way) -> Self {
        let (sides, blessed) = (Vec::new(), Vec::new());
        Self { text, protocol, shift: Shift::new(), way, sides, names: Names::new(), blessed }
    }

    fn text(&mut self) -> Result<(), Wrong> {
        let mut lines = self.text.lines.iter().peekable();
        while let Some(line) = lines.next() {
            if let What::Wait(time) = line.what {
                self.pass(line.number, time)?;
            } else if let What::Own(word) = &line.what {
                self.own(line.number, word)?;
            } else {
                self.line(line, &mut lines)?;
            }
        }
        self.end()
    }

    fn own(&mut self, number: usize, word: &str) -> Result<(), Wrong> {
        self.all_compared(number)?;
        let news = self.protocol.word(word).map_err(|error| (number, error))?;
        for side in self.sides.iter_mut().flatten() {
            for news in &news {
                side.wire.tell(news);
            }
        }
        Ok(())
    }

    fn pass(&mut self, number: usize, time: Duration) -> Result<(), Wrong> {
        self.all_compared(number)?;
        // Over a socket a step would have to be awaited, so there it is one; else each second is lived through.
        let step = if self.way == Way::Socket { time } else { Duration::from_secs(1) };
        let mut passed = Duration::ZERO;
        while passed < time {
            self.shift.advance(step);
            passed += step;
            self.sides.iter_mut().flatten().for_each(|side| side.wire.tick());
        }
        Ok(())
    }

    fn line(&mut self, line: &'t Line, lines: &mut Lines<'t>) -> Result<(), Wrong> {
        let number = line.number;
        let wrong = |error| (number, error);
        self.sides.resize_with(self.sides.len().max(line.side + 1), || None);
        if self.sides[line.side].is_none() {
            let implicit = matches!(line.what, What::Tls);
            let opening = if implicit { Opening::Tls } else { Opening::Clear };
            self.sides[line.side] = Some(Side::new(self.wire(opening)));
            if implicit {
                return Ok(());
            }
        }
        let side = self.sides[line.side].as_mut().unwrap();
        match &line.what {
            What::Client(bytes) => {
                let mut block = filled(bytes, &self.names);
                while let Some(Line { what: What::Client(more), .. }) =
                    lines.next_if(|l| l.side == line.side && matches!(l.what, What::Client(_)))
                {
                    block.extend(filled(more, &self.names));
                }
                self.all_compared(number)?;
                let side = self.sides[line.side].as_mut().unwrap();
                match self.way {
                    Way::Whole | Way::Socket => side.wire.send(&block),
                    Way::ByteByByte => block.iter().for_each(|byte| side.wire.send(&[*byte])),
                }
            }
            What::Server(pattern) => side.plain(&mut self.names, number, pattern)?,
            What::AnyOrder(pattern) => side.any_order.push((number, pattern)),
            What::Never(pattern) => side.never.push((number, pattern)),
            What::Others => side.others = Others::PassedOver,
            What::Tls => {
                self.all_compared(number)?;
                self.sides[line.side].as_mut().unwrap().wire.tls().map_err(wrong)?;
            }
            What::Close => side.wire.send(&[]),
            What::Closed => {
                let rest = side.wire.rest();
                side.said.extend(rest.ok_or((number, "the server has not closed".to_owned()))?);
                self.all_compared(number)?;
            }
            What::Delivered(expected) => {
                let found = self.protocol.delivered();
                if found.as_ref() != Some(expected) {
                    return Err((number, difference(expected, &found.unwrap_or_default())));
                }
            }
            What::Wait(_) | What::Own(_) => {}
        }
        Ok(())
    }

    fn wire(&self, opening: Opening) -> Box<dyn Wire<P::News>> {
        let (protocol, shift) = (self.protocol.clone(), self.shift.clone());
        match self.way {
            Way::Whole | Way::ByteByByte => Box::new(Straight::new(protocol, shift, opening)),
            Way::Socket => Box::new(Socket::new(protocol, shift, opening)),
        }
    }

    /// Closes what is open and lets nothing be left.
    fn end(&mut self) -> Result<(), Wrong> {
        let number = self.text.len + 1;
        self.all_compared(number)?;
        for side in self.sides.iter_mut().flatten() {
            side.wire.send(&[]);
            let rest = side.wire.rest();
            side.said.extend(rest.ok_or((number, "closed by the client, left open".to_owned()))?);
        }
        self.all_compared(number)
    }

    /// Everything that was said so far must have been expected; `BLESS=1` takes it into the text.
    fn all_compared(&mut self, number: usize) -> Result<(), Wrong> {
        let ours = self.text.source == Source::Ours && self.way == Way::Whole;
        let blessing = ours && std::env::var("BLESS").is_ok_and(|value| value == "1");
        for (place, side) in self.sides.iter_mut().enumerate() {
            let Some(side) = side else { continue };
            side.said.extend(side.wire.said());
            if let Some((at, pattern)) = side.any_order.first() {
                return Err((*at, format!("- {}\n+ was never said", shown(pattern))));
            }
            let mark = if place == 0 { String::new() } else { (place + 1).to_string() };
            while let Some(line) = side.next_said() {
                if !blessing {
                    return Err((number, format!("+ {} was said, and not expected", shown(&line))));
                }
                self.blessed.push((number, format!("S{mark}: {}", shown(&line))));
            }
            if !side.said.is_empty() {
                return Err((number, format!("+ half a line: {}", shown(&side.said))));
            }
        }
        Ok(())
    }
}

impl<'t, N> Side<'t, N> {
    fn new(wire: Box<dyn Wire<N>>) -> Self {
        Self {
            wire,
            said: Vec::new(),
            any_order: Vec::new(),
            never: Vec::new(),
            others: Others::Wrong,
        }
    }

    /// A whole line of what was said, without its line end.
    fn next_said(&mut self) -> Option<Vec<u8>> {
        let end = self.said.windows(2).position(|pair| pair == b"\r\n")?;
        let mut line: Vec<u8> = self.said.drain(..end + 2).collect();
        line.truncate(end);
        Some(line)
    }

    fn plain(&mut self, names: &mut Names, number: usize, pattern: &'t [u8]) -> Result<(), Wrong> {
        loop {
            let Some(found) = self.next_said() else {
                let more = self.wire.more();
                if more.is_empty() {
                    return Err((number, format!("- {}\n+ nothing was said", shown(pattern))));
                }
                self.said.extend(more);
                continue;
            };
            let never = self.never.iter().find(|(_, p)| fits(p, &found, names).is_some());
            if let Some((at, _)) = never {
                return Err((*at, format!("+ {} was said, and must not be", shown(&found))));
            }
            if self.any_order.is_empty()
                && let Some(bound) = fits(pattern, &found, names)
            {
                *names = bound;
                self.never.clear();
                self.others = Others::Wrong;
                return Ok(());
            }
            let hit = self.any_order.iter().position(|(_, p)| fits(p, &found, names).is_some());
            let Some(at) = hit else {
                if self.others == Others::PassedOver {
                    continue;
                }
                let (at, pattern) = self.any_order.first().copied().unwrap_or((number, pattern));
                return Err((at, format!("- {}\n+ {}", shown(pattern), shown(&found))));
            };
            let (_, pattern) = self.any_order.remove(at);
            *names = fits(pattern, &found, names).unwrap_or_default();
        }
    }
}

/// The name after a dollar sign and what follows it.
fn name_of(pattern: &[u8]) -> Option<(String, &[u8])> {
    let after =
        pattern.strip_prefix(b"$").filter(|a| a.first().is_some_and(u8::is_ascii_lowercase))?;
    let end = after.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(after.len());
    Some((String::from_utf8_lossy(&after[..end]).into_owned(), &after[end..]))
}

/// The bindings after `pattern` was held against `line`, if it fits.
fn fits(pattern: &[u8], line: &[u8], names: &Names) -> Option<Names> {
    let (mut names, mut rest, mut pattern) = (names.clone(), line, pattern);
    loop {
        if pattern == b"..." {
            return Some(names);
        }
        if let Some((name, tail)) = name_of(pattern) {
            let stop = tail.first().filter(|_| tail != b"...");
            let ends = |b: &u8| stop.map_or(*b == b' ', |stop| b == stop);
            let (value, after) = rest.split_at(rest.iter().position(ends).unwrap_or(rest.len()));
            if value.is_empty() || names.get(&name).is_some_and(|known| known != value) {
                return None;
            }
            names.insert(name, value.to_owned());
            (pattern, rest) = (tail, after);
            continue;
        }
        let Some((first, tail)) = pattern.split_first() else {
            return rest.is_empty().then_some(names);
        };
        rest = rest.strip_prefix(&[*first])?;
        pattern = tail;
    }
}

/// What the client says, with the values of `$x` that are bound.
fn filled(bytes: &[u8], names: &Names) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some((first, tail)) = rest.split_first() {
        match name_of(rest).and_then(|(name, after)| Some((names.get(&name)?, after))) {
            Some((value, after)) => {
                out.extend_from_slice(value);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .flat_map(|c| {
            let plain = c == ' ' || !c.is_control();
            if plain {
                c.to_string().chars().collect()
            } else {
                c.escape_default().collect::<Vec<_>>()
            }
        })
        .collect()
}

fn difference(expected: &[u8], found: &[u8]) -> String {
    let lines = |mark: &str, bytes: &[u8]| {
        let lines = bytes.split_inclusive(|b| *b == b'\n');
        lines.map(|line| format!("{mark} {}", shown(line))).collect::<Vec<_>>().join("\n")
    };
    format!("{}\n{}", lines("-", expected), lines("+", found))
}
