//! A disk as a row of recorded calls leaves it, and what a power cut after the last of them can leave of it.

use super::model::{Forget, Model};
use super::random::Random;
use super::record::{Call, Event};
use super::tree::{Lying, Tree};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Write { at: usize, data: &'a [u8] },
    Truncate(usize),
}

#[derive(Debug)]
struct Node<'a> {
    is_folder: bool,
    /// As it was at the beginning of the record.
    base: Option<&'a Lying>,
    /// Its newest name, and the folder that is in.
    name: Vec<u8>,
    parent: usize,
    changes: Vec<(usize, Change<'a>)>,
    size: usize,
    /// What was called before this is durable: a file's data, a folder's names.
    durable: usize,
    /// The last call that changed what `fsync` must write beside the data, and `fdatasync`.
    metadata: usize,
    size_changed: usize,
    /// A folder's names now.
    names: BTreeMap<Vec<u8>, usize>,
}

/// A change of names: one is taken away, one is given, or both at once.
#[derive(Debug)]
struct NameChange<'a> {
    at: usize,
    node: usize,
    remove: Option<(usize, &'a [u8], i64)>,
    add: Option<(usize, &'a [u8], i64)>,
}

/// The calls so far, and how much of them is durable.
#[derive(Debug)]
pub struct Disk<'a> {
    nodes: Vec<Node<'a>>,
    inodes: HashMap<u64, usize>,
    names: Vec<NameChange<'a>>,
    /// Under way: of what, since when, with metadata?
    syncs: HashMap<u64, (Option<usize>, usize, bool)>,
    /// The journal is on the disk up to here, by what syncs had to write.
    committed: usize,
    now: usize,
    forget: Forget,
}

impl<'a> Disk<'a> {
    /// A disk with only the data folder on it.
    pub fn empty(root: u64, forget: Forget) -> Self {
        let mut disk = Self {
            nodes: Vec::new(),
            inodes: HashMap::new(),
            names: Vec::new(),
            syncs: HashMap::new(),
            committed: 0,
            now: 0,
            forget,
        };
        disk.node(root, true, None);
        disk
    }

    /// The program was killed and its machine went on: the files lie in another folder now, under these inode numbers,
    /// and what was not synced is not synced yet.
    pub fn moved(&mut self, tree: &Tree, inodes: &[u64]) {
        self.inodes = tree
            .places
            .iter()
            .copied()
            .zip(inodes.iter().copied())
            .map(|(node, inode)| (inode, node))
            .collect();
        self.syncs.clear();
        self.nodes[0].names.remove(&b"trace"[..]);
    }

    /// A disk with what lies in a tree, under these inode numbers.
    pub fn from_tree(tree: &'a Tree, inodes: &[u64]) -> Self {
        let mut disk = Self::empty(inodes[0], Forget::Nothing);
        disk.nodes.clear();
        for (lying, &inode) in tree.nodes.iter().zip(inodes) {
            let is_folder = matches!(lying, Lying::Folder { .. });
            disk.node(inode, is_folder, Some(lying));
        }
        for (at, lying) in tree.nodes.iter().enumerate() {
            if let Lying::Folder { names, .. } = lying {
                disk.nodes[at].names.clone_from(names);
                for (name, &node) in names {
                    disk.nodes[node].name.clone_from(name);
                    disk.nodes[node].parent = at;
                }
            }
        }
        disk
    }

    fn node(&mut self, inode: u64, is_folder: bool, base: Option<&'a Lying>) -> usize {
        let size = if let Some(Lying::File(bytes)) = base { bytes.len() } else { 0 };
        self.nodes.push(Node {
            is_folder,
            base,
            name: Vec::new(),
            parent: 0,
            changes: Vec::new(),
            size,
            durable: 0,
            metadata: 0,
            size_changed: 0,
            names: BTreeMap::new(),
        });
        self.inodes.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Adds the next call. Calls outside the data folder pass by.
    pub fn push(&mut self, event: &Event<'a>) {
        self.now += 1;
        let now = self.now;
        let known = |inode: &u64| self.inodes.get(inode).copied();
        match event.call {
            Call::Create { folder, name, inode } | Call::MakeFolder { folder, name, inode } => {
                let Some(folder) = known(&folder) else {
                    self.inodes.remove(&inode);
                    return;
                };
                let is_folder = matches!(event.call, Call::MakeFolder { .. });
                let node = self.node(inode, is_folder, None);
                self.rename(node, None, Some((folder, name, event.time)));
            }
            Call::Link { folder, name, inode } => {
                if let (Some(folder), Some(node)) = (known(&folder), known(&inode)) {
                    self.rename(node, None, Some((folder, name, event.time)));
                }
            }
            Call::Unlink { folder, name } => {
                let Some(folder) = known(&folder) else { return };
                if let Some(&node) = self.nodes[folder].names.get(name) {
                    self.rename(node, Some((folder, name, event.time)), None);
                }
            }
            Call::Rename { from, old, to, new } => {
                let (from, to) = (known(&from), known(&to));
                let node = from.and_then(|from| self.nodes[from].names.get(old).copied());
                if let Some(node) = node {
                    let remove = from.map(|from| (from, old, event.time));
                    self.rename(node, remove, to.map(|to| (to, new, event.time_to)));
                }
            }
            Call::Write { inode, at, data } => {
                if let Some(node) = known(&inode).map(|node| &mut self.nodes[node]) {
                    node.changes.push((now, Change::Write { at, data }));
                    node.metadata = now;
                    if at + data.len() > node.size {
                        (node.size, node.size_changed) = (at + data.len(), now);
                    }
                }
            }
            Call::Truncate { inode, size } => {
                if let Some(node) = known(&inode).map(|node| &mut self.nodes[node]) {
                    node.changes.push((now, Change::Truncate(size)));
                    (node.metadata, node.size, node.size_changed) = (now, size, now);
                }
            }
            Call::SyncBegin { inode, number, metadata } => {
                if inode == 0 {
                    if self.forget != Forget::Killed {
                        self.syncs.insert(number, (None, now, metadata));
                    }
                } else if let Some(node) = known(&inode) {
                    let one = &self.nodes[node];
                    let parent = &self.nodes[one.parent].name;
                    if !self.forget.forgets(one.is_folder, &one.name, parent) {
                        self.syncs.insert(number, (Some(node), now, metadata));
                    }
                }
            }
            Call::SyncEnd { number } => {
                let Some((node, begun, metadata)) = self.syncs.remove(&number) else { return };
                let Some(node) = node else {
                    self.nodes.iter_mut().for_each(|node| node.durable = node.durable.max(begun));
                    self.committed = self.committed.max(begun);
                    return;
                };
                let node = &mut self.nodes[node];
                node.durable = node.durable.max(begun);
                let changed = if metadata { node.metadata } else { node.size_changed };
                if changed > self.committed {
                    self.committed = self.committed.max(begun);
                }
            }
        }
    }

    fn rename(
        &mut self,
        node: usize,
        remove: Option<(usize, &'a [u8], i64)>,
        add: Option<(usize, &'a [u8], i64)>,
    ) {
        let now = self.now;
        if let Some((folder, name, _)) = remove {
            self.nodes[folder].names.remove(name);
            self.nodes[folder].metadata = now;
        }
        if let Some((folder, name, _)) = add {
            self.nodes[folder].names.insert(name.to_vec(), node);
            self.nodes[folder].metadata = now;
            self.nodes[node].name = name.to_vec();
            self.nodes[node].parent = folder;
        }
        self.nodes[node].metadata = now;
        self.names.push(NameChange { at: now, node, remove, add });
    }

    /// A file of the data folder as the program sees it now.
    pub fn file(&self, name: &[u8]) -> Vec<u8> {
        let node = self.nodes[0].names.get(name);
        node.map_or_else(Vec::new, |&node| self.exact(node, self.now))
    }

    /// One of the disks that a power cut now could leave.
    pub fn cut(&self, model: Model, random: &mut Random) -> Tree {
        let mut names: Vec<BTreeMap<Vec<u8>, usize>> = Vec::new();
        let mut times = vec![0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            names.push(match node.base {
                Some(Lying::Folder { names, time }) => {
                    times[at] = *time;
                    names.clone()
                }
                _ => BTreeMap::new(),
            });
        }
        let journal = match model {
            Model::Ordered => self.committed,
            Model::Journal => random.between(self.committed, self.now),
            Model::Names | Model::Pieces | Model::Strict | Model::Killed => self.now,
        };
        let kept = self.kept_of_each(random);
        for change in &self.names {
            let is_kept = |folder: usize| match model {
                Model::Strict => change.at < self.nodes[folder].durable,
                Model::Pieces => change.at <= kept[change.node],
                Model::Ordered | Model::Journal | Model::Names | Model::Killed => {
                    change.at <= journal
                }
            };
            if let Some((folder, name, time)) = change.remove.filter(|c| is_kept(c.0))
                && names[folder].get(name) == Some(&change.node)
            {
                names[folder].remove(name);
                times[folder] = time;
            }
            if let Some((folder, name, time)) = change.add.filter(|c| is_kept(c.0)) {
                names[folder].insert(name.to_vec(), change.node);
                times[folder] = time;
            }
        }
        let mut tree = Tree::default();
        self.lay(0, &mut names, &times, model, random, &mut tree, &mut HashMap::new());
        tree
    }

    #[allow(clippy::too_many_arguments, reason = "a walk carries what it reads and what it makes")]
    fn lay(
        &self,
        node: usize,
        names: &mut [BTreeMap<Vec<u8>, usize>],
        times: &[i64],
        model: Model,
        random: &mut Random,
        tree: &mut Tree,
        laid: &mut HashMap<usize, usize>,
    ) -> usize {
        if let Some(&place) = laid.get(&node) {
            return place;
        }
        let place = tree.nodes.len();
        laid.insert(node, place);
        tree.places.push(node);
        if !self.nodes[node].is_folder {
            tree.nodes.push(Lying::File(self.content(node, model, random)));
            return place;
        }
        tree.nodes.push(Lying::File(Vec::new()));
        let inner = std::mem::take(&mut names[node]);
        let lay = |(name, node)| (name, self.lay(node, names, times, model, random, tree, laid));
        let inner = inner.into_iter().filter(|(name, _)| name != b"trace").map(lay).collect();
        tree.nodes[place] = Lying::Folder { names: inner, time: times[node] };
        place
    }

    /// For each file or folder: up to which call its names are kept. At least what a synced folder holds.
    fn kept_of_each(&self, random: &mut Random) -> Vec<usize> {
        let mut forced = vec![0; self.nodes.len()];
        let mut loose: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for change in &self.names {
            let synced = |side: &Option<(usize, &[u8], i64)>| {
                side.is_some_and(|(folder, ..)| change.at < self.nodes[folder].durable)
            };
            if synced(&change.remove) || synced(&change.add) {
                forced[change.node] = change.at;
                loose[change.node].clear();
            } else {
                loose[change.node].push(change.at);
            }
        }
        let pick = |(forced, loose): (usize, Vec<usize>)| match random.below(loose.len() + 1) {
            0 => forced,
            count => loose[count - 1],
        };
        forced.into_iter().zip(loose).map(pick).collect()
    }

    fn content(&self, node: usize, model: Model, random: &mut Random) -> Vec<u8> {
        let durable = self.nodes[node].durable;
        match model {
            Model::Ordered | Model::Strict => self.exact(node, durable),
            Model::Killed => self.exact(node, self.now),
            Model::Pieces => self.pieces(node, random),
            Model::Journal => match random.below(3) {
                0 => self.exact(node, durable),
                1 => self.exact(node, random.between(durable, self.now)),
                _ => self.pieces(node, random),
            },
            Model::Names => match random.below(3) {
                0 => self.exact(node, durable),
                1 => self.pieces(node, random),
                _ => {
                    let mut bytes = self.exact(node, durable);
                    bytes.resize(self.nodes[node].size, 0);
                    bytes
                }
            },
        }
    }

    fn base(&self, node: usize) -> Cow<'a, [u8]> {
        match self.nodes[node].base {
            Some(Lying::File(bytes)) => Cow::Borrowed(bytes),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// With every change up to a call.
    fn exact(&self, node: usize, last: usize) -> Vec<u8> {
        let mut bytes = self.base(node).into_owned();
        for &(at, change) in &self.nodes[node].changes {
            if at > last {
                break;
            }
            apply(&mut bytes, change);
        }
        bytes
    }

    /// With what was synced, and of the rest each piece in one of the versions that it had: a page of a part that is
    /// new, a sector of one that was there.
    fn pieces(&self, node: usize, random: &mut Random) -> Vec<u8> {
        let one = &self.nodes[node];
        let mut bytes = self.exact(node, one.durable);
        let old = bytes.len();
        let (mut size, mut size_lost) = (old, false);
        let mut lost: HashMap<usize, bool> = HashMap::new();
        for &(_, change) in one.changes.iter().filter(|(at, _)| *at > one.durable) {
            match change {
                Change::Truncate(to) => {
                    size_lost = size_lost || random.one_in(2);
                    if !size_lost {
                        size = to;
                        bytes.truncate(to);
                    }
                }
                Change::Write { at, data } => {
                    size_lost = size_lost || random.one_in(4);
                    if !size_lost {
                        size = size.max(at + data.len());
                    }
                    if bytes.len() < at + data.len() {
                        bytes.resize(at + data.len(), 0);
                    }
                    let mut done = 0;
                    while done < data.len() {
                        let from = at + done;
                        let unit = if from >= old.next_multiple_of(4096) { 4096 } else { 512 };
                        let piece = from / unit * unit;
                        let len = (piece + unit - from).min(data.len() - done);
                        let lost = lost.entry(piece).or_insert(false);
                        *lost = *lost || random.one_in(3);
                        if !*lost {
                            bytes[from..from + len].copy_from_slice(&data[done..done + len]);
                        }
                        done += len;
                    }
                }
            }
        }
        bytes.resize(size, 0);
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: Change<'_>) {
    match change {
        Change::Truncate(size) => bytes.resize(size, 0),
        Change::Write { at, data } => {
            if bytes.len() < at + data.len() {
                bytes.resize(at + data.len(), 0);
            }
            bytes[at..at + data.len()].copy_from_slice(data);
        }
    }
}
