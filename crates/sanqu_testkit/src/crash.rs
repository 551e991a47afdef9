//! What a crash leaves of what was done on a disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Random, Step};

const BLOCK_BYTES: usize = 4096;

/// A disk with everything that was done on it, durable or not.
///
/// What was synced is there after a crash. Of the rest each write and each new, changed or removed name is there or not, in
/// any order, and a write may be there in part. This is harsher than any one file system: what survives it survives them.
#[derive(Clone, Debug)]
pub struct Image {
    /// The folder that the paths of all steps are below.
    base: PathBuf,
    nodes: Vec<Node>,
    /// Open files by number.
    open: BTreeMap<u64, usize>,
}

#[derive(Clone, Debug)]
enum Node {
    File(File),
    Folder(Folder),
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone, Debug, Default)]
struct Folder {
    durable: BTreeMap<String, usize>,
    /// Names that change together, and what they then stand for.
    pending: Vec<Vec<(String, Option<usize>)>>,
    now: BTreeMap<String, usize>,
}

impl Image {
    /// A disk as it is in a folder, all of it durable.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn of(base: &Path) -> Self {
        let mut image = Self { base: base.to_path_buf(), nodes: vec![Node::Folder(Folder::default())], open: BTreeMap::new() };
        image.load(0, base);
        image
    }

    fn load(&mut self, folder: usize, path: &Path) {
        for entry in std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
            let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = entry.file_name().to_string_lossy().into_owned();
            let node = if entry.path().is_dir() {
                let node = self.add(Node::Folder(Folder::default()));
                self.load(node, &entry.path());
                node
            } else {
                let durable = std::fs::read(entry.path()).unwrap_or_else(|e| panic!("{}: {e}", entry.path().display()));
                self.add(Node::File(File { durable, pending: Vec::new() }))
            };
            let names = self.folder(folder);
            names.durable.insert(name.clone(), node);
            names.now.insert(name, node);
        }
    }

    /// Does what was done.
    ///
    /// # Panics
    /// When a step makes no sense here: the trace is of another disk.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Open { file, path, empty } => {
                let (folder, name) = self.place(path);
                let known = self.folder(folder).now.get(&name).copied();
                let node = known.unwrap_or_else(|| {
                    let node = self.add(Node::File(File::default()));
                    self.rename(folder, vec![(name, Some(node))]);
                    node
                });
                if *empty && known.is_some() {
                    self.file(node).pending.push(Change::Length(0));
                }
                self.open.insert(*file, node);
            }
            Step::Write { file, offset, bytes } => self.opened(*file).pending.push(Change::Write(*offset, bytes.clone())),
            Step::SetLength { file, bytes } => self.opened(*file).pending.push(Change::Length(*bytes)),
            Step::SyncFile { file } => {
                let file = self.opened(*file);
                for change in std::mem::take(&mut file.pending) {
                    change.make(&mut file.durable);
                }
            }
            Step::SyncFolder(path) => {
                let Some(node) = self.find(path) else { return };
                let folder = self.folder(node);
                folder.durable = folder.now.clone();
                folder.pending.clear();
            }
            Step::Rename(from, to) => {
                let ((folder, from), (other, to)) = (self.place(from), self.place(to));
                assert_eq!(folder, other, "renamed into another folder, which no file system promises to do at once");
                let node = self.folder(folder).now.get(&from).copied();
                self.rename(folder, vec![(from, None), (to, node)]);
            }
            Step::CreateFolder(path) => {
                let (folder, name) = self.place(path);
                let node = self.add(Node::Folder(Folder::default()));
                self.rename(folder, vec![(name, Some(node))]);
            }
            Step::RemoveFile(path) => {
                let (folder, name) = self.place(path);
                self.rename(folder, vec![(name, None)]);
            }
            Step::RemoveFolder(path) => {
                if let Some(node) = self.find(path) {
                    self.clear(node);
                }
                let (folder, name) = self.place(path);
                self.rename(folder, vec![(name, None)]);
            }
        }
    }

    /// Writes into a new folder what is there when the system goes on without a crash.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_live(&self, into: &Path) {
        self.write(0, into, &mut |file| file.pending.iter().fold(file.durable.clone(), |b, c| c.made(b)), &mut |f| f.now.clone());
    }

    /// Writes into a new folder what is there after a crash, by a seed. Seed 0 keeps nothing that was not synced, seed 1
    /// everything.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_crashed(&self, seed: u64, into: &Path) {
        let (mut files, mut names) = (Random::new(seed), Random::new(!seed));
        self.write(0, into, &mut |file| file.crashed(seed, &mut files), &mut |folder| folder.crashed(seed, &mut names));
    }

    fn write(
        &self,
        node: usize,
        into: &Path,
        content: &mut dyn FnMut(&File) -> Vec<u8>,
        names: &mut dyn FnMut(&Folder) -> BTreeMap<String, usize>,
    ) {
        match &self.nodes[node] {
            Node::File(file) => std::fs::write(into, content(file)).unwrap_or_else(|e| panic!("{}: {e}", into.display())),
            Node::Folder(folder) => {
                std::fs::create_dir_all(into).unwrap_or_else(|e| panic!("{}: {e}", into.display()));
                for (name, node) in names(folder) {
                    self.write(node, &into.join(name), content, names);
                }
            }
        }
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn rename(&mut self, folder: usize, names: Vec<(String, Option<usize>)>) {
        let folder = self.folder(folder);
        set_names(&mut folder.now, &names);
        folder.pending.push(names);
    }

    /// Removes what is in a folder, one by one as the system does it.
    fn clear(&mut self, node: usize) {
        for (name, child) in self.folder(node).now.clone() {
            if matches!(self.nodes[child], Node::Folder(_)) {
                self.clear(child);
            }
            self.rename(node, vec![(name, None)]);
        }
    }

    /// The folder that a path is in, and its name there.
    fn place(&mut self, path: &Path) -> (usize, String) {
        let parent = path.parent().unwrap_or(path);
        let folder = self.find(parent).unwrap_or_else(|| panic!("{}: not there", parent.display()));
        (folder, path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// What is at a path now; none above the base.
    fn find(&mut self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.base).ok()?.to_path_buf();
        below.iter().try_fold(0, |node, name| self.folder(node).now.get(name.to_str()?).copied())
    }

    fn folder(&mut self, node: usize) -> &mut Folder {
        match &mut self.nodes[node] {
            Node::Folder(folder) => folder,
            Node::File(_) => panic!("a file where a folder is expected"),
        }
    }

    fn file(&mut self, node: usize) -> &mut File {
        match &mut self.nodes[node] {
            Node::File(file) => file,
            Node::Folder(_) => panic!("a folder where a file is expected"),
        }
    }

    fn opened(&mut self, number: u64) -> &mut File {
        let node = self.open.get(&number).copied();
        self.file(node.unwrap_or_else(|| panic!("file {number} was never opened")))
    }
}

impl Change {
    fn make(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => put(content, *offset, bytes),
            Self::Length(bytes) => content.resize(usize::try_from(*bytes).unwrap_or(usize::MAX), 0),
        }
    }

    fn made(&self, mut content: Vec<u8>) -> Vec<u8> {
        self.make(&mut content);
        content
    }
}

/// Puts bytes into a file, which grows with zeros up to them.
fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    content.resize(content.len().max(from.saturating_add(bytes.len())), 0);
    content[from..from + bytes.len()].copy_from_slice(bytes);
}

impl File {
    fn crashed(&self, seed: u64, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in self.pending.iter().filter(|_| seed != 0) {
            match (if seed == 1 { 0 } else { random.below(5) }, change) {
                (0, change) => change.make(&mut content),
                // Lost, but the file is as long as if it were there.
                (1, Change::Write(offset, bytes)) => put(&mut content, *offset + bytes.len() as u64, &[]),
                (2, Change::Write(offset, bytes)) => put(&mut content, *offset, &bytes[..random.below(bytes.len() + 1)]),
                (3, Change::Write(offset, bytes)) => put_blocks(&mut content, *offset, bytes, random),
                _ => {}
            }
        }
        content
    }
}

/// Puts some of a write's blocks into a file.
fn put_blocks(content: &mut Vec<u8>, offset: u64, bytes: &[u8], random: &mut Random) {
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let in_block = usize::try_from(at % BLOCK_BYTES as u64).unwrap_or(0);
        let (block, behind) = rest.split_at(rest.len().min(BLOCK_BYTES - in_block));
        if random.below(2) == 0 {
            put(content, at, block);
        }
        at += block.len() as u64;
        rest = behind;
    }
}

impl Folder {
    fn crashed(&self, seed: u64, random: &mut Random) -> BTreeMap<String, usize> {
        let mut names = self.durable.clone();
        for change in self.pending.iter().filter(|_| seed == 1 || (seed != 0 && random.below(2) == 0)) {
            set_names(&mut names, change);
        }
        names
    }
}

fn set_names(names: &mut BTreeMap<String, usize>, change: &[(String, Option<usize>)]) {
    for (name, node) in change {
        match node {
            Some(node) => drop(names.insert(name.clone(), *node)),
            None => drop(names.remove(name)),
        }
    }
}
