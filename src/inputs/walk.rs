//! Which files of a folder belong to a source.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, Match, WalkBuilder};

use super::built::{Installed, is_shell};
use super::ignored::{self, Ignored};
use super::sieve::{EXCLUDE, Sieve};
use super::written::{self, Record};
use super::{Entry, FileStamp, LeftOut, Source, Tree, UseAs, part, read_whole, since_epoch};
use crate::domain::{Code, Crc64, Diagnostic, codes};

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
/// The same, but that the build of a package reads them: its long description, its license.
const DOCUMENTS: [&str; 3] = ["/*.md", "/*.rst", "/LICENSE*"];
/// The same, but that others may name it.
const REQUIREMENTS: [&str; 1] = ["/requirements-dev.txt"];
/// The same, but that a script may read them: then it has one of these words.
const SELDOM_READ: [(&str, &[&str]); 1] = [("*.ipynb", &["ipynb"])];

/// The files of a source. Of code, what tools keep beside it, the project's documents, and `data` (paths of
/// data sets, relative to `folder`) are left out, unless `include` says what is packed.
pub(super) fn walk(folder: &Path, source: &Source, data: &[PathBuf]) -> Result<Tree, Diagnostic> {
    let seen_at = since_epoch(SystemTime::now());
    let file = folder.join(&source.path);
    if !source.use_as.is_code() && file.is_file() {
        return single(&file, source, seen_at);
    }
    let walk = Walk::of(folder, source)?;
    let no_code = walk.no_code(folder, data);
    let own = OURS.into_iter().chain(OF_VIEWERS).chain(no_code.iter().map(String::as_str));
    let (kept, excluded) = (walk.including()?, walk.excluding(own)?);
    let is_chosen =
        |path: &Path| kept.is_empty() || kept.matched_path_or_any_parents(path, false).is_ignore();
    let is_code = walk.is_code();
    let ignored = Ignored::of(&walk.home, folder, is_code);
    let sieve = Arc::new(Sieve::new(&walk.root, &walk.home, excluded, ignored, is_code));
    let each = Arc::clone(&sieve);
    let found = WalkBuilder::new(&walk.root)
        .standard_filters(false)
        .follow_links(true)
        .filter_entry(move |entry| each.passes(entry))
        .build();
    let ours = Record::of(folder).files();
    let mut entries = Vec::new();
    for found in found {
        let found = match found {
            Ok(found) => found,
            // A link to nothing is no less left out than a file.
            Err(error) if path_of(&error).is_some_and(|path| sieve.excludes(path)) => {
                continue;
            }
            Err(error) => return Err(walk.not_entered(&error)),
        };
        entries.extend(walk.entry(&found, &sieve, is_chosen, &ours)?);
    }
    entries.sort_by(|a: &Entry, b| a.path.cmp(&b.path));
    if let Some(documents) = walk.documents(folder, &entries)? {
        entries.retain(|entry| match documents.matched(walk.root.join(&*entry.path), false) {
            Match::Ignore(glob) => {
                sieve.note(Path::new(&*entry.path), LeftOut::NoCode(glob.original().to_owned()));
                false
            }
            _ => true,
        });
    }
    let left_out = sieve.left_out(|path| is_chosen(Path::new(path)));
    Ok(Tree { root: walk.root, entries, left_out, seen_at })
}

/// Whether a script has one of these words.
fn is_read(entries: &[Entry], words: &[&str]) -> bool {
    let scripts = entries.iter().filter(|entry| is_script(entry));
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    scripts.into_iter().any(|script| {
        let text = String::from_utf8_lossy(&script.content);
        text.split(|c| !is_part(c)).any(|word| words.contains(&word))
    })
}

fn is_script(entry: &Entry) -> bool {
    entry.path.ends_with(".py") || is_shell(entry)
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
    Ok(Tree { root: walk.root, entries: vec![entry], left_out: BTreeMap::new(), seen_at })
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
        if let Some(below) = self.project(folder) {
            let below = Path::new("/").join(plain(&below));
            patterns.extend(CONFIGURATION.map(|file| below.join(file).to_string_lossy().into_owned()));
            patterns.extend(BESIDE_CODE.map(str::to_owned));
        }
        patterns
    }

    /// Where in the source the config's folder is, if it is there: then the source has all of the project. It
    /// may be in a folder of its own (`source = ".."`).
    fn project(&self, folder: &Path) -> Option<String> {
        let folder = folder.canonicalize().ok()?;
        Some(folder.strip_prefix(&self.home).ok()?.to_str()?.to_owned())
    }

    /// Patterns of the project's documents, where none of the files reads them.
    fn documents(&self, folder: &Path, entries: &[Entry]) -> Result<Option<Gitignore>, Diagnostic> {
        let UseAs::Code { include, .. } = &self.source.use_as else { return Ok(None) };
        if !include.is_empty() || self.project(folder).is_none() {
            return Ok(None);
        }
        let installed = Installed::of(entries);
        let documents = DOCUMENTS.into_iter().filter(|_| !installed.is_built);
        let others = REQUIREMENTS.into_iter().filter(|file| !installed.files.contains(&file[1..]));
        let unread = SELDOM_READ.into_iter().filter(|(_, words)| !is_read(entries, words));
        let unread = unread.map(|(pattern, _)| pattern);
        Ok(Some(self.excluding(documents.chain(others).chain(unread))?))
    }

    /// What alone is kept; of nothing, everything.
    fn including(&self) -> Result<Gitignore, Diagnostic> {
        let (UseAs::Code { include, .. } | UseAs::Data { include, .. }) = &self.source.use_as;
        let mut kept = GitignoreBuilder::new("");
        for (i, pattern) in include.iter().enumerate() {
            kept.add_line(None, pattern).map_err(|e| self.bad(Some(("include", i)), &e))?;
        }
        kept.build().map_err(|e| self.bad(None, &e))
    }

    /// What is left out: by patterns of opsctl's, and by those of the section, which outrank them.
    fn excluding<'p>(&self, own: impl IntoIterator<Item = &'p str>) -> Result<Gitignore, Diagnostic> {
        let (UseAs::Code { exclude, .. } | UseAs::Data { exclude, .. }) = &self.source.use_as;
        let mut excluded = GitignoreBuilder::new(&self.root);
        for pattern in own {
            excluded.add_line(None, pattern).expect("our own patterns are good");
        }
        for (i, pattern) in exclude.iter().enumerate() {
            let line = excluded.add_line(Some(EXCLUDE.into()), pattern);
            line.map_err(|e| self.bad(Some((EXCLUDE, i)), &e))?;
        }
        excluded.build().map_err(|e| self.bad(None, &e))
    }

    fn bad(&self, item: Option<(&str, usize)>, error: &ignore::Error) -> Diagnostic {
        let section = self.source.at.parent().unwrap_or_default();
        let at = item.map(|(key, i)| section.join(key).join(i.to_string()));
        let help = "patterns have gitignore syntax: *.csv, train/**, !keep.me";
        let at = at.unwrap_or_else(|| self.source.at.clone());
        Diagnostic { at, ..self.refuse(codes::BAD_PATTERN, error.to_string(), help) }
    }

    /// A file that was found, if it is one of the source.
    fn entry(
        &self,
        found: &DirEntry,
        sieve: &Sieve,
        is_chosen: impl Fn(&Path) -> bool,
        ours: &BTreeMap<PathBuf, FileStamp>,
    ) -> Result<Option<Entry>, Diagnostic> {
        self.stays_inside(found)?;
        let Some(kind) = found.file_type().filter(|kind| !kind.is_dir()) else { return Ok(None) };
        if found.file_name() == ignored::OWN {
            return Ok(None);
        }
        let path = found.path();
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        // After .opsctlignore, which outranks it.
        if !is_chosen(relative) {
            sieve.note(relative, LeftOut::NotIncluded);
            return Ok(None);
        }
        if !kind.is_file() {
            let message =
                format!("{} is {}, and only files can be packed or sent", path.display(), what(kind));
            return Err(self.refuse(codes::LOCAL_IO, message, self.leave_out()));
        }
        if let Some(known) = ours.get(&self.home.join(relative)) {
            let now = path.metadata().map_err(|e| self.unread(path, &e))?;
            if *known == FileStamp::from(&now) {
                return Ok(None);
            }
        }
        let name = self.name(path, relative)?;
        let entry = entry(path, name.into(), self.is_code()).map_err(|e| self.unread(path, &e))?;
        // Wherever it was written: a saved plan comes to the checkout that it is applied in.
        Ok(Some(entry).filter(|entry| !written::is_output(&entry.content)))
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
