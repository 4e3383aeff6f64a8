//! What ignore files leave out of a folder: those of the project and of its git repository, and none above
//! them. A file in somebody's home folder must not make other code of the same commit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};

use super::written;

/// The ignore file that is opsctl's own: it counts for code and data, and outranks [`GIT`].
pub(super) const OWN: &str = ".opsctlignore";
/// For code alone: data folders usually are in it.
const GIT: &str = ".gitignore";

/// What the ignore files say of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    /// By a line with `!` of an `.opsctlignore`.
    TakeAlong,
    /// By this pattern of this file.
    LeaveOut {
        file: PathBuf,
        pattern: String,
    },
}

/// The ignore files that count for a folder and for what is in it, the nearest last.
#[derive(Debug, Default)]
struct Files {
    own: Vec<Arc<Gitignore>>,
    git: Vec<Arc<Gitignore>>,
}

/// The ignore files that count for a source. Each is read once.
#[derive(Debug)]
pub(super) struct Ignored {
    /// The outermost folder whose files count.
    top: PathBuf,
    is_code: bool,
    read: Mutex<HashMap<PathBuf, Arc<Files>>>,
}

impl Ignored {
    /// Those of a source at `home`, a real path, of the project of the config in `folder`.
    pub fn of(home: &Path, folder: &Path, is_code: bool) -> Self {
        let top = if is_code { top(home, folder) } else { home.to_owned() };
        Self { top, is_code, read: Mutex::default() }
    }

    /// What they say of a path below the source's real one. `takes_along`: the config names it, so that git's
    /// do not count.
    pub fn say(&self, path: &Path, is_folder: bool, takes_along: bool) -> Said {
        let Some(folder) = path.parent() else { return Said::Nothing };
        let files = self.files(folder);
        let of = |files: &[Arc<Gitignore>]| {
            let mut said = files.iter().rev().map(|file| said(file.matched(path, is_folder)));
            said.find(|said| *said != Said::Nothing)
        };
        let own = of(&files.own);
        let git = || if takes_along { None } else { of(&files.git) };
        match own.or_else(git) {
            Some(said) => said,
            None => Said::Nothing,
        }
    }

    fn files(&self, folder: &Path) -> Arc<Files> {
        let known = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = known().get(folder) {
            return Arc::clone(files);
        }
        let above = match folder.parent() {
            Some(above) if folder != self.top => self.files(above),
            _ => Arc::default(),
        };
        let mut files = Files { own: above.own.clone(), git: Vec::new() };
        // Git's of a repository do not count in another one that is in it.
        if self.is_code && !is_repository(folder) {
            files.git.clone_from(&above.git);
        }
        files.own.extend(read(folder, OWN));
        if self.is_code {
            files.git.extend(read(folder, GIT));
        }
        let files = Arc::new(files);
        known().insert(folder.to_owned(), Arc::clone(&files));
        files
    }
}

/// The folder of the project or of its git repository, whichever has the other in it. A source outside of
/// both has its own.
fn top(home: &Path, folder: &Path) -> PathBuf {
    let project = written::home(folder).canonicalize().ok().filter(|project| home.starts_with(project));
    let repository = home.ancestors().find(|folder| is_repository(folder)).map(Path::to_owned);
    let outer = project.into_iter().chain(repository).min_by_key(|folder| folder.components().count());
    outer.unwrap_or_else(|| home.to_owned())
}

/// Of a worktree and of a submodule it is a file.
fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
}

fn read(folder: &Path, name: &str) -> Option<Arc<Gitignore>> {
    let file = folder.join(name);
    if !file.is_file() {
        return None;
    }
    let mut patterns = GitignoreBuilder::new(folder);
    // As git does, a line that is no pattern counts for nothing.
    if let Some(error) = patterns.add(&file) {
        tracing::debug!(%error, "a line of an ignore file");
    }
    patterns.build().ok().filter(|file| !file.is_empty()).map(Arc::new)
}

fn said(matched: Match<&Glob>) -> Said {
    match matched {
        Match::None => Said::Nothing,
        Match::Whitelist(_) => Said::TakeAlong,
        Match::Ignore(glob) => Said::LeaveOut {
            file: glob.from().unwrap_or(Path::new("")).to_owned(),
            pattern: glob.original().to_owned(),
        },
    }
}
