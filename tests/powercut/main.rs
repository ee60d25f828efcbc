//! The power-cut test. A recorder in front of the C library writes down every write, name and sync of a store under mixed
//! load; from that, disks are rebuilt that a power cut could have left, at random moments and by several models of what a
//! file system may lose. On each the store must start without help and keep every promise.
//!
//! `cargo test --test powercut -- 200` tries 200 disks; `--seed N` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod disk;
mod load;
mod model;
mod promise;
mod random;
mod record;
mod stranger;
mod tree;
mod world;

use disk::Disk;
use model::{Forget, Model};
use promise::Promise;
use random::Random;
use record::Record;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Disks in the short form.
const SHORT: usize = 60;
/// Disks at most for each kind of sync that is left out.
const FORGETFUL: usize = 300;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["child-load", root, seed] => load::run(Path::new(root), seed.parse().unwrap(), 3, 30),
        ["child-recover", root, seed, worker] => {
            load::recover(Path::new(root), seed.parse().unwrap(), worker.parse().unwrap());
        }
        _ => test(&words),
    }
}

/// The word after an option.
fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|&word| word == name)?;
    words.get(at + 1).copied()
}

fn test(words: &[&str]) {
    // As `cargo test NAME` has it: other tests may be meant.
    if words.first().is_some_and(|&word| {
        !word.starts_with('-') && word.parse::<usize>().is_err() && !"powercut".contains(word)
    }) {
        return;
    }
    let count = words.first().and_then(|word| word.parse().ok()).unwrap_or(SHORT);
    let began = Instant::now();
    let seed = match option(words, "--seed") {
        Some(seed) => seed.parse().unwrap(),
        None => std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() % 1_000_000,
    };
    let rig = Rig::new();
    let Some(recorder) = rig.build() else {
        println!("skipped: the power-cut test needs a C compiler");
        return;
    };
    let record = match option(words, "--record") {
        Some(path) => Record::read(Path::new(path)),
        None => rig.record(&recorder, seed),
    };
    let run = Run { rig: &rig, recorder: &recorder, record: &record, seed };
    if let Some(disk) = option(words, "--disk") {
        println!("{:?}", run.state(disk.parse().unwrap(), Forget::Nothing));
        return;
    }
    let failures = run.states(count);
    for failure in &failures {
        println!("{failure}");
    }
    println!(
        "power cut: {} of {count} disks kept every promise (seed {seed}, {} calls, {:.1} s)",
        count - failures.len(),
        record.events().1.len(),
        began.elapsed().as_secs_f32()
    );
    let mut failed = usize::from(!failures.is_empty());
    if failed != 0 {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("powercut-{seed}.record"));
        record.write(&kept);
        println!(
            "again: cargo test --test powercut -- --seed {seed} --record {} --disk N",
            kept.display()
        );
    }
    for forget in Forget::ALL {
        // A sync that is left out must show.
        let noticed = (0..FORGETFUL).find(|&number| run.state(number, forget).is_err());
        match noticed {
            Some(number) => println!("power cut: {forget:?} not synced: noticed on disk {number}"),
            None => println!("power cut: {forget:?} not synced: NOT noticed on {FORGETFUL} disks"),
        }
        failed += usize::from(noticed.is_none());
    }
    let passed = 1 + Forget::ALL.len() - failed;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    drop(rig);
    std::process::exit(i32::from(failed != 0));
}

/// Where it happens.
struct Rig {
    folder: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = place.join(format!("pillarbox-powercut-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn build(&self) -> Option<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powercut/record.c");
        let library = self.folder.join("record.so");
        let built = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        match built {
            Ok(status) => {
                assert!(status.success(), "the recorder cannot be built");
                Some(library)
            }
            Err(_) => None,
        }
    }

    fn record(&self, recorder: &Path, seed: u64) -> Record {
        let root = self.folder.join("load");
        std::fs::create_dir_all(&root).unwrap();
        let words = ["child-load".into(), root.clone().into_os_string(), seed.to_string().into()];
        let record = child(recorder, &root, &self.folder.join("load.record"), &words);
        record.unwrap_or_else(|error| panic!("seed {seed}: the load ended: {error}"))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// What this program does under the recorder; an error with what it said if it did not end well.
fn child(
    recorder: &Path,
    root: &Path,
    log: &Path,
    words: &[std::ffi::OsString],
) -> Result<Record, String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(words)
        .env("LD_PRELOAD", recorder)
        .env("RECORD_ROOT", root)
        .env("RECORD_LOG", log)
        .env("RECORD_SPEED", "30")
        .env("RECORD_SYNC", "300")
        .output()
        .unwrap();
    let record = Record::read(log);
    drop(std::fs::remove_file(log));
    match output.status.success() {
        true => Ok(record),
        false => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// One recording and the disks rebuilt from it.
#[derive(Clone, Copy)]
struct Run<'a> {
    rig: &'a Rig,
    recorder: &'a Path,
    record: &'a Record,
    seed: u64,
}

impl Run<'_> {
    /// Tries so many disks; what went wrong.
    fn states(&self, count: usize) -> Vec<String> {
        let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            if let Err(error) = self.state(number, Forget::Nothing) {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(work);
            }
        });
        failures.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self, number: usize, forget: Forget) -> Result<(), String> {
        let mut random = Random(self.seed ^ (u64::try_from(number).unwrap() << 20));
        let model = Model::ALL[number % Model::ALL.len()];
        let (root, events) = self.record.events();
        let cut = random.below(events.len());
        let (model, again) = match forget {
            Forget::Nothing => (model, random.one_in(3)),
            Forget::Killed => (Model::Killed, true),
            _ => (model, false),
        };
        // A program that was killed finds its index.
        let lost_index = random.one_in(4) && !(again && model == Model::Killed);
        let mut disk = Disk::empty(root, forget);
        events[..cut].iter().for_each(|event| disk.push(event));
        let mut tree = disk.cut(model, &mut random);
        if lost_index {
            tree.lose_index();
        }
        let trace = disk.file(b"trace");
        let folder = self.rig.folder.join(format!("state-{forget:?}-{number}"));
        let inodes = tree.write(&folder);
        let case =
            format!("power cut: seed {} disk {number} {model:?} after {cut} calls", self.seed);
        let kept = if again {
            let inodes = &inodes[..];
            if model == Model::Killed {
                disk.moved(&tree, inodes);
            } else {
                disk = Disk::from_tree(&tree, inodes);
            }
            self.second(number, &folder, disk, trace, &mut random)
        } else {
            Promise::of(&trace).check(&folder)
        };
        let kept = kept.map_err(|error| format!("{case}, index lost {lost_index}: {error}"));
        drop(std::fs::remove_dir_all(&folder));
        kept
    }

    /// A cut during the start after a cut, or in the work after it.
    fn second(
        &self,
        number: usize,
        folder: &Path,
        disk: Disk<'_>,
        mut trace: Vec<u8>,
        random: &mut Random,
    ) -> Result<(), String> {
        let words =
            ["child-recover".into(), folder.into(), random.next().to_string().into(), "50".into()];
        let log = self.rig.folder.join(format!("second-{number}.record"));
        let record = child(self.recorder, folder, &log, &words)?;
        let (_, events) = record.events();
        let cut = random.below(events.len());
        let model = random.pick(&Model::ALL).unwrap();
        // Its record lives shorter than the first.
        let mut disk: Disk<'_> = disk;
        events[..cut].iter().for_each(|event| disk.push(event));
        trace.extend(disk.file(b"trace"));
        let tree = disk.cut(model, random);
        let second = folder.with_extension("second");
        tree.write(&second);
        let kept = Promise::of(&trace).check(&second);
        drop(std::fs::remove_dir_all(&second));
        kept.map_err(|error| {
            format!("then {model:?} after {cut} calls of {}: {error}", events.len())
        })
    }
}
