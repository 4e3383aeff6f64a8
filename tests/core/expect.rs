//! Texts compared whole with a file in the repository.

use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "tests have no cli/ that passes it down")]
fn updating() -> bool {
    std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1")
}

/// `text` is what `file` (relative to the package) holds; with UPDATE_EXPECT=1 it is made so.
#[track_caller]
pub fn file(file: impl AsRef<Path>, text: &str) {
    let file = file.as_ref();
    let held = std::fs::read_to_string(file).unwrap_or_default();
    if held == text {
        return;
    }
    if updating() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        return;
    }
    let line = held.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
    panic!(
        "{} is not as expected from line {} on (UPDATE_EXPECT=1 rewrites it)\n--- is\n{text}\n--- expected\n{held}",
        file.display(),
        line + 1
    );
}
