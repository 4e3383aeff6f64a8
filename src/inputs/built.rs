//! What of a folder of code is read when it is installed: whether a job builds it as a package, whose
//! documents then count, and which files of requirements name each other.

use std::collections::BTreeSet;
use std::path::Path;

use super::Entry;

/// The requirements that AWS's toolkit and opsctl install.
const REQUIREMENTS: &str = "requirements.txt";
/// How a line or a command names what is installed from a folder, and other files of requirements.
const EDITABLE: [&str; 2] = ["--editable", "-e"];
const OTHERS: [&str; 4] = ["--requirement", "--constraint", "-r", "-c"];
/// What builds the project of the folder that it runs in.
const BUILDERS: [&str; 5] = ["uv", "poetry", "pdm", "hatch", "flit"];
const BUILDING: [&str; 4] = ["sync", "install", "build", "run"];

/// What is read of a folder when its code is installed.
#[derive(Debug, Default)]
pub(super) struct Installed {
    /// AWS's toolkit builds a `setup.py`, and no `pyproject.toml`, which many have for a formatter alone:
    /// that is built where requirements or a shell script say so.
    pub is_built: bool,
    /// Files of requirements.
    pub files: BTreeSet<String>,
}

impl Installed {
    /// Of these files.
    pub fn of(entries: &[Entry]) -> Self {
        let is_built = entries.iter().any(|entry| &*entry.path == "setup.py");
        let mut installed = Self { is_built, files: BTreeSet::new() };
        let mut named = vec![REQUIREMENTS.to_owned()];
        for script in entries.iter().filter(|entry| is_shell(entry)) {
            let text = String::from_utf8_lossy(&script.content).replace("\\\n", " ");
            text.lines().for_each(|line| installed.command(line, &mut named));
        }
        while let Some(file) = named.pop() {
            let entry = entries.iter().find(|entry| *entry.path == *file);
            if !installed.files.insert(file.clone()) {
                continue;
            }
            let text = String::from_utf8_lossy(entry.map_or(&[][..], |entry| &entry.content)).into_owned();
            let folder = Path::new(&file).parent().unwrap_or(Path::new(""));
            for line in text.lines() {
                let words: Vec<&str> =
                    line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
                installed.words(&words, folder, &mut named);
            }
        }
        installed
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
            // Of what is under the folder that the script is started in.
            self.words(&words[at..], Path::new(""), named);
        }
        let builds = |pair: &[&str]| match pair {
            [program, verb] => {
                BUILDERS.contains(program) && BUILDING.contains(verb) || pair == ["-m", "build"]
            }
            _ => false,
        };
        self.is_built |= words.windows(2).any(builds);
    }

    /// What pip is given: in the words of a line of requirements, or of a command.
    fn words(&mut self, words: &[&str], folder: &Path, named: &mut Vec<String>) {
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
            } else if let Some(file) = beside(folder, value) {
                named.push(file);
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

fn is_shell(entry: &Entry) -> bool {
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
