//! What a requirements file asks pip for, and all files that it names.

use std::path::{Path, PathBuf};

use crate::inputs::requirements::{is_place, lines, name_of, of_file_url, options, without_marker};

/// What is in a requirements file and in the lists that it names.
#[derive(Debug, Default)]
pub struct Requirements {
    /// The lines that ask for something.
    pub asked: Vec<Line>,
    /// Packages that a list of constraints is about.
    pub constrained: Vec<String>,
    /// Lists and wheels that could not be read: the list that names them, and how. At an address, or not
    /// there.
    pub unread: Vec<(String, String)>,
    /// What each file is called where it is named, and its bytes.
    files: Vec<(String, Vec<u8>)>,
}

/// A line that asks for something.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub asks_for: AsksFor,
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum AsksFor {
    /// `is_any`: whichever version. Neither a version nor a digest or an extra is named.
    Package { name: String, is_any: bool },
    /// A wheel, of this machine or at an address.
    Wheel,
    /// What has to be built: a folder, a repository, an archive of source code.
    Source,
    /// That packages are built, though there are wheels of them.
    Building,
}

impl Requirements {
    /// Of the file with this text, whose folder is `root`: pip runs there.
    pub fn read(root: &Path, file: &str, text: &[u8]) -> Self {
        let mut reader = Reader { root, seen: Vec::new(), found: Self::default() };
        reader.list(Path::new(file), file, text, false);
        reader.found
    }

    /// Adds what pip reads: other bytes, or other names for them, may be other packages.
    pub fn add_to(&self, digest: &mut blake3::Hasher) {
        for (name, content) in &self.files {
            digest.update(format!("{name}\0{}\0", content.len()).as_bytes());
            digest.update(content);
        }
    }
}

struct Reader<'a> {
    root: &'a Path,
    seen: Vec<PathBuf>,
    found: Requirements,
}

impl Reader<'_> {
    /// `written`: how it is named where it is named.
    fn list(&mut self, file: &Path, written: &str, text: &[u8], constrains: bool) {
        self.found.files.push((written.to_owned(), text.to_owned()));
        self.seen.push(self.place(file));
        for line in lines(&String::from_utf8_lossy(text)) {
            if line.starts_with('-') {
                self.options(file, &line, constrains);
            } else if constrains {
                self.found.constrained.extend(name_of(&line));
            } else {
                self.asked(file, line);
            }
        }
    }

    fn options(&mut self, file: &Path, line: &str, constrains: bool) {
        for (name, value) in options(line) {
            match name.as_str() {
                "-r" | "--requirement" => self.named(file, &value, constrains),
                "-c" | "--constraint" => self.named(file, &value, true),
                "-f" | "--find-links" => self.links(file, &value),
                "-e" | "--editable" => {
                    self.found.asked.push(Line { text: line.to_owned(), asks_for: AsksFor::Source });
                }
                // It outranks what opsctl asks pip for.
                "--no-binary" if value != ":none:" => {
                    self.found.asked.push(Line { text: line.to_owned(), asks_for: AsksFor::Building });
                }
                _ => {}
            }
        }
    }

    /// A list that a list names, beside which it is looked for.
    fn named(&mut self, by: &Path, value: &str, constrains: bool) {
        let path = by.with_file_name("").join(of_file_url(value));
        let Some(text) = content(&self.root.join(&path)) else {
            self.unread(by, value);
            return;
        };
        if !self.seen.contains(&self.place(&path)) {
            self.list(&path, value, &text, constrains);
        }
    }

    /// Lists may name one another by ever longer paths.
    fn place(&self, file: &Path) -> PathBuf {
        let path = self.root.join(file);
        path.canonicalize().unwrap_or(path)
    }

    /// A folder of wheels, or a page of links: beside the list, else where pip runs.
    fn links(&mut self, by: &Path, value: &str) {
        let value = of_file_url(value);
        let beside = self.root.join(by.with_file_name("").join(value));
        let place = if beside.exists() { beside } else { self.root.join(value) };
        let inside = std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut wheels: Vec<PathBuf> =
            inside.filter(|path| path.extension().is_some_and(|e| e == "whl")).collect();
        wheels.sort();
        for wheel in wheels {
            let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.keep(name, &wheel);
        }
        self.keep(value.to_owned(), &place);
        if !place.exists() {
            self.unread(by, value);
        }
    }

    fn unread(&mut self, by: &Path, value: &str) {
        self.found.unread.push((by.to_string_lossy().into_owned(), value.to_owned()));
    }

    fn asked(&mut self, by: &Path, text: String) {
        let wanted = without_marker(&text);
        // For which machines and Pythons it is, pip decides.
        let is_for_some = text[wanted.len()..].trim_start().starts_with(';');
        let place = wanted.split_once(" @ ").map_or(wanted, |(_, place)| place.trim());
        let asks_for = match (name_of(&text), is_place(place)) {
            (_, true) if place.split(['#', '?', '[']).next().is_some_and(|place| place.ends_with(".whl")) => {
                let wheel = of_file_url(place).split(['#', '[']).next().unwrap_or_default().to_owned();
                let at = self.root.join(&wheel);
                let is_elsewhere = wheel.contains("://") || wheel.contains("${");
                if !at.exists() && !is_for_some && !is_elsewhere {
                    self.unread(by, &wheel);
                }
                self.keep(wheel, &at);
                AsksFor::Wheel
            }
            (Some(name), false) => {
                let rest =
                    wanted.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
                AsksFor::Package { name, is_any: rest.is_empty() && !text.contains("--hash") }
            }
            _ => AsksFor::Source,
        };
        self.found.asked.push(Line { text, asks_for });
    }

    /// Of what is not there, or no file, pip will tell.
    fn keep(&mut self, name: String, at: &Path) {
        if let Some(content) = content(at) {
            self.found.files.push((name, content));
        }
    }
}

fn content(file: &Path) -> Option<Vec<u8>> {
    if file.is_file() { std::fs::read(file).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Requirements {
        Requirements::read(Path::new("/nowhere"), "requirements.txt", text.as_bytes())
    }

    #[test]
    fn what_a_line_asks_for() {
        let package = |name: &str, is_any| AsksFor::Package { name: name.into(), is_any };
        for (line, asks_for) in [
            ("six", package("six", true)),
            ("Python_DateUtil ; python_version < '3.14' # why", package("python-dateutil", true)),
            ("six==1.15.0", package("six", false)),
            ("six >= 1", package("six", false)),
            ("boto3[crt]", package("boto3", false)),
            ("six --hash=sha256:00", package("six", false)),
            ("six==1.15.0 \\\n    --hash=sha256:00", package("six", false)),
            ("wheels/x-1-py3-none-any.whl", AsksFor::Wheel),
            ("./wheels/x-1-py3-none-any.whl ; sys_platform == 'linux'", AsksFor::Wheel),
            ("x-1-py3-none-any.whl", AsksFor::Wheel),
            ("x @ file:///opt/x-1-py3-none-any.whl", AsksFor::Wheel),
            ("https://a/b/x-1-py3-none-any.whl#sha256=00", AsksFor::Wheel),
            ("mylib/", AsksFor::Source),
            ("./mylib", AsksFor::Source),
            (".", AsksFor::Source),
            ("-e.", AsksFor::Source),
            ("--editable=../lib", AsksFor::Source),
            ("git+https://a/b.git@main", AsksFor::Source),
            ("x @ git+ssh://git@a/b.git", AsksFor::Source),
            ("x @ https://a/archive/main.zip", AsksFor::Source),
            ("dist/x-1.tar.gz", AsksFor::Source),
            ("--no-binary :all:", AsksFor::Building),
            ("--no-binary=markupsafe", AsksFor::Building),
        ] {
            let found: Vec<AsksFor> = read(line).asked.into_iter().map(|line| line.asks_for).collect();
            assert_eq!(found, [asks_for], "{line}");
        }
        assert_eq!(read("\u{feff}# nothing\r\n\r\n--no-index --no-binary :none:\r\n").asked, []);
    }

    /// pip takes all of these; what is in the files counts, and not their names.
    #[test]
    fn files_are_followed_however_they_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("own");
        for (file, text) in [
            ("own/requirements/base.txt", "-r ../requirements/more.txt\n-f wheels\n"),
            ("own/requirements/more.txt", "numpy\n-r ../requirements/base.txt\n"),
            ("own/requirements/wheels/a-1-py3-none-any.whl", "a wheel"),
            ("own/wheels/b-1-py3-none-any.whl", "another"),
            ("constraints.txt", "six==1.15.0\n"),
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let read = |text: &str| Requirements::read(&root, "requirements.txt", text.as_bytes());
        for text in [
            "-r requirements/base.txt",
            "-rrequirements/base.txt",
            "--requirement=requirements/base.txt",
            "--pre --requirement requirements/base.txt",
            "-r 'requirements/base.txt'",
            "-r \\\n  requirements/base.txt",
        ] {
            let found = read(text);
            let files: Vec<&str> = found.files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(found.asked[0].text, "numpy", "{text}");
            assert_eq!(files[2..], ["../requirements/more.txt", "a-1-py3-none-any.whl"], "{text}");
        }
        let found =
            read("six\n--constraint ../constraints.txt\n--find-links=wheels\nwheels/b-1-py3-none-any.whl");
        assert_eq!((found.constrained, found.asked.len(), found.files.len()), (vec!["six".to_owned()], 2, 4));
        let unread = |text: &str| read(text).unread.into_iter().map(|(_, named)| named).collect::<Vec<_>>();
        assert_eq!(unread("-r gone.txt\n-c https://a/b.txt"), ["gone.txt", "https://a/b.txt"]);
        assert_eq!(unread("wheels/b-1-py3-none-any.whl\n-f wheels\n-f requirements/wheels"), [""; 0]);
        let gone = "wheels/gone-1-py3-none-any.whl";
        assert_eq!(unread(&format!("{gone}\n-f links")), [gone, "links"]);
        assert_eq!(unread(&format!("{gone} ; sys_platform == 'win32'")), [""; 0]);
        std::fs::write(root.join("requirements/more.txt"), "-r deep.txt").unwrap();
        let by = [("requirements/../requirements/more.txt".to_owned(), "deep.txt".to_owned())];
        assert_eq!(read("-r requirements/base.txt").unread, by);
    }
}
