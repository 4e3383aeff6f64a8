//! `.opsctl` beside a config: what opsctl keeps between runs. Readable by its user only, and ignored by git.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Makes the folder where it is missing.
#[cfg(feature = "sandbox")]
pub fn make(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    // Whoever needs the folder tells that it cannot be made, and why.
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    keep(folder);
}

/// Closes a folder that is there: the sandbox's state holds environment values, and a cache names files.
pub fn keep(folder: &Path) {
    if !folder.symlink_metadata().is_ok_and(|about| about.is_dir()) {
        return;
    }
    // On a file system without modes the folder works all the same.
    let _ = std::fs::set_permissions(folder, Permissions::from_mode(0o700));
    remove_old_pages(folder);
    let file = folder.join(".gitignore");
    // Only a new one: what has its name stays, also a link that leads nowhere. Nice to have, as cargo does
    // with `target`: without it everything still works.
    let _ = File::create_new(file).and_then(|mut file| file.write_all(b"*\n"));
}

/// How pages begin that lead a browser somewhere.
pub const PAGE: &str = "open-";

/// A notebook's address counts for five minutes
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html>).
fn remove_old_pages(folder: &Path) {
    const COUNTS: Duration = Duration::from_secs(5 * 60);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_page = name.to_str().is_some_and(|name| name.starts_with(PAGE) && name.ends_with(".html"));
        let age =
            entry.metadata().and_then(|about| about.modified()).ok().and_then(|then| then.elapsed().ok());
        if is_page && age.is_some_and(|age| age > COUNTS) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_names_is_not_made() {
        let home = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (home.path().join(".opsctl"), home.path().join("elsewhere"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join(".gitignore")).unwrap();
        keep(&folder);
        assert!(!elsewhere.exists());
        std::fs::remove_file(folder.join(".gitignore")).unwrap();
        keep(&folder);
        assert_eq!(std::fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
    }
}
