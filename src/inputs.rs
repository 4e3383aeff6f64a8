//! The local files a project names: read once, before anything is planned, and never again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::gitignore::GitignoreBuilder;
use ignore::overrides::OverrideBuilder;

use crate::domain::{Code, Diagnostic, KeyPath, codes};

/// A folder of the project, as a section names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// As written, relative to the config file's folder.
    pub path: PathBuf,
    pub use_as: UseAs,
    /// The key that names it.
    pub at: KeyPath,
}

/// What a folder is read for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseAs {
    /// Packed into an archive: contents are kept, `.gitignore` is honoured, caches are left out.
    Code,
    /// Uploaded file by file: only digests are kept. `.gitignore` does not count, because data folders usually
    /// are in it; `.opsctlignore` and the patterns (gitignore syntax) do.
    Data { include: Vec<String>, exclude: Vec<String> },
}

/// One file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct Entry {
    /// Relative to the tree, with `/`.
    pub path: String,
    pub size: u64,
    /// BLAKE3, hexadecimal.
    pub hash: String,
    /// For [`UseAs::Code`] only; empty for data.
    pub content: Vec<u8>,
}

/// The files of one folder, sorted by path.
#[derive(Clone, Debug)]
pub struct Tree {
    pub root: PathBuf,
    pub entries: Vec<Entry>,
    /// BLAKE3 over paths, sizes and hashes.
    pub digest: String,
}

impl Tree {
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.size).sum()
    }

    pub fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|e| e.path == path)
    }
}

/// All folders that the config names, or why one could not be read.
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeMap<(PathBuf, UseAs), Result<Tree, Diagnostic>>);

impl Inputs {
    /// Reads every source once. Problems are kept beside their source and reported with the config's.
    pub fn read(folder: &Path, sources: impl IntoIterator<Item = Source>) -> Self {
        let mut inputs = Self::default();
        for source in sources {
            inputs
                .0
                .entry((source.path.clone(), source.use_as.clone()))
                .or_insert_with(|| read(folder, &source));
        }
        inputs
    }

    pub fn tree(&self, path: &Path, use_as: &UseAs) -> Option<&Result<Tree, Diagnostic>> {
        self.0.get(&(path.to_owned(), use_as.clone()))
    }

    /// A code folder that planning has already accepted.
    pub fn code(&self, path: &Path) -> Option<&Tree> {
        self.tree(path, &UseAs::Code)?.as_ref().ok()
    }
}

const CACHES: [&str; 4] = ["__pycache__", ".ipynb_checkpoints", ".git", ".DS_Store"];

fn read(folder: &Path, source: &Source) -> Result<Tree, Diagnostic> {
    let root = folder.join(&source.path);
    let refuse =
        |code: Code, message: String, help: &str| Diagnostic::error(code, source.at.clone(), message, help);
    let io = |path: &Path, error: &dyn std::fmt::Display| {
        refuse(
            codes::LOCAL_IO,
            format!("{} cannot be read: {error}", path.display()),
            "check its permissions",
        )
    };
    if !root.is_dir() {
        let message = format!("there is no folder {}", root.display());
        return Err(refuse(codes::NO_SUCH_PATH, message, "paths are relative to the config file's folder"));
    }
    let home = root.canonicalize().map_err(|e| io(&root, &e))?;
    let is_code = source.use_as == UseAs::Code;
    let bad = |at: KeyPath, e: ignore::Error| {
        let help = "patterns have gitignore syntax: *.csv, train/**, !keep.me";
        Diagnostic { at, ..refuse(codes::BAD_PATTERN, e.to_string(), help) }
    };
    let at = |key: &str, i: usize| source.at.parent().unwrap_or_default().join(key).join(i.to_string());
    let (mut kept, mut excluded) = (OverrideBuilder::new(&root), GitignoreBuilder::new(&root));
    match &source.use_as {
        UseAs::Code => {
            for pattern in CACHES {
                excluded.add_line(None, pattern).expect("our own patterns are good");
            }
        }
        UseAs::Data { include, exclude } => {
            for (i, pattern) in include.iter().enumerate() {
                kept.add(pattern).map_err(|e| bad(at("include", i), e))?;
            }
            for (i, pattern) in exclude.iter().enumerate() {
                excluded.add_line(None, pattern).map_err(|e| bad(at("exclude", i), e))?;
            }
        }
    }
    let kept = kept.build().map_err(|e| bad(source.at.clone(), e))?;
    let excluded = excluded.build().map_err(|e| bad(source.at.clone(), e))?;
    let walk = WalkBuilder::new(&root)
        .standard_filters(false)
        .git_ignore(is_code)
        .parents(is_code)
        .require_git(false)
        .add_custom_ignore_filename(".opsctlignore")
        .follow_links(true)
        .overrides(kept)
        .filter_entry(move |e| {
            !excluded.matched(e.path(), e.file_type().is_some_and(|t| t.is_dir())).is_ignore()
        })
        .build();
    let mut entries = Vec::new();
    for found in walk {
        let found = found.map_err(|e| {
            refuse(
                codes::SYMLINK,
                format!("in {}: {e}", root.display()),
                "remove the link, or put a copy there",
            )
        })?;
        let path = found.path();
        if found.path_is_symlink() && found.depth() > 0 {
            let target = path.canonicalize().map_err(|e| io(path, &e))?;
            if !target.starts_with(&home) {
                let message = format!("{} leads out of its folder, to {}", path.display(), target.display());
                return Err(refuse(codes::SYMLINK, message, "remove the link, or put a copy there"));
            }
        }
        if !found.file_type().is_some_and(|t| t.is_file()) || found.file_name() == ".opsctlignore" {
            continue;
        }
        let relative = path.strip_prefix(&root).unwrap_or(path);
        let Some(name) = relative.to_str() else {
            let message =
                format!("the name of {} is not Unicode; S3 keys and archives need UTF-8", path.display());
            return Err(refuse(codes::LOCAL_IO, message, "rename the file"));
        };
        let name = name.replace(std::path::MAIN_SEPARATOR, "/");
        entries.push(entry(path, name, is_code).map_err(|e| io(path, &e))?);
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut digest = blake3::Hasher::new();
    for e in &entries {
        digest.update(format!("{}\0{}\0{}\n", e.path, e.size, e.hash).as_bytes());
    }
    Ok(Tree { root, entries, digest: digest.finalize().to_hex().to_string() })
}

fn entry(path: &Path, name: String, keep: bool) -> io::Result<Entry> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut content = Vec::new();
    let size = if keep {
        file.read_to_end(&mut content)?;
        hasher.update(&content);
        content.len() as u64
    } else {
        hasher.update_reader(file)?.count()
    };
    Ok(Entry { path: name, size, hash: hasher.finalize().to_hex().to_string(), content })
}
