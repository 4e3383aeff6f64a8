//! What the lines of a requirements file mean.

use std::io;
use std::path::Path;

/// How pip's options for files and repositories begin, and what it takes for a file.
const OF_THIS_FOLDER: &[&str] = &["-e", "--editable", "-f", "--find-links", "file:"];
const REPOSITORIES: &[&str] = &["git+", "hg+", "svn+", "bzr+"];
const ARCHIVES: &[&str] = &[".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz"];

/// The meaningful lines of a requirements file and of the files it names with `-r` and `-c`.
pub(super) fn requirement_lines(file: &Path, lines: &mut Vec<String>) -> io::Result<()> {
    for line in std::fs::read_to_string(file)?.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines.push(line.to_owned());
        let named =
            ["-r ", "-c ", "--requirement ", "--constraint "].iter().find_map(|flag| line.strip_prefix(flag));
        if let Some(named) = named {
            requirement_lines(&file.with_file_name(named.trim()), lines)?;
        }
    }
    Ok(())
}

/// Whether a line means the same package in every folder and at every time: neither a file or folder of this
/// machine nor a branch of a repository.
pub(super) fn is_the_same_everywhere(line: &str) -> bool {
    let lists = ["-r", "--requirement", "-c", "--constraint"];
    if lists.iter().any(|option| line.starts_with(option)) {
        return true; // its lines are looked at by themselves
    }
    let wanted = line.split(';').next().unwrap_or_default().trim();
    let is_address = wanted.contains("://");
    let is_path = !is_address
        && (wanted.starts_with('.')
            || wanted.contains('/')
            || ARCHIVES.iter().any(|end| wanted.ends_with(end)));
    let is_of_folder = OF_THIS_FOLDER.iter().any(|option| wanted.starts_with(option));
    let moves = REPOSITORIES.iter().chain(&["file:"]).any(|scheme| wanted.contains(scheme));
    !(is_path || moves || (is_of_folder && !is_address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirement_files_are_read_with_the_files_they_name() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("requirements.txt"), "# tools\nnumpy  # maths\n\n-r more.txt\n")
            .unwrap();
        std::fs::write(directory.path().join("more.txt"), "pillow\n").unwrap();
        let mut lines = Vec::new();
        requirement_lines(&directory.path().join("requirements.txt"), &mut lines).unwrap();
        assert_eq!(lines, ["numpy", "-r more.txt", "pillow"]);
    }

    #[test]
    fn what_is_of_one_folder_is_not_shared() {
        for line in [
            "./mylib",
            "-e ./mylib",
            "-e .",
            "-e git+https://example.org/a.git#egg=a",
            "libs/mylib",
            "mylib @ file:./mylib",
            "wheels/a-1.0-py3-none-any.whl",
            "a-1.0-py3-none-any.whl ; python_version > '3.8'",
            "--find-links wheels",
            "git+https://example.org/a.git@main",
            "a @ git+ssh://git@example.org/a.git",
        ] {
            assert!(!is_the_same_everywhere(line), "{line}");
        }
        for line in [
            "numpy",
            "numpy==2.0.1 ; python_version > '3.8'",
            "uvicorn[standard]>=0.30",
            "-r more/requirements.txt",
            "--extra-index-url https://example.org/simple",
            "--find-links https://example.org/wheels",
            "torch @ https://example.org/torch-2.0-cp312.whl",
        ] {
            assert!(is_the_same_everywhere(line), "{line}");
        }
    }
}
