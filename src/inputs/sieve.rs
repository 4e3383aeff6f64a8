//! What of a folder passes on the way to a source, and why the rest does not.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::gitignore::Gitignore;
use ignore::{DirEntry, Match};

use super::ignored::{Ignored, OWN, Said};
use super::tracked::Tracked;

/// Where a pattern is from, that the section's `exclude` has.
pub(super) const EXCLUDE: &str = "exclude";

/// Why something in a folder of code is not packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// By a pattern of an ignore file. `is_tracked`: git has it all the same.
    Ignored { file: PathBuf, pattern: String, is_tracked: bool },
    /// By a pattern of `exclude`.
    Excluded(String),
    /// By a pattern of what is no code.
    NoCode(String),
    /// By no pattern of `include`.
    NotIncluded,
}

/// Asked for each file and folder on the way.
pub(super) struct Sieve {
    root: PathBuf,
    home: PathBuf,
    excluded: Gitignore,
    ignored: Ignored,
    /// Of data nobody asks, and it may be millions.
    left_out: Option<Mutex<BTreeMap<String, LeftOut>>>,
}

impl Sieve {
    /// Of the source at `root`, which is `home` without links.
    pub fn new(root: &Path, home: &Path, excluded: Gitignore, ignored: Ignored, is_code: bool) -> Self {
        let left_out = is_code.then(Mutex::default);
        Self { root: root.to_owned(), home: home.to_owned(), excluded, ignored, left_out }
    }

    /// Whether it is in the source, as far as `include` does not say otherwise.
    pub fn passes(&self, entry: &DirEntry) -> bool {
        let path = entry.path();
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        // The source itself is named by the config.
        if relative.as_os_str().is_empty() {
            return true;
        }
        let takes_along = match self.excluded.matched(path, is_folder) {
            Match::None => false,
            Match::Whitelist(_) => true,
            Match::Ignore(glob) => {
                let pattern = glob.original().to_owned();
                let is_users = glob.from().is_some();
                let why = if is_users { LeftOut::Excluded(pattern) } else { LeftOut::NoCode(pattern) };
                self.note(relative, why);
                return false;
            }
        };
        match self.ignored.say(&self.home.join(relative), is_folder, takes_along) {
            Said::Nothing | Said::TakeAlong => true,
            Said::LeaveOut { file, pattern } => {
                self.note(relative, LeftOut::Ignored { file, pattern, is_tracked: false });
                false
            }
        }
    }

    /// Whether a path that cannot be entered is left out.
    pub fn excludes(&self, path: &Path) -> bool {
        self.excluded.matched(path, false).is_ignore()
    }

    /// Notes why something is left out.
    pub fn note(&self, relative: &Path, why: LeftOut) {
        if let (Some(left_out), Some(path)) = (&self.left_out, relative.to_str()) {
            left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), why);
        }
    }

    /// What was noted. `is_chosen`: whether a path would be in the source if nothing left it out.
    pub fn left_out(&self, is_chosen: impl Fn(&str) -> bool) -> BTreeMap<String, LeftOut> {
        let Some(left_out) = &self.left_out else { return BTreeMap::new() };
        let mut left_out = std::mem::take(&mut *left_out.lock().unwrap_or_else(PoisonError::into_inner));
        let tracked = LazyCell::new(|| Tracked::around(&self.home));
        for (path, why) in &mut left_out {
            if let LeftOut::Ignored { file, is_tracked, .. } = why {
                // What opsctl's own leaves out was left out for opsctl.
                *is_tracked = !file.ends_with(OWN) && is_chosen(path) && tracked.has(&self.home.join(path));
            }
        }
        left_out
    }
}
