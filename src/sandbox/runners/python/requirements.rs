//! What the lines of a requirements file mean.

use std::io;
use std::path::{Path, PathBuf};

/// pip's options that mean the same in every folder: where packages come from, and in which form. Those that
/// name a file, and what is none of these, are installed for each job.
const OF_ALL_FOLDERS: &[&str] = &[
    "-i",
    "--index-url",
    "--extra-index-url",
    "--no-index",
    "--no-binary",
    "--only-binary",
    "--prefer-binary",
    "--require-hashes",
    "--pre",
    "--trusted-host",
];
/// Those that name a file whose lines are read as well.
const LISTS: &[&str] = &["-r", "-c", "--requirement", "--constraint"];
const REPOSITORIES: &[&str] = &["git+", "hg+", "svn+", "bzr+"];
const ARCHIVES: &[&str] = &[".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz"];

/// The meaningful lines of a requirements file and of the files it names with `-r` and `-c`.
pub(super) fn requirement_lines(file: &Path, lines: &mut Vec<String>) -> io::Result<()> {
    read(file, lines, &mut Vec::new())
}

fn read(file: &Path, lines: &mut Vec<String>, seen: &mut Vec<PathBuf>) -> io::Result<()> {
    if seen.iter().any(|other| other == file) {
        return Ok(()); // pip refuses files that name one another
    }
    seen.push(file.to_owned());
    // A line goes on after a backslash.
    let text = std::fs::read_to_string(file)?.replace("\r\n", "\n").replace("\\\n", " ");
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines.push(line.to_owned());
        if let Some(named) = listed(line).filter(|named| !named.contains("://")) {
            read(&file.with_file_name(named), lines, seen)?;
        }
    }
    Ok(())
}

/// The option that a line begins with, and its value.
fn option(line: &str) -> Option<(&str, &str)> {
    let is_long = line.strip_prefix("--").is_some();
    let end = match is_long {
        true => line.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(line.len()),
        // `-rFILE` is `-r FILE`.
        false if line.starts_with('-') => line.char_indices().nth(2).map_or(line.len(), |(at, _)| at),
        false => return None,
    };
    let (name, value) = line.split_at(end);
    let value = if is_long { value.strip_prefix('=').unwrap_or(value) } else { value };
    Some((name, value.trim()))
}

/// The file whose lines a line stands for.
fn listed(line: &str) -> Option<&str> {
    let (name, value) = option(line)?;
    LISTS.contains(&name).then(|| value.trim_matches(['"', '\'']))
}

/// Whether a line means the same package in every folder and at every time: neither a file or folder of this
/// machine nor a branch of a repository, nor an address at which there may be something else tomorrow.
pub(super) fn is_the_same_everywhere(line: &str) -> bool {
    if line.contains("${") {
        return false; // pip fills in variables
    }
    if let Some((name, value)) = option(line) {
        // Of a list in a file the lines are looked at by themselves.
        let is_file = LISTS.contains(&name) && !value.contains("://");
        let is_links = ["-f", "--find-links"].contains(&name) && value.contains("://");
        let is_one = !value.contains(char::is_whitespace);
        return is_one && (is_file || is_links || OF_ALL_FOLDERS.contains(&name));
    }
    let wanted = without_marker(line);
    match wanted.contains("://") {
        // A wheel's name has its version, and pip compares a digest.
        true => {
            let (address, fragment) = wanted.split_once('#').unwrap_or((wanted, ""));
            let is_repository = REPOSITORIES.iter().any(|scheme| wanted.contains(scheme));
            let is_fixed = address.ends_with(".whl") || fragment.contains("sha256=");
            is_fixed && !is_repository && !wanted.contains("file:")
        }
        false => !wanted.contains("file:") && !is_path(wanted),
    }
}

fn without_marker(line: &str) -> &str {
    line.split(';').next().unwrap_or_default().trim()
}

/// Whether pip takes it for a file or a folder, and not for a package's name.
fn is_path(wanted: &str) -> bool {
    wanted.starts_with('.') || wanted.contains('/') || ARCHIVES.iter().any(|end| wanted.ends_with(end))
}

/// The first path of a requirements file that begins in the folder in which pip runs: those of packages, as
/// pip looks for lists of packages, and for folders of wheels, beside the file.
pub fn path_of_the_folder(requirements: &Path) -> Option<String> {
    let mut lines = Vec::new();
    requirement_lines(requirements, &mut lines).ok()?;
    let named = lines.iter().filter_map(|line| match option(line) {
        Some(("-e" | "--editable", value)) => Some(value),
        Some(_) => None,
        None => Some(without_marker(line)),
    });
    let is_relative = |named: &&str| {
        !named.contains("://") && !named.contains('@') && is_path(named) && !named.starts_with('/')
    };
    named.into_iter().find(is_relative).map(str::to_owned)
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

    /// pip takes all of these; what is in the file counts, and not its name.
    #[test]
    fn files_are_followed_however_they_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("requirements.txt");
        std::fs::write(directory.path().join("more.txt"), "./mylib\n-r requirements.txt\n").unwrap();
        for naming in [
            "-r more.txt",
            "-rmore.txt",
            "--requirement=more.txt",
            "--requirement more.txt",
            "-cmore.txt",
            "--constraint=more.txt",
            "-r \\\n  more.txt",
            "-r 'more.txt'",
        ] {
            std::fs::write(&file, format!("numpy\n{naming}\n")).unwrap();
            let mut lines = Vec::new();
            requirement_lines(&file, &mut lines).unwrap();
            assert!(lines.contains(&"./mylib".to_owned()), "{naming}: {lines:?}");
            assert!(!lines.iter().all(|line| is_the_same_everywhere(line)), "{naming}");
            assert_eq!(path_of_the_folder(&file).as_deref(), Some("./mylib"), "{naming}");
        }
    }

    #[test]
    fn what_begins_in_the_folder_of_pip_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("requirements.txt");
        let path = |text: &str| {
            std::fs::write(&file, text).unwrap();
            path_of_the_folder(&file)
        };
        for text in ["-e .", "libs/mylib", "a-1.0-py3-none-any.whl", "./x ; python_version > '3'"] {
            assert!(path(text).is_some(), "{text}");
        }
        for text in
            ["numpy", "/opt/x", "a @ https://a/b.zip", "git+https://a/b", "-f wheels", "-e git+https://a/b"]
        {
            assert_eq!(path(text), None, "{text}");
        }
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
            "a @ https://example.org/a/archive/main.zip",
            "https://example.org/a.tar.gz",
            "-r https://example.org/more.txt",
            "--requirement=https://example.org/more.txt",
            "-i https://example.org/simple -e .",
            "--use-feature=fast-deps",
            "a @ ${WHERE}",
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
            "a @ https://example.org/a/archive/main.zip#sha256=ab",
            "-rmore.txt",
            "--requirement=more.txt",
            "-chold.txt",
            "--no-binary=:all:",
        ] {
            assert!(is_the_same_everywhere(line), "{line}");
        }
    }
}
