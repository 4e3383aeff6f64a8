//! `.opsctl` beside a config: what opsctl keeps between runs. Open to its user alone, and no part of a repository.

use std::path::Path;

use crate::sandbox::{keep_private, make_private};

/// Makes the folder where it is missing.
pub fn make(folder: &Path) {
    // Whoever needs the folder tells that it cannot be made, and why.
    let _ = make_private(folder);
    keep(folder);
}

/// Closes a folder that is there: the sandbox's state holds environment values, and a cache names files.
pub fn keep(folder: &Path) {
    if !folder.symlink_metadata().is_ok_and(|about| about.is_dir()) {
        return;
    }
    keep_private(folder);
    let file = folder.join(".gitignore");
    if !file.exists() {
        // Nice to have, as cargo does with `target`: without it everything still works.
        let _ = std::fs::write(file, "*\n");
    }
}
