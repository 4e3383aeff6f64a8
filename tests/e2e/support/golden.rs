//! Expected texts in files: one mechanism, `expect-test`, also where a test has many.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use expect_test::expect_file;

/// Compares each text with its file, below the repository. All that differ are shown; `UPDATE_EXPECT=1`
/// writes them.
#[track_caller]
pub fn same_as_files(texts: impl IntoIterator<Item = (PathBuf, String)>, about: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut other = Vec::new();
    for (file, text) in texts {
        let same = || expect_file![root.join(&file)].assert_eq(&text);
        if catch_unwind(AssertUnwindSafe(same)).is_err() {
            other.push(file.display().to_string());
        }
    }
    assert!(other.is_empty(), "{about}: {}", other.join(", "));
}
