//! Which files of a folder belong to a source.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder};

use super::written::Record;
use super::{Entry, FileStamp, Source, Tree, UseAs, part, read_whole, since_epoch};
use crate::domain::{Code, Crc64, Diagnostic, KeyPath, codes};

/// The folder that opsctl keeps its own things in, and what it has not written to its end.
const OURS: [&str; 2] = [".opsctl", part::PATTERN];
/// What programs that show or edit files leave beside them, whatever they are: no code, and no data. The last
/// is Emacs' lock, a link to nothing.
const OF_VIEWERS: [&str; 5] = [".DS_Store", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini", ".#*"];
/// Bytes of a file among code: it is packed in memory. Weights and data belong into a data set.
const LARGEST: u64 = 4 << 30;
/// [`io::ErrorKind::FilesystemLoop`], which has no stable name yet.
const LINKS_TO_ITSELF: &str = "filesystem loop or indirection limit (e.g. symlink loop)";
/// What tools keep beside code, and no script reads.
const CACHES: [&str; 12] = [
    "__pycache__",
    ".git",
    ".venv/",
    "venv/",
    "node_modules/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".tox/",
    ".github/",
    ".idea/",
    ".vscode/",
];
/// What opsctl has beside the config, and the config.
const CONFIGURATION: [&str; 3] = ["opsctl.toml", "opsctl.schema.json", "sample.json"];
/// What lies at the top of a project beside its code: `source = "."` is that folder, or `source = ".."` of a
/// config in a folder of its own, and a line more in a log is no other program.
const BESIDE_CODE: [&str; 12] = [
    "/.gitignore",
    "/.gitattributes",
    "/*.ipynb",
    "/*.log",
    "/*.png",
    "/*.jpg",
    "/*.gif",
    "/*.pdf",
    "/Makefile",
    "/.pre-commit-config.yaml",
    "/log.txt",
    "/nohup.out",
];
/// The same, but that the build of a package reads them: its long description, its license, its extras.
const DOCUMENTS: [&str; 4] = ["/*.md", "/*.rst", "/LICENSE*", "/requirements-dev.txt"];
/// How a line of `requirements.txt` names the package that the folder is.
const ITSELF: [&str; 3] = ["-e ", "--editable ", "--editable="];

/// Whether a job builds the folder as a package: AWS's toolkit builds a `setup.py`, and no `pyproject.toml`,
/// which many have for a formatter alone; that is built where `requirements.txt` says so.
fn is_built(folder: &Path) -> bool {
    let requirements = std::fs::read_to_string(folder.join("requirements.txt")).unwrap_or_default();
    let is_itself = |line: &str| {
        let line = line.trim();
        let named = ITSELF.iter().find_map(|option| line.strip_prefix(option)).unwrap_or(line).trim();
        let named = named.split(['[', '#', ' ']).next().unwrap_or_default();
        named == "." || named == "./"
    };
    folder.join("setup.py").is_file() || requirements.lines().any(is_itself)
}

/// The files of a source. Of code, what tools keep beside it, the project's documents, and `data` (paths of
/// data sets, relative to `folder`) are left out, unless `include` says what is packed.
pub(super) fn walk(folder: &Path, source: &Source, data: &[PathBuf]) -> Result<Tree, Diagnostic> {
    let seen_at = since_epoch(SystemTime::now());
    let file = folder.join(&source.path);
    if !source.use_as.is_code() && file.is_file() {
        return single(&file, source, seen_at);
    }
    let walk = Walk::of(folder, source)?;
    let (kept, excluded) = walk.patterns(&walk.no_code(folder, data))?;
    let left_out = excluded.clone();
    let is_code = walk.is_code();
    let found = WalkBuilder::new(&walk.root)
        .standard_filters(false)
        .git_ignore(is_code)
        .parents(is_code)
        .require_git(false)
        .add_custom_ignore_filename(".opsctlignore")
        .follow_links(true)
        .filter_entry(move |e| {
            !excluded.matched(e.path(), e.file_type().is_some_and(|t| t.is_dir())).is_ignore()
        })
        .build();
    let ours = Record::of(folder).files();
    let mut entries = Vec::new();
    for found in found {
        let found = match found {
            Ok(found) => found,
            // A link to nothing is no less left out than a file.
            Err(error) if path_of(&error).is_some_and(|path| left_out.matched(path, false).is_ignore()) => {
                continue;
            }
            Err(error) => return Err(walk.not_entered(&error)),
        };
        walk.stays_inside(&found)?;
        let Some(kind) = found.file_type().filter(|kind| !kind.is_dir()) else { continue };
        if found.file_name() == ".opsctlignore" {
            continue;
        }
        let path = found.path();
        let relative = path.strip_prefix(&walk.root).unwrap_or(path);
        // Not as overrides of the walk: those outrank .opsctlignore.
        if !kept.is_empty() && !kept.matched_path_or_any_parents(relative, false).is_ignore() {
            continue;
        }
        if !kind.is_file() {
            let message =
                format!("{} is {}, and only files can be packed or sent", path.display(), what(kind));
            return Err(walk.refuse(codes::LOCAL_IO, message, walk.leave_out()));
        }
        if let Some(known) = ours.get(&walk.home.join(relative)) {
            let now = path.metadata().map_err(|e| walk.unread(path, &e))?;
            if *known == FileStamp::from(&now) {
                continue;
            }
        }
        let name = walk.name(path, relative)?;
        entries.push(entry(path, name.into(), is_code).map_err(|e| walk.unread(path, &e))?);
    }
    entries.sort_by(|a: &Entry, b| a.path.cmp(&b.path));
    Ok(Tree { root: walk.root, entries, seen_at })
}

fn is_in_s3(written: &str) -> bool {
    written.starts_with("s3://")
}

/// A source that is one file: the only one of its folder.
fn single(file: &Path, source: &Source, seen_at: i64) -> Result<Tree, Diagnostic> {
    let (Some(root), Some(name)) = (file.parent(), file.file_name()) else {
        let text = format!("{} has no name", file.display());
        return Err(Diagnostic::error(codes::NO_SUCH_PATH, source.at.clone(), text, "name a file"));
    };
    let walk = Walk { source, root: root.to_owned(), home: root.to_owned() };
    let name = walk.name(file, Path::new(name))?;
    let entry = entry(file, name.into(), false).map_err(|e| walk.unread(file, &e))?;
    Ok(Tree { root: walk.root, entries: vec![entry], seen_at })
}

/// The folder of a source, and what is wrong with it or in it.
struct Walk<'a> {
    source: &'a Source,
    root: PathBuf,
    /// The same without links.
    home: PathBuf,
}

impl<'a> Walk<'a> {
    /// The folder that the source names, if it is one.
    fn of(folder: &Path, source: &'a Source) -> Result<Self, Diagnostic> {
        // Without `.` in it: patterns that begin with `/` are matched against what is left of a path.
        let root: PathBuf = folder.join(&source.path).components().collect();
        let mut walk = Self { source, home: root.clone(), root };
        let no_path = |message: String, help: &str| Err(walk.refuse(codes::NO_SUCH_PATH, message, help));
        let written = source.path.to_string_lossy();
        if written.is_empty() {
            let help = "write \".\" for the folder of the config file";
            return no_path("the path is empty".to_owned(), help);
        }
        if written.contains("://") {
            let help = match (is_in_s3(&written), walk.is_code()) {
                (true, false) => "a data set names what is in S3 by `uri`",
                _ => "fetch it first, for example by `aws s3 sync`, and name the folder",
            };
            return no_path(format!("{written} is no folder of this machine"), help);
        }
        let shown = walk.root.display();
        if walk.root.is_file() {
            let message = format!("{shown} is a file, and a folder is needed");
            return no_path(message, "name the folder that it is in");
        }
        if !walk.root.is_dir() {
            let what = if written.ends_with(".gz") { "file" } else { "folder" };
            let message = format!("there is no {what} {shown}");
            return no_path(message, "paths are relative to the config file's folder");
        }
        walk.home = walk.root.canonicalize().map_err(|e| walk.unread(&walk.root, &e))?;
        Ok(walk)
    }

    fn is_code(&self) -> bool {
        self.source.use_as.is_code()
    }

    /// Patterns of what is no code in the folder.
    fn no_code(&self, folder: &Path, data: &[PathBuf]) -> Vec<String> {
        let UseAs::Code { include, .. } = &self.source.use_as else { return Vec::new() };
        let mut patterns: Vec<String> = CACHES.map(str::to_owned).to_vec();
        if !include.is_empty() {
            return patterns;
        }
        // Pattern characters in a path stand for themselves.
        let plain = |path: &str| path.replace(['*', '?', '[', ']', '\\'], "?");
        let inside = data.iter().filter_map(|data| {
            let data = folder.join(data).canonicalize().ok()?;
            let inside = data.strip_prefix(&self.home).ok()?.to_str()?;
            (!inside.is_empty()).then(|| format!("/{}", plain(inside)))
        });
        patterns.extend(inside);
        // The config may lie in a folder of the source, too (`source = ".."`).
        let top = folder.canonicalize().ok();
        let below = top.as_ref().and_then(|top| top.strip_prefix(&self.home).ok()?.to_str());
        if let Some(below) = below {
            let below = Path::new("/").join(plain(below));
            patterns.extend(CONFIGURATION.map(|file| below.join(file).to_string_lossy().into_owned()));
        }
        // With the config the source has all of the project.
        if below.is_some() {
            patterns.extend(BESIDE_CODE.map(str::to_owned));
            if !is_built(&self.home) {
                patterns.extend(DOCUMENTS.map(str::to_owned));
            }
        }
        patterns
    }

    /// What alone is kept (of nothing: everything), and what is left out.
    fn patterns(&self, no_code: &[String]) -> Result<(Gitignore, Gitignore), Diagnostic> {
        let bad = |at: KeyPath, e: ignore::Error| {
            let help = "patterns have gitignore syntax: *.csv, train/**, !keep.me";
            Diagnostic { at, ..self.refuse(codes::BAD_PATTERN, e.to_string(), help) }
        };
        let section = self.source.at.parent().unwrap_or_default();
        let at = |key: &str, i: usize| section.join(key).join(i.to_string());
        let (mut kept, mut excluded) = (GitignoreBuilder::new(""), GitignoreBuilder::new(&self.root));
        for pattern in OURS.into_iter().chain(OF_VIEWERS).chain(no_code.iter().map(String::as_str)) {
            excluded.add_line(None, pattern).expect("our own patterns are good");
        }
        let (UseAs::Code { include, exclude } | UseAs::Data { include, exclude }) = &self.source.use_as;
        for (i, pattern) in include.iter().enumerate() {
            kept.add_line(None, pattern).map_err(|e| bad(at("include", i), e))?;
        }
        for (i, pattern) in exclude.iter().enumerate() {
            excluded.add_line(None, pattern).map_err(|e| bad(at("exclude", i), e))?;
        }
        let built = |patterns: GitignoreBuilder| patterns.build().map_err(|e| bad(self.source.at.clone(), e));
        Ok((built(kept)?, built(excluded)?))
    }

    fn stays_inside(&self, found: &DirEntry) -> Result<(), Diagnostic> {
        let path = found.path();
        if found.path_is_symlink() && found.depth() > 0 {
            let target = path.canonicalize().map_err(|e| self.unread(path, &e))?;
            if !target.starts_with(&self.home) {
                let message = format!("{} leads out of its folder, to {}", path.display(), target.display());
                return Err(self.refuse(codes::SYMLINK, message, "remove the link, or put a copy there"));
            }
        }
        Ok(())
    }

    /// A file's name as S3 and archives have it.
    fn name(&self, path: &Path, relative: &Path) -> Result<String, Diagnostic> {
        let Some(name) = relative.to_str() else {
            let message =
                format!("the name of {} is not Unicode; S3 keys and archives need UTF-8", path.display());
            return Err(self.refuse(codes::LOCAL_IO, message, "rename the file"));
        };
        if let Some(hidden) = name.chars().find(|c| !is_char_of_xml(*c)) {
            let message =
                format!("the name {name:?} has the character {hidden:?}, which S3's listings cannot tell");
            let help = format!("rename the file, or {}", self.leave_out());
            return Err(self.refuse(codes::LOCAL_IO, message, &help));
        }
        Ok(name.replace(std::path::MAIN_SEPARATOR, "/"))
    }

    fn leave_out(&self) -> &'static str {
        "leave it out with `exclude`"
    }

    fn refuse(&self, code: Code, message: String, help: &str) -> Diagnostic {
        Diagnostic::error(code, self.source.at.clone(), message, help)
    }

    fn unread(&self, path: &Path, error: &io::Error) -> Diagnostic {
        super::unread(path, error, &self.source.at)
    }

    /// What the walk could not enter.
    fn not_entered(&self, error: &ignore::Error) -> Diagnostic {
        // What is not found is where a link leads to.
        let unreadable = error
            .io_error()
            .is_some_and(|e| e.kind() != io::ErrorKind::NotFound && e.kind().to_string() != LINKS_TO_ITSELF);
        let (code, help) = match unreadable {
            true => (codes::LOCAL_IO, "check its permissions"),
            false => (codes::SYMLINK, "remove the link, or put a copy there"),
        };
        self.refuse(code, format!("in {}: {error}", self.root.display()), help)
    }
}

/// What could not be entered.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// What something is that is neither a file nor a folder.
fn what(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// S3 answers in XML 1.0 (https://www.w3.org/TR/xml/#charsets), so that a key beyond it breaks every listing.
fn is_char_of_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn entry(file: &Path, path: Arc<str>, is_code: bool) -> io::Result<Entry> {
    if is_code {
        let mut content = Vec::new();
        let stamp = read_whole(file, LARGEST, &mut content)?;
        let stamp = stamp.ok_or_else(|| io::Error::other("it is too large to be code"))?;
        return Ok(Entry { path, stamp, crc: Some(Crc64::of(&content)), content });
    }
    let stamp = FileStamp::from(&file.metadata()?);
    Ok(Entry { path, stamp, crc: None, content: Vec::new() })
}
