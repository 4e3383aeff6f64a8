//! What of a folder of code is read when it is installed: whether a job builds it as a package, whose
//! documents then count, which files of requirements name each other, and what they name that is not there.

use std::collections::BTreeSet;
use std::path::Path;

use super::Entry;
use super::requirements::{is_place, lines, of_file_url, options, without_marker};

/// The requirements that AWS's toolkit and opsctl install.
const REQUIREMENTS: &str = "requirements.txt";
/// How a line or a command names what is installed from a folder, and other files of requirements.
const EDITABLE: [&str; 2] = ["--editable", "-e"];
const OTHERS: [&str; 4] = ["--requirement", "--constraint", "-r", "-c"];
/// How it names a folder of wheels: looked for beside the list, and then where pip runs.
const LINKS: [&str; 2] = ["--find-links", "-f"];
/// What builds the project of the folder that it runs in.
const BUILDERS: [&str; 5] = ["uv", "poetry", "pdm", "hatch", "flit"];
const BUILDING: [&str; 4] = ["sync", "install", "build", "run"];

/// What is read of a folder when its code is installed.
#[derive(Debug, Default)]
pub struct Installed {
    /// AWS's toolkit builds a `setup.py`, and no `pyproject.toml`, which many have for a formatter alone:
    /// that is built where requirements or a shell script say so.
    pub is_built: bool,
    /// Files of requirements.
    pub files: BTreeSet<String>,
    /// What they name that is not in the folder: the file and the path, as it is written.
    pub missing: Vec<(String, String)>,
    /// What they have installed from a path of the folder, likewise.
    pub own: Vec<(String, String)>,
}

impl Installed {
    /// Of these files.
    pub fn of(entries: &[Entry]) -> Self {
        let is_built = entries.iter().any(|entry| &*entry.path == "setup.py");
        let mut installed = Self { is_built, ..Self::default() };
        let mut named = vec![REQUIREMENTS.to_owned()];
        for script in entries.iter().filter(|entry| is_shell(entry)) {
            let text = String::from_utf8_lossy(&script.content).replace("\\\n", " ");
            text.lines().for_each(|line| installed.command(line, &mut named));
        }
        while let Some(file) = named.pop() {
            let entry = entries.iter().find(|entry| *entry.path == *file);
            if installed.files.insert(file.clone())
                && let Some(entry) = entry
            {
                for line in lines(&String::from_utf8_lossy(&entry.content)) {
                    installed.line(&file, &line, entries, &mut named);
                }
            }
        }
        installed
    }

    /// A line of a file of requirements. Lists are looked for beside the file, packages where pip runs.
    fn line(&mut self, file: &str, line: &str, entries: &[Entry], named: &mut Vec<String>) {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let is_there = |path: &str| {
            let below = entries.iter().filter_map(|entry| entry.path.strip_prefix(path));
            path.is_empty() || below.map(|rest| rest.chars().next()).any(|c| c.is_none_or(|c| c == '/'))
        };
        let mut places = Vec::new();
        for (option, value) in options(line) {
            if OTHERS.contains(&option.as_str()) {
                named.extend(beside(folder, of_file_url(&value)));
                places.push((folder, value, true));
            } else if EDITABLE.contains(&option.as_str()) {
                places.push((Path::new(""), value, false));
            } else if LINKS.contains(&option.as_str()) {
                let is_beside = beside(folder, of_file_url(&value)).is_some_and(|path| is_there(&path));
                places.push((if is_beside { folder } else { Path::new("") }, value, false));
            }
        }
        let wanted = without_marker(line);
        if !line.starts_with('-') {
            let place = wanted.split_once(" @ ").map_or(wanted, |(_, place)| place.trim());
            places.extend(is_place(place).then(|| (Path::new(""), place.to_owned(), false)));
        }
        // For which machines and Pythons it is, pip decides.
        let is_for_some = !line.starts_with('-') && line[wanted.len()..].trim_start().starts_with(';');
        for (from, place, is_list) in places {
            self.is_built |= is_here(&place);
            let path = of_file_url(&place).split(['#', '[']).next().unwrap_or_default();
            // Addresses, paths of the image, and what pip fills in.
            let is_elsewhere = path.contains("://") || path.starts_with('/') || path.contains("${");
            if is_elsewhere || is_for_some {
                continue;
            }
            let is_missing = !beside(from, path).is_some_and(|path| is_there(&path));
            if is_missing {
                self.missing.push((file.to_owned(), place));
            } else if !is_list {
                self.own.push((file.to_owned(), place));
            }
        }
    }

    /// A line of a shell script.
    fn command(&mut self, line: &str, named: &mut Vec<String>) {
        let part = |c: char| c.is_whitespace() || ";&|()".contains(c);
        let words: Vec<&str> = line.split(part).filter(|word| !word.is_empty()).collect();
        let words: Vec<&str> = words.into_iter().take_while(|word| !word.starts_with('#')).collect();
        let has = |word: &str| words.contains(&word);
        let is_pip = has("pip") || has("pip3") || has("uv");
        if let Some(at) = words.iter().position(|word| ["install", "wheel"].contains(word)).filter(|_| is_pip)
        {
            self.words(&words[at..], named);
        }
        let builds = |pair: &[&str]| match pair {
            [program, verb] => {
                BUILDERS.contains(program) && BUILDING.contains(verb) || pair == ["-m", "build"]
            }
            _ => false,
        };
        self.is_built |= words.windows(2).any(builds);
    }

    /// What pip is given by a command.
    fn words(&mut self, words: &[&str], named: &mut Vec<String>) {
        let mut words = words.iter().map(|word| word.trim_matches(['"', '\'']));
        while let Some(word) = words.next() {
            let option =
                EDITABLE.iter().chain(&OTHERS).find_map(|option| Some((option, word.strip_prefix(option)?)));
            let Some((option, rest)) = option else {
                self.is_built |= is_here(word);
                continue;
            };
            let value = match rest.trim_start_matches('=') {
                "" => words.next().unwrap_or_default(),
                value => value,
            };
            if EDITABLE.contains(option) {
                self.is_built |= is_here(value);
            } else {
                // Of what is under the folder that the script is started in.
                named.extend(beside(Path::new(""), value));
            }
        }
    }
}

/// The folder itself, with or without extras.
fn is_here(word: &str) -> bool {
    let path = word.strip_prefix("file://").unwrap_or(word).split('[').next().unwrap_or_default();
    [".", "./", "$PWD", "/opt/ml/code"].contains(&path)
}

/// The path of a file that one in `folder` names, as entries have it.
fn beside(folder: &Path, named: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.to_str()?.split('/').filter(|part| !part.is_empty()).collect();
    for part in named.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether it is a shell script, by its name or its first line.
pub(super) fn is_shell(entry: &Entry) -> bool {
    let first = entry.content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_called = || first.starts_with(b"#!") && first.windows(2).any(|word| word == b"sh");
    entry.path.ends_with(".sh") || entry.path.ends_with(".bash") || is_called()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Installed, beside};

    fn is_built(line: &str) -> (bool, Vec<String>) {
        let (mut installed, mut named) = (Installed::default(), Vec::new());
        installed.command(line, &mut named);
        (installed.is_built, named)
    }

    #[test]
    fn what_a_command_installs() {
        for line in [
            "pip install .",
            "python -m pip install -q -e '.[train]' && python train.py",
            "  pip3 install --editable=./",
            "uv pip install -e. ; true",
            "python -m build --wheel",
            "uv sync --frozen",
            "(cd . && poetry install)",
        ] {
            assert!(is_built(line).0, "{line}");
        }
        for line in
            ["# pip install .", "pip install ./lib", "ls .", "pip install torch # not .", ". ./env.sh"]
        {
            assert!(!is_built(line).0, "{line}");
        }
        let files = |line: &str| is_built(line).1;
        assert_eq!(files("pip install -r requirements-dev.txt -c./c.txt"), ["requirements-dev.txt", "c.txt"]);
        assert_eq!(files("pip install --requirement=a/b.txt"), ["a/b.txt"]);
    }

    #[test]
    fn files_are_named_from_where_the_line_is() {
        assert_eq!(beside(Path::new("reqs"), "../more.txt").as_deref(), Some("more.txt"));
        assert_eq!(beside(Path::new("reqs"), "./base.txt").as_deref(), Some("reqs/base.txt"));
        assert_eq!(beside(Path::new(""), "../outside.txt"), None);
    }
}
