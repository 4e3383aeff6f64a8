//! A new environment begins with the files of one that is there, as hard links: a framework has gigabytes,
//! and the images that train and that serve with it differ by a patch of a small package.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::contents::Package;
use super::{COMPLETE, Environments, Venv, Wanted, lock};
use crate::runners::process::LineSink;

/// In an environment that others may begin with: its Python, and what of an image it has, a line each.
const HAS: &str = ".has";

impl Environments {
    /// One at a time makes an environment with a framework: the next may begin with it.
    pub(super) async fn turn(&self, wanted: &Wanted, progress: &LineSink) -> io::Result<Option<File>> {
        match wanted.framework() {
            Some(framework) => {
                lock(self.cache.join(format!("{}.lock", framework.requirement())), progress).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The finished environment that has most of what is wanted of an image, its framework among it.
    pub(super) fn alike(&self, wanted: &Wanted) -> Option<Venv> {
        let framework = wanted.framework()?.requirement();
        let in_common = |directory: PathBuf| {
            let has = fs::read_to_string(directory.join(HAS)).ok()?;
            let has: Vec<&str> = has.lines().collect();
            let suits = has[0] == self.identity()
                && has.contains(&framework.as_str())
                && directory.join(COMPLETE).is_file();
            let held = wanted.held.iter().map(Package::requirement);
            suits.then(|| (held.filter(|line| has.contains(&line.as_str())).count(), directory))
        };
        let environments = fs::read_dir(&self.cache).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let (_, directory) = environments.filter_map(in_common).max()?;
        Some(Venv { directory })
    }

    /// Lets others begin with it. Not with what a requirements.txt has brought: code that does not name it
    /// would find it.
    pub(super) fn offer(&self, venv: &Venv, wanted: &Wanted, taken: &[Package]) -> io::Result<()> {
        if wanted.framework().is_none() || wanted.requirements.is_some() {
            return Ok(());
        }
        // What stands in for a version does so the next time, too.
        let held = wanted.held.iter().chain(taken).map(Package::requirement);
        let lines: Vec<String> = std::iter::once(self.identity()).chain(held).collect();
        fs::write(venv.directory.join(HAS), lines.join("\n"))
    }

    fn identity(&self) -> String {
        format!("{} {:?}", self.python.executable.display(), self.python.version)
    }
}

impl Venv {
    /// Gets the files of another, which pip never writes into: it removes a file and makes another.
    pub(super) async fn begin_with(&self, other: &Self) -> io::Result<()> {
        let (from, to) = (other.directory.clone(), self.directory.clone());
        let done = tokio::task::spawn_blocking(move || {
            link(&from.join("bin"), &to.join("bin"), &|file, link| program(file, link, &from, &to))?;
            for folder in ["lib", "share", "etc", "include"].map(Path::new) {
                if from.join(folder).is_dir() {
                    fs::create_dir_all(to.join(folder))?;
                    link(&from.join(folder), &to.join(folder), &|file, link| fs::hard_link(file, link))?;
                }
            }
            Ok(())
        });
        done.await.map_err(io::Error::other)?
    }
}

/// Everything below a folder that the other has not got.
pub(super) fn link(from: &Path, to: &Path, file: &dyn Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (at, kind) = (to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            fs::create_dir_all(&at)?;
            link(&entry.path(), &at, file)?;
        } else if at.symlink_metadata().is_ok() {
            // Made with the environment.
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, at)?;
        } else {
            file(&entry.path(), &at)?;
        }
    }
    Ok(())
}

/// How a script of Python begins that names its interpreter. Systems take no long path there and none with a
/// space, so it goes through a shell then, as pip writes it: to Python those lines are a text.
pub fn first_lines(interpreter: &str) -> String {
    const LONGEST: usize = 120;
    match interpreter.len() > LONGEST || interpreter.contains(char::is_whitespace) {
        true => format!("#!/bin/sh\n'''exec' \"{interpreter}\" \"$0\" \"$@\"\n' '''\n"),
        false => format!("#!{interpreter}\n"),
    }
}

/// A script names its interpreter by its absolute path.
pub(super) fn program(file: &Path, link: &Path, from: &Path, to: &Path) -> io::Result<()> {
    let text = match fs::read_to_string(file) {
        Ok(text) if text.contains(&*from.to_string_lossy()) => text,
        // Into the folder of a job perhaps from another disk.
        _ => return fs::hard_link(file, link).or_else(|_| fs::copy(file, link).map(drop)),
    };
    let text = text.replace(&*from.to_string_lossy(), &to.to_string_lossy());
    let own = text.strip_prefix("#!").and_then(|text| text.split_once('\n'));
    let text = match own.filter(|(interpreter, _)| Path::new(interpreter).starts_with(to)) {
        Some((interpreter, rest)) => first_lines(interpreter) + rest,
        None => text,
    };
    fs::write(link, text)?;
    fs::set_permissions(link, Permissions::from_mode(fs::metadata(file)?.permissions().mode()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::runners::python::Python;

    fn held(words: &[&str]) -> Wanted {
        let package = |word: &&str| match word.split_once("==") {
            Some((name, version)) => Package { name: name.to_owned(), version: Some(version.to_owned()) },
            None => Package { name: (*word).to_owned(), version: None },
        };
        Wanted { held: words.iter().map(package).collect(), ..Wanted::default() }
    }

    #[test]
    fn an_environment_begins_with_the_one_that_has_most_of_it() {
        let cache = tempfile::tempdir().unwrap();
        let python =
            Python { executable: "python3".into(), version: (3, 12, 0), ensurepip: true, manylinux: true };
        let at = Environments { python: python.clone(), cache: cache.path().to_owned() };
        let make = |name: &str, environments: &Environments, wanted: &Wanted, taken: &[Package]| {
            let venv = Venv { directory: cache.path().join(name) };
            fs::create_dir(&venv.directory).unwrap();
            environments.offer(&venv, wanted, taken).unwrap();
            fs::write(venv.directory.join(COMPLETE), "").unwrap();
        };
        let found = |words: &[&str]| {
            let name = |venv: Venv| venv.directory.file_name().unwrap().to_string_lossy().into_owned();
            at.alike(&held(words)).map(name)
        };
        make("a", &at, &held(&["numpy==1.0.0", "torch==2.6.0"]), &[]);
        make("b", &at, &held(&["pillow==9.0.0", "torch==2.6.0", "torchvision==0.21.0"]), &[]);
        let named = Wanted { requirements: Some("requirements.txt".into()), ..held(&["torch==2.5.0"]) };
        make("c", &at, &named, &[]);
        make("d", &at, &held(&["torch==1.11.0"]), &held(&["torch==1.13.0"]).held);
        make("e", &at, &held(&["pandas==2.0.0"]), &[]);
        let other = Python { version: (3, 13, 0), ..python };
        make("f", &Environments { python: other, ..at.clone() }, &held(&["torch==2.7.0"]), &[]);
        assert_eq!(found(&["pillow==9.0.1", "torch==2.6.0", "torchvision==0.21.0"]).as_deref(), Some("b"));
        assert_eq!(found(&["numpy==1.0.0", "torch==2.6.0"]).as_deref(), Some("a"));
        assert_eq!(found(&["torch==2.5.0"]), None, "more than the image");
        assert_eq!(found(&["torch==1.11.0"]).as_deref(), Some("d"));
        assert_eq!(found(&["torch==1.13.0"]).as_deref(), Some("d"));
        assert_eq!(found(&["pandas==2.0.0"]), None, "small");
        assert_eq!(found(&["torch==2.7.0"]), None, "another Python");
        fs::remove_file(cache.path().join("d").join(COMPLETE)).unwrap();
        assert_eq!(found(&["torch==1.11.0"]), None, "interrupted");
    }

    /// It would wait for itself.
    #[test]
    fn a_file_that_names_nothing_is_no_environment_on_top_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let python =
            Python { executable: "python3".into(), version: (3, 12, 0), ensurepip: true, manylinux: true };
        let at = Environments { python, cache: folder.path().to_owned() };
        let file = folder.path().join("requirements.txt");
        let wanted = Wanted { requirements: Some(file.clone()), ..held(&["torch==2.6.0"]) };
        for (text, is_left_out) in [("", true), ("# later: six\n\n", true), ("six==1.17.0\n", false)] {
            fs::write(&file, text).unwrap();
            let (_, named) = at.named(&wanted).unwrap();
            assert_eq!(named.requirements.is_none(), is_left_out, "{text}");
        }
    }

    #[tokio::test]
    async fn files_are_shared_and_programs_name_their_own_interpreter() {
        use std::os::unix::fs::MetadataExt as _;
        let cache = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| Venv { directory: cache.path().join(name) });
        for venv in [&old, &new] {
            fs::create_dir_all(venv.bin()).unwrap();
            fs::create_dir_all(venv.directory.join("lib/python3.12/site-packages")).unwrap();
            symlink("lib", venv.directory.join("lib64")).unwrap();
            symlink("/usr/bin/python3", venv.python()).unwrap();
            fs::write(venv.directory.join("pyvenv.cfg"), venv.directory.to_str().unwrap()).unwrap();
        }
        let module = Path::new("lib/python3.12/site-packages/torch/big.so");
        fs::create_dir(old.directory.join(module).parent().unwrap()).unwrap();
        fs::write(old.directory.join(module), "gigabytes").unwrap();
        fs::write(old.bin().join("torchrun"), format!("#!{}\nrun()\n", old.python().display())).unwrap();
        fs::set_permissions(old.bin().join("torchrun"), Permissions::from_mode(0o755)).unwrap();
        new.begin_with(&old).await.unwrap();
        let [a, b] = [&old, &new].map(|venv| fs::metadata(venv.directory.join(module)).unwrap().ino());
        assert_eq!(a, b);
        let program = new.bin().join("torchrun");
        let text = fs::read_to_string(&program).unwrap();
        assert_eq!(text, format!("#!{}\nrun()\n", new.python().display()));
        assert_eq!(fs::metadata(program).unwrap().permissions().mode() & 0o777, 0o755);
        let own = fs::read_to_string(new.directory.join("pyvenv.cfg")).unwrap();
        assert_eq!(own, new.directory.to_str().unwrap());
    }

    /// Two versions of an image that one version stands in for: its files are there once.
    #[tokio::test]
    async fn what_stands_in_for_two_versions_is_fetched_once() {
        let folder = tempfile::tempdir().unwrap();
        crate::runners::python::tests::wheel(folder.path(), "scikit_learn", 3);
        let python = Python::find(None, None).await.unwrap();
        let environments = Environments { python, cache: folder.path().join("cache") };
        let links = format!("--find-links={}", folder.path().display());
        let sink: LineSink = std::sync::Arc::new(|_| ());
        let mut files = Vec::new();
        for version in ["scikit-learn==1.0", "scikit-learn==2.0"] {
            let packages = vec!["--no-index".to_owned(), links.clone()];
            let venv = environments.ensure(&Wanted { packages, ..held(&[version]) }, &sink).await.unwrap();
            let (major, minor, _) = environments.python.version;
            let file = format!("lib/python{major}.{minor}/site-packages/scikit_learn-3.dist-info/METADATA");
            files.push(fs::metadata(venv.directory.join(file)).unwrap().ino());
        }
        assert_eq!(files[0], files[1]);
    }
}
