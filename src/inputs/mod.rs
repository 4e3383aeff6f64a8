//! The local files that a project names: read once, before planning, and never again.

mod built;
mod cache;
mod hash;
mod ignored;
mod kept;
mod output;
mod part;
mod remote;
pub mod requirements;
mod sieve;
mod tracked;
mod walk;
mod written;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use built::Installed;
pub use cache::{clear_of_pipes, replace_json};
pub use hash::{FileStamp, read_whole, since_epoch};
pub use kept::{is_in_place, open_kept, read_kept, write_kept};
pub use output::{Output, led_to, write};
pub use part::{PartFolder, remove_left};
pub use remote::{Listing, Remote, RemoteLook, bucket_and_key};
pub use sieve::LeftOut;
pub use written::{PAGE_TITLE, Record, home, is_output, source_of};

use crate::archive;
use crate::domain::{Crc64, Diagnostic, KeyPath, Stored, codes};

/// A folder of the project, as a section names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// As written, relative to the config file's folder.
    pub path: PathBuf,
    pub use_as: UseAs,
    /// The key that names it.
    pub at: KeyPath,
    /// Paths, in it or absolute, of what is no code, of whichever section: what its program makes, and
    /// configs.
    pub no_code: Vec<String>,
}

/// What a folder is read for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseAs {
    /// Packed into an archive: contents are kept, the `.gitignore` files of the project are honored
    /// (`ignored.rs`), and what is no code is left out (`walk.rs`). `.opsctlignore` and the patterns
    /// (gitignore syntax) count too.
    Code { include: Vec<String>, exclude: Vec<String> },
    /// Uploaded file by file: only checksums are kept. `.gitignore` does not count, because data folders
    /// usually are in it; `.opsctlignore` and the patterns (gitignore syntax) do.
    Data { include: Vec<String>, exclude: Vec<String> },
}

impl UseAs {
    /// All that is code in a folder.
    pub const ALL_CODE: Self = Self::Code { include: Vec::new(), exclude: Vec::new() };

    /// Whether it is code, and no data.
    pub fn is_code(&self) -> bool {
        matches!(self, Self::Code { .. })
    }
}

/// One file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct Entry {
    /// Relative to the tree, with `/`. Shared with all that name the file.
    pub path: Arc<str>,
    pub stamp: FileStamp,
    /// Unknown until the file is read; [`Tree::hash`].
    pub crc: Option<Crc64>,
    /// For [`UseAs::Code`] alone; empty for data.
    pub content: Vec<u8>,
}

impl Entry {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.stamp.size
    }
}

/// The files of one folder, sorted by path.
#[derive(Clone, Debug)]
pub struct Tree {
    pub root: PathBuf,
    pub entries: Vec<Entry>,
    /// Of code: what is in the folder and not among them, and why. Of a folder that is left out whole, the
    /// folder.
    pub left_out: BTreeMap<String, LeftOut>,
    /// When the walk began, in nanoseconds since 1970.
    pub seen_at: i64,
}

impl Tree {
    fn empty(root: PathBuf, seen_at: i64) -> Self {
        Self { root, entries: Vec::new(), left_out: BTreeMap::new(), seen_at }
    }

    /// Why a file of the folder is left out, and where that is said of: of itself, or of a folder that it is
    /// in.
    pub fn left_out(&self, path: &str) -> Option<(&str, &LeftOut)> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let mut outer = ends.filter_map(|end| self.left_out.get_key_value(&path[..end]));
        outer.next().map(|(path, why)| (path.as_str(), why))
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }

    /// The file of this path within the folder.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        Some(&self.entries[self.position(path)?])
    }

    /// The same, to be changed.
    pub fn entry_mut(&mut self, path: &str) -> Option<&mut Entry> {
        let at = self.position(path)?;
        Some(&mut self.entries[at])
    }

    /// The files below a folder of it (ending with `/`; empty: all).
    pub fn below(&self, folder: &str) -> &[Entry] {
        let start = self.entries.partition_point(|e| *e.path < *folder);
        let below = &self.entries[start..];
        &below[..below.partition_point(|e| e.path.starts_with(folder))]
    }

    /// Whether a file of Python is at this path below its root, or in the folder that is there, packed or
    /// not.
    pub fn has_python_at(&self, path: &str) -> bool {
        let place = self.root.join(path);
        let is_python = |file: &Path| file.extension().is_some_and(|ending| ending == "py");
        let inside = std::fs::read_dir(&place).into_iter().flatten().flatten();
        (is_python(&place) && place.is_file()) || inside.into_iter().any(|entry| is_python(&entry.path()))
    }

    /// Whether this file of it begins as a gzipped tar does. What cannot be read is reported where it is read
    /// whole.
    pub fn may_be_archive(&self, path: &str) -> bool {
        File::open(self.root.join(path)).and_then(archive::is_tar_gz).unwrap_or(true)
    }

    fn position(&self, path: &str) -> Option<usize> {
        self.entries.binary_search_by(|e| (*e.path).cmp(path)).ok()
    }

    /// BLAKE3 over paths, sizes and checksums: the fingerprint of the folder (docs/decisions/0003). `None`
    /// while a file is not read.
    pub fn digest(&self) -> Option<String> {
        let files = self.entries.iter().map(|e| Some((&*e.path, e.size(), e.crc?)));
        Some(digest(files.collect::<Option<Vec<_>>>()?))
    }

    /// The same of its files and others beside them.
    pub fn digest_with(&self, strays: &Strays) -> Option<String> {
        let files = self.entries.iter().map(|e| Some((&*e.path, e.size(), e.crc?)));
        let mut files = files.collect::<Option<Vec<_>>>()?;
        let beside = strays.iter().filter(|(path, _)| self.entry(path).is_none());
        files.extend(beside.map(|(path, stored)| (&**path, stored.size, stored.crc)));
        files.sort_unstable_by_key(|(path, ..)| *path);
        Some(digest(files))
    }

    /// The digest of a folder of code, which is always read whole.
    pub fn code_digest(&self) -> String {
        self.digest().expect("code is read by the walk")
    }
}

/// The fingerprint of files given by path, size and checksum, in the order of their paths.
pub fn digest<'a>(files: impl IntoIterator<Item = (&'a str, u64, Crc64)>) -> String {
    let mut digest = blake3::Hasher::new();
    for (path, size, crc) in files {
        digest.update(format!("{path}\0{size}\0{crc}\n").as_bytes());
    }
    digest.finalize().to_hex().to_string()
}

fn hash((at, tree): &mut (KeyPath, Result<Tree, Diagnostic>)) {
    let Ok(known) = tree else { return };
    if let Err((path, error)) = known.hash() {
        *tree = Err(unread(&path, &error, at));
    }
}

/// What is said of a file or folder that cannot be read.
fn unread(path: &Path, error: &io::Error, at: &KeyPath) -> Diagnostic {
    let message = format!("{} cannot be read: {error}", path.display());
    Diagnostic::error(codes::LOCAL_IO, at.clone(), message, "check its permissions")
}

type Folders = BTreeMap<(PathBuf, UseAs), (KeyPath, Result<Tree, Diagnostic>)>;
type Listings = BTreeMap<Remote, Result<Listing, Diagnostic>>;

/// Files of a data set that are only in the bucket, by path.
pub type Strays = BTreeMap<String, Stored>;

/// All folders that the config names and what was looked up in AWS before planning, or why one could not be
/// read.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    folders: Folders,
    listings: Listings,
    key: Option<Result<String, Diagnostic>>,
    stand_in: Option<Tree>,
    /// By the URI of the data set.
    strays: BTreeMap<String, Strays>,
    /// Sections of which that could not be found, and why.
    missed: Vec<(KeyPath, String)>,
}

impl Inputs {
    /// Reads every source once. Problems are kept beside their source and reported with the config's.
    pub fn read(folder: &Path, sources: impl IntoIterator<Item = Source>) -> Self {
        let mut inputs = Self::walk(folder, sources);
        inputs.hash_all();
        inputs
    }

    /// The same; files that `cache` (a folder) knows by size, times and inode are not read again.
    pub fn read_cached(folder: &Path, sources: impl IntoIterator<Item = Source>, cache: &Path) -> Self {
        let mut inputs = Self::walk(folder, sources);
        inputs.recall(cache);
        inputs.hash_all();
        inputs.remember(cache);
        inputs
    }

    /// Reads code, and looks at data files without opening them.
    pub fn walk(folder: &Path, sources: impl IntoIterator<Item = Source>) -> Self {
        let mut inputs = Self::default();
        let sources: Vec<Source> = sources.into_iter().collect();
        let data = sources.iter().filter(|source| !source.use_as.is_code());
        let data = data.map(|source| source.path.clone());
        let made =
            |source: &Source| source.no_code.iter().map(|path| source.path.join(path)).collect::<Vec<_>>();
        let data: Vec<PathBuf> = data.chain(sources.iter().flat_map(made)).collect();
        for source in sources {
            inputs
                .folders
                .entry((source.path.clone(), source.use_as.clone()))
                .or_insert_with(|| (source.at.clone(), walk::walk(folder, &source, &data)));
        }
        inputs
    }

    /// Lets an empty folder stand in for each that cannot be read: whoever only looks goes on.
    pub fn spare(&mut self) {
        self.stand_in = Some(Tree::empty(PathBuf::new(), 0));
    }

    /// What stands in for a folder that cannot be read. `None`: nothing does.
    pub fn stand_in(&self) -> Option<&Tree> {
        self.stand_in.as_ref()
    }

    /// Takes the checksums that a cache folder has of unchanged files.
    pub fn recall(&mut self, cache: &Path) {
        for ((_, use_as), (_, tree)) in self.folders.iter_mut().filter(|((_, use_as), _)| !use_as.is_code()) {
            if let Ok(tree) = tree {
                cache::recall(tree, use_as, cache);
            }
        }
    }

    /// Keeps the checksums for the next run. A cache that cannot be written only costs time.
    pub fn remember(&self, cache: &Path) {
        for ((_, use_as), (_, tree)) in self.folders.iter().filter(|((_, use_as), _)| !use_as.is_code()) {
            if let Ok(tree) = tree {
                cache::remember(tree, use_as, cache);
            }
        }
    }

    fn hash_all(&mut self) {
        self.folders.values_mut().for_each(hash);
    }

    /// Reads the files of one folder whose checksums are not known.
    pub fn hash(&mut self, path: &Path, use_as: &UseAs) {
        if let Some(read) = self.folders.get_mut(&(path.to_owned(), use_as.clone())) {
            hash(read);
        }
    }

    /// Bytes of files whose checksums are not known.
    pub fn unread(&self, path: &Path, use_as: &UseAs) -> u64 {
        let tree = self.tree(path, use_as).and_then(|tree| tree.as_ref().ok());
        tree.map_or(0, |tree| tree.entries.iter().filter(|e| e.crc.is_none()).map(Entry::size).sum())
    }

    /// Takes a folder out, to be changed and put back.
    pub fn take(&mut self, path: &Path, use_as: &UseAs) -> Option<Tree> {
        let (_, tree) = self.folders.get_mut(&(path.to_owned(), use_as.clone()))?;
        let tree = tree.as_mut().ok()?;
        let empty = Tree::empty(tree.root.clone(), tree.seen_at);
        Some(std::mem::replace(tree, empty))
    }

    /// Puts back what [`Inputs::take`] took.
    pub fn put(&mut self, path: &Path, use_as: &UseAs, tree: Tree) {
        if let Some((_, place)) = self.folders.get_mut(&(path.to_owned(), use_as.clone())) {
            *place = Ok(tree);
        }
    }

    /// What was read of a source. `None`: the config does not name it.
    pub fn tree(&self, path: &Path, use_as: &UseAs) -> Option<&Result<Tree, Diagnostic>> {
        Some(&self.folders.get(&(path.to_owned(), use_as.clone()))?.1)
    }

    /// A file of code in a folder that a module of this name is in: from the top it is imported by another.
    pub fn module_of_code(&self, module: &str) -> Option<&str> {
        let code = self.folders.iter().filter(|((_, use_as), _)| use_as.is_code());
        let mut files = code.filter_map(|(_, (_, tree))| tree.as_ref().ok()).flat_map(|tree| &tree.entries);
        let ends = [format!("/{module}.py"), format!("/{module}/__init__.py")];
        let is_it = |entry: &&Entry| ends.iter().any(|end| entry.path.ends_with(end.as_str()));
        files.find(is_it).map(|entry| &*entry.path)
    }

    /// The data sets, as they are named, with what was read of them.
    pub fn data_folders(&self) -> impl Iterator<Item = (&Path, &Tree)> {
        let data = self.folders.iter().filter(|((_, use_as), _)| !use_as.is_code());
        data.filter_map(|((path, _), (_, tree))| Some((path.as_path(), tree.as_ref().ok()?)))
    }

    /// Keeps what was found in other buckets.
    pub fn found(&mut self, found: impl IntoIterator<Item = (Remote, Result<Listing, Diagnostic>)>) {
        self.listings.extend(found);
    }

    /// What was found there; `None` while nobody has looked.
    pub fn listing(&self, remote: &Remote) -> Option<&Result<Listing, Diagnostic>> {
        self.listings.get(remote)
    }

    /// All that was found in other buckets.
    pub fn listings(&self) -> impl Iterator<Item = (&Remote, &Listing)> {
        self.listings.iter().filter_map(|(remote, found)| Some((remote, found.as_ref().ok()?)))
    }

    /// Keeps the ARN of the key that an alias stands for.
    pub fn found_key(&mut self, key: Result<String, Diagnostic>) {
        self.key = Some(key);
    }

    /// The key behind the config's alias; `None` while nobody has looked, or where there is no alias.
    pub fn key(&self) -> Option<&Result<String, Diagnostic>> {
        self.key.as_ref()
    }

    /// Keeps what is of a data set in the bucket and not in its folder.
    pub fn found_strays(&mut self, uri: String, strays: Strays) {
        self.strays.insert(uri, strays);
    }

    /// Notes that what a section has in the bucket could not be found: what is made of it cannot be compared.
    pub fn missed_strays(&mut self, section: KeyPath, why: String) {
        self.missed.push((section, why));
    }

    /// What was noted so.
    pub fn missed(&self) -> &[(KeyPath, String)] {
        &self.missed
    }

    /// What was found so; `None` while nobody has looked.
    pub fn strays(&self, uri: &str) -> Option<&Strays> {
        self.strays.get(uri)
    }

    /// A folder that planning has already accepted.
    pub fn accepted(&self, path: &Path, use_as: &UseAs) -> Option<&Tree> {
        self.tree(path, use_as)?.as_ref().ok()
    }
}
