//! A disk without a history: what lies there, and writing it into a folder.

use std::collections::BTreeMap;
use std::path::Path;

/// Files and folders.
#[derive(Debug, Default, Clone)]
pub struct Tree {
    /// The first is the data folder.
    pub nodes: Vec<Lying>,
    /// Which file or folder of the disk each of them is.
    pub places: Vec<usize>,
}

#[derive(Debug, Clone)]
pub enum Lying {
    File(Vec<u8>),
    Folder { names: BTreeMap<Vec<u8>, usize>, time: i64 },
}

impl Tree {
    /// Takes every copy of what the files say away.
    pub fn lose_index(&mut self) {
        for lying in &mut self.nodes {
            if let Lying::Folder { names, .. } = lying {
                names.retain(|name, _| !name.starts_with(b"index.db") && name != b"hot");
            }
        }
    }

    /// Writes it into an empty folder; the inode number of each node there.
    pub fn write(&self, path: &Path) -> Vec<u64> {
        let mut inodes = vec![0; self.nodes.len()];
        let mut paths = vec![None; self.nodes.len()];
        self.write_node(0, path, &mut paths, &mut inodes);
        inodes
    }

    fn write_node(
        &self,
        node: usize,
        path: &Path,
        paths: &mut [Option<std::path::PathBuf>],
        inodes: &mut [u64],
    ) {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::MetadataExt;
        if let Some(first) = &paths[node] {
            std::fs::hard_link(first, path).unwrap();
            return;
        }
        paths[node] = Some(path.to_owned());
        match &self.nodes[node] {
            Lying::File(bytes) => std::fs::write(path, bytes).unwrap(),
            Lying::Folder { names, time } => {
                std::fs::create_dir_all(path).unwrap();
                for (name, &inner) in names {
                    let inner_path = path.join(std::ffi::OsStr::from_bytes(name));
                    self.write_node(inner, &inner_path, paths, inodes);
                }
                let time = std::time::Duration::from_nanos(time.unsigned_abs());
                let times = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + time);
                std::fs::File::open(path).unwrap().set_times(times).unwrap();
            }
        }
        inodes[node] = std::fs::symlink_metadata(path).unwrap().ino();
    }
}
