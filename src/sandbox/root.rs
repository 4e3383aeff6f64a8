//! The folder of a sandbox: claimed by a marker, locked by one process, open to its user alone.
//!
//! The folder is whatever `OPSCTL_SANDBOX` names, so nothing in it is ours because of where it lies: a folder
//! that holds anything and has no marker is refused, and a reset removes what a sandbox makes, by name.

use std::fmt;
use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{SandboxError, files, holder_of};

/// Says that a sandbox made the folder that it is in.
const MARKER: &str = "opsctl-sandbox";
const MARK: &str = "The state of an opsctl sandbox. `opsctl sandbox reset` removes it.\n";
/// Begins the marker's line that says which folder it was written in.
const FOLDER: &str = "folder ";

const LOCK: &str = "lock";

/// Where documents go that cannot be read: `<root>/set-aside`.
pub const SET_ASIDE: &str = "set-aside";

/// What a sandbox makes in its folder besides marker and lock.
const MADE: &[&str] = &[
    "cache",
    "clock",
    "clock.tmp",
    "containers",
    "ec2",
    "lambda",
    "logs",
    "metrics",
    "run",
    "s3",
    "serve.json",
    "serve.json.tmp",
    SET_ASIDE,
    "state",
];

/// Those of them that are folders.
const FOLDERS: &[&str] = &["cache", "containers", "ec2", "lambda", "logs", "metrics", "run", "s3", "state"];

/// How deep below them lies what is a sandbox's own: `containers/training/us-east-1/NAME`.
const DEEPEST: usize = 3;

/// How deep below one of them nothing but a sandbox writes, which makes no links: `logs/REGION/GROUP/STREAM`.
fn own_depth(name: &str) -> usize {
    match name {
        "logs" | "s3" => 3,
        "ec2" | "lambda" | "metrics" | "state" => 2,
        // What scripts have written, and environments of Python, hold links of their own; and what was set
        // aside may be one.
        _ => 0,
    }
}

/// A sandbox's folder, held by this process until dropped.
#[derive(Debug)]
pub struct SandboxRoot {
    root: PathBuf,
    lock: File,
}

/// Whose a folder is.
enum Ownership {
    Ours,
    Empty,
    /// Something in it that no sandbox made.
    Foreign(String),
}

/// How much a sandbox keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Resources, and whatever else is one document.
    pub documents: u64,
    pub bytes: u64,
}

impl SandboxRoot {
    /// Takes the folder for this process; makes and marks it where there is none.
    ///
    /// # Errors
    /// [`SandboxError::Foreign`] when it holds what no sandbox made; [`SandboxError::Held`] names who has it.
    pub fn take(root: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Root { path: root.to_owned(), source };
        make_private(root).map_err(failed)?;
        match claim(root).map_err(failed)? {
            Ownership::Foreign(found) => return Err(SandboxError::Foreign { root: root.to_owned(), found }),
            Ownership::Ours | Ownership::Empty => {}
        }
        // No sandbox makes a link: where it leads is somebody else's, whoever brought the folder here, or the
        // link into it, as a `git checkout` does. What scripts of this place have made may be links.
        let mark = mark_of(root).map_err(failed)?;
        let marker = root.join(MARKER);
        let is_from_here = files::read_text(&marker).is_some_and(|found| found == mark);
        let depth = |name: &str| match is_from_here || name == SET_ASIDE {
            true => own_depth(name),
            false => DEEPEST,
        };
        if let Some(link) = link_below(root, depth) {
            let found = format!("{} (a link)", link.display());
            return Err(SandboxError::Foreign { root: root.to_owned(), found });
        }
        // Older sandboxes left it open to others, with the environment values of functions and trainings in
        // it.
        keep_private(root);
        if !is_from_here {
            write_marker(&marker, &mark).map_err(|source| SandboxError::Root { path: marker, source })?;
        }
        Self::locked(root)
    }

    /// Takes the folder that a sandbox left. `None`: there is none. Nothing is made.
    ///
    /// # Errors
    /// As [`SandboxRoot::take`].
    pub fn find(root: &Path) -> Result<Option<Self>, SandboxError> {
        let failed = |source| SandboxError::Root { path: root.to_owned(), source };
        match claim(root) {
            Ok(Ownership::Empty) => Ok(None),
            Ok(Ownership::Foreign(found)) => Err(SandboxError::Foreign { root: root.to_owned(), found }),
            Ok(Ownership::Ours) => Self::locked(root).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The operating system frees the lock when its process dies, so a killed sandbox never blocks the next
    /// one.
    fn locked(root: &Path) -> Result<Self, SandboxError> {
        let path = root.join(LOCK);
        let failed = |source| SandboxError::Root { path: path.clone(), source };
        // No sandbox makes a link or a folder of that name, and none can be locked.
        if path.symlink_metadata().is_ok_and(|about| !about.is_file()) {
            SetAside::of(root, &path, "it is not a file".to_owned()).map_err(failed)?;
        }
        let mut open = File::options();
        open.create(true).truncate(false).read(true).write(true).mode(0o600);
        // The process's number is written into it: never into what a link names.
        open.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let mut lock = open.open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SandboxError::Held { root: root.to_owned(), holder: holder_of(root) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { root: root.to_owned(), lock })
    }

    /// How much there is to forget.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        let is_folder = |path: &PathBuf| path.symlink_metadata().is_ok_and(|about| about.is_dir());
        let mut folders: Vec<PathBuf> =
            MADE.iter().map(|name| self.root.join(name)).filter(is_folder).collect();
        let state = self.root.join("state");
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                // A link is not followed: what it points at is not ours.
                let Ok(about) = entry.metadata() else { continue };
                if about.is_dir() {
                    folders.push(entry.path());
                } else {
                    contents.bytes += about.len();
                    contents.documents += u64::from(folder.starts_with(&state));
                }
            }
        }
        contents
    }

    /// Removes what a sandbox made, the folder too if nothing else is in it. Gives the names of what stays.
    ///
    /// # Errors
    /// What cannot be removed; the folder keeps its marker, so that a reset can be repeated.
    pub fn reset(self) -> Result<Vec<String>, SandboxError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| SandboxError::Root { path, source }
        };
        for path in MADE.iter().map(|name| self.root.join(name)) {
            remove(&path).map_err(at(&path))?;
        }
        let left: Vec<String> = names(&self.root)
            .map_err(at(&self.root))?
            .into_iter()
            .filter(|name| ![MARKER, LOCK].contains(&name.as_str()))
            .collect();
        // In one step, so that a kill leaves no lock without its marker. A mount cannot be moved: then an
        // empty sandbox stays, which does no harm.
        let gone = self.root.with_extension(format!("reset-{}", std::process::id()));
        if left.is_empty() && std::fs::rename(&self.root, &gone).is_ok() {
            remove(&gone).map_err(at(&gone))?;
        }
        drop(self.lock);
        Ok(left)
    }
}

/// Whose the folder is: only the marker tells. The names that a sandbox uses (`lock`, `logs`, `cache`) are
/// other programs' too.
fn claim(root: &Path) -> io::Result<Ownership> {
    let names = names(root)?;
    if names.iter().any(|name| name == MARKER) {
        // A link or a pipe of its name was made by nobody's sandbox.
        let is_file = root.join(MARKER).symlink_metadata()?.is_file();
        let strange = || Ownership::Foreign(format!("{MARKER} (not a file)"));
        return Ok(if is_file { Ownership::Ours } else { strange() });
    }
    // What no sandbox has says most.
    let strange = names.iter().find(|name| *name != LOCK && !MADE.contains(&name.as_str()));
    Ok(strange.or(names.first()).map_or(Ownership::Empty, |found| Ownership::Foreign(found.clone())))
}

/// What the marker says in this folder. A copy of it, or a clone of a repository that has one, is another.
fn mark_of(root: &Path) -> io::Result<String> {
    let about = std::fs::metadata(root)?;
    Ok(format!("{MARK}{FOLDER}{} {}\n", about.dev(), about.ino()))
}

/// Never into what a link of that name points at.
fn write_marker(marker: &Path, mark: &str) -> io::Result<()> {
    let mut open = File::options();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    open.create(true).truncate(true).write(true).custom_flags(flags.bits().cast_signed());
    open.open(marker)?.write_all(mark.as_bytes())
}

/// The first link in the place of what a sandbox makes, `depth` folders below each. What a training or a
/// function has written lies deeper, and may hold links.
fn link_below(root: &Path, depth: impl Fn(&str) -> usize) -> Option<PathBuf> {
    let mut waiting: Vec<(PathBuf, usize)> = Vec::new();
    for name in MADE {
        match root.join(name).symlink_metadata() {
            Ok(about) if about.is_symlink() => return Some(name.into()),
            Ok(about) if about.is_dir() && depth(name) > 0 => waiting.push((name.into(), depth(name))),
            _ => {}
        }
    }
    while let Some((folder, deeper)) = waiting.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_symlink() => return Some(path),
                Ok(kind) if kind.is_dir() && deeper > 1 => waiting.push((path, deeper - 1)),
                _ => {}
            }
        }
    }
    None
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names: io::Result<Vec<String>> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    names.map(|mut names| {
        names.sort();
        names
    })
}

/// Removes a file, a link (never what it points at), or a folder with all that is in it: also what a training
/// has closed to its own user.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                open_folders(path);
                std::fs::remove_dir_all(path)
            }
            done => done,
        },
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// As [`remove`], of something below `root`: never by way of a link, which leads to somebody else's.
pub fn remove_own(root: &Path, path: &Path) -> io::Result<()> {
    let is_link = |place: &&Path| place.symlink_metadata().is_ok_and(|about| about.is_symlink());
    let above = path.ancestors().skip(1).take_while(|place| *place != root);
    match above.filter(|place| place.starts_with(root)).find(is_link) {
        Some(link) => Err(io::Error::other(format!("{} is a link", link.display()))),
        None => remove(path),
    }
}

/// Lets the user into every folder below, and change it. One that is not theirs stays, and is told of by
/// whoever tries to remove it.
fn open_folders(path: &Path) {
    let mut waiting = vec![path.to_owned()];
    while let Some(folder) = waiting.pop() {
        let _ = std::fs::set_permissions(&folder, Permissions::from_mode(0o700));
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
    }
}

/// Makes a folder, with those above it, that its user alone can look into.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Closes a folder of ours to everybody else. One that cannot be (another's mount in a container) is as
/// private as its owner wants it.
pub fn keep_private(folder: &Path) {
    let open = |about: std::fs::Metadata| about.permissions().mode() & 0o077 != 0;
    if std::fs::metadata(folder).is_ok_and(open) {
        let _ = std::fs::set_permissions(folder, Permissions::from_mode(0o700));
    }
}

/// A document that could not be read, and where it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub file: PathBuf,
    pub to: PathBuf,
    pub why: String,
}

impl SetAside {
    /// Moves `file` out of the way. Numbers tell apart what had one name.
    pub fn of(root: &Path, file: &Path, why: String) -> io::Result<Self> {
        let folder = root.join(SET_ASIDE);
        make_private(&folder)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let table = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let free = |number: &usize| !folder.join(format!("{table}-{name}.{number}")).exists();
        let number = (1..).find(free).unwrap_or_default();
        let to = folder.join(format!("{table}-{name}.{number}"));
        std::fs::rename(file, &to)?;
        Ok(Self { file: file.to_owned(), to, why })
    }

    /// Moves out of the way what is no folder where a sandbox has one: nothing could be written there, and
    /// what a link names is not the sandbox's.
    pub fn in_place_of_folders(root: &Path) -> io::Result<Vec<Self>> {
        let paths = FOLDERS.iter().map(|name| root.join(name));
        let strange = paths.filter(|path| path.symlink_metadata().is_ok_and(|about| !about.is_dir()));
        strange.map(|path| Self::of(root, &path, "it is not a folder".to_owned())).collect()
    }

    /// The files that were set aside and are still there.
    pub fn all(root: &Path) -> Vec<PathBuf> {
        let folder = root.join(SET_ASIDE);
        names(&folder).unwrap_or_default().into_iter().map(|name| folder.join(name)).collect()
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot be read ({}): it was moved to {}, and what it described is gone from the sandbox",
            self.file.display(),
            self.why,
            self.to.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_links_in_the_place_of_folders_are_moved_away() {
        let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("theirs.json"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), home.path().join("state")).unwrap();
        std::fs::write(home.path().join("s3"), "x").unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        let moved = SetAside::in_place_of_folders(home.path()).unwrap();
        let mut names: Vec<_> = moved.iter().map(|aside| aside.file.file_name().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["s3", "state"]);
        assert!(home.path().join("run").exists() && elsewhere.path().join("theirs.json").exists());
        assert!(SetAside::in_place_of_folders(home.path()).unwrap().is_empty());
    }

    fn foreign(root: &Path) -> String {
        match SandboxRoot::take(root) {
            Err(SandboxError::Foreign { found, .. }) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_folder_with_other_things_is_never_taken_and_nothing_is_left_in_it() {
        let home = tempfile::tempdir().unwrap();
        for name in ["logs", "state", "thesis"] {
            std::fs::create_dir(home.path().join(name)).unwrap();
        }
        assert_eq!(foreign(home.path()), "thesis");
        assert!(matches!(SandboxRoot::find(home.path()), Err(SandboxError::Foreign { .. })));
        std::fs::remove_dir(home.path().join("thesis")).unwrap();
        // Names that a sandbox uses too are no sandbox, the lock neither: other programs have such folders.
        assert_eq!(foreign(home.path()), "logs");
        std::fs::write(home.path().join(LOCK), "1\n").unwrap();
        assert_eq!(foreign(home.path()), "lock");
        assert!(matches!(SandboxRoot::find(home.path()), Err(SandboxError::Foreign { .. })));
        assert_eq!(names(home.path()).unwrap(), ["lock", "logs", "state"]);
    }

    /// Such a folder may come with a repository.
    #[test]
    fn a_link_in_it_is_never_followed() {
        let home = tempfile::tempdir().unwrap();
        let (root, outside) = (home.path().join("sandbox"), home.path().join("outside"));
        std::fs::create_dir_all(outside.join("t")).unwrap();
        std::fs::write(outside.join("t/a.json"), "theirs").unwrap();
        for name in ["state", "run", SET_ASIDE] {
            drop(SandboxRoot::take(&root).unwrap());
            std::os::unix::fs::symlink(&outside, root.join(name)).unwrap();
            assert_eq!(foreign(&root), format!("{name} (a link)"));
            assert!(SandboxRoot::find(&root).unwrap().unwrap().reset().unwrap().is_empty());
            assert!(!root.exists());
            assert_eq!(std::fs::read_to_string(outside.join("t/a.json")).unwrap(), "theirs");
        }
    }

    /// A repository that was cloned has a marker, but not one of this folder.
    #[test]
    fn a_link_deeper_in_a_folder_from_elsewhere_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for link in ["lambda/code", "s3/objects", "s3/objects/bucket", "containers/training/us-east-1"] {
            let root = home.path().join("cloned");
            let link_path = root.join(link);
            std::fs::create_dir_all(link_path.parent().unwrap()).unwrap();
            std::fs::write(root.join(MARKER), MARK).unwrap();
            std::os::unix::fs::symlink("../../../precious", &link_path).unwrap();
            assert_eq!(foreign(&root), format!("{link} (a link)"));
            std::fs::remove_file(&link_path).unwrap();
            drop(SandboxRoot::take(&root).unwrap());
            // From now on it is one of this place. A copy of it is not.
            let copy = home.path().join("copy");
            std::fs::create_dir_all(copy.join("lambda")).unwrap();
            std::fs::copy(root.join(MARKER), copy.join(MARKER)).unwrap();
            std::os::unix::fs::symlink(home.path(), copy.join("lambda/code")).unwrap();
            assert_eq!(foreign(&copy), "lambda/code (a link)");
            std::fs::remove_dir_all(root).unwrap();
            std::fs::remove_dir_all(copy).unwrap();
        }
    }

    /// A branch that is checked out later has them, too.
    #[test]
    fn a_link_that_comes_later_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (root, precious) = (home.path().join("sandbox"), home.path().join("precious"));
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("thesis.pdf"), "thesis").unwrap();
        for link in ["lambda/code", "s3/incoming", "s3/objects/bucket", "logs/us-east-1", "metrics/us-east-1"]
        {
            drop(SandboxRoot::take(&root).unwrap());
            drop(SandboxRoot::take(&root).unwrap());
            let path = root.join(link);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&precious, &path).unwrap();
            assert_eq!(foreign(&root), format!("{link} (a link)"));
            // A sandbox that is running already does not go through it either.
            assert!(remove_own(&root, &path.join("thesis.pdf")).is_err());
            remove_own(&root, &path).unwrap();
        }
        assert_eq!(std::fs::read_to_string(precious.join("thesis.pdf")).unwrap(), "thesis");
        // Scripts may link what they like.
        let script = root.join("containers/training/us-east-1");
        std::fs::create_dir_all(&script).unwrap();
        std::os::unix::fs::symlink(&precious, script.join("job")).unwrap();
        drop(SandboxRoot::take(&root).unwrap());
    }

    /// `/dev/zero` has no end, and a pipe is waited for.
    #[test]
    fn a_marker_that_is_no_file_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        for link in [Some("/dev/zero"), None] {
            let root = home.path().join("sandbox");
            std::fs::create_dir(&root).unwrap();
            let marker = root.join(MARKER);
            match link {
                Some(target) => std::os::unix::fs::symlink(target, &marker).unwrap(),
                None => rustix::fs::mkfifoat(rustix::fs::CWD, &marker, rustix::fs::Mode::RWXU).unwrap(),
            }
            assert_eq!(foreign(&root), "opsctl-sandbox (not a file)");
            assert!(files::read(&marker).is_err());
            std::fs::remove_dir_all(root).unwrap();
        }
    }

    #[test]
    fn a_reset_removes_what_a_sandbox_made_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("sandbox"), folder.path().join("outside"));
        assert!(SandboxRoot::find(&root).unwrap().is_none());
        let place = SandboxRoot::take(&root).unwrap();
        assert!(matches!(SandboxRoot::take(&root), Err(SandboxError::Held { .. })));
        std::fs::create_dir_all(root.join("state/t")).unwrap();
        std::fs::write(root.join("state/t/a.json"), "{").unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("logs")).unwrap();
        std::fs::write(root.join("notes.txt"), "mine").unwrap();
        assert_eq!(place.contents(), Contents { documents: 1, bytes: 1 });
        assert_eq!(place.reset().unwrap(), ["notes.txt"]);
        assert_eq!(names(&root).unwrap(), ["lock", "notes.txt", MARKER]);
        assert_eq!(names(&outside).unwrap(), ["kept"]);

        std::fs::remove_file(root.join("notes.txt")).unwrap();
        assert!(SandboxRoot::find(&root).unwrap().unwrap().reset().unwrap().is_empty());
        assert!(!root.exists());
    }

    #[test]
    fn a_reset_works_whatever_is_there_as_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (root, precious) = (folder.path().join("sandbox"), folder.path().join("precious"));
        std::fs::write(&precious, "kept").unwrap();
        let lock = root.join(LOCK);
        type Make<'a> = &'a dyn Fn() -> io::Result<()>;
        let odd: [Make<'_>; 3] = [
            &|| std::os::unix::fs::symlink(&precious, &lock),
            &|| std::fs::create_dir_all(lock.join("deep")),
            &|| rustix::fs::mkfifoat(rustix::fs::CWD, &lock, rustix::fs::Mode::RWXU).map_err(io::Error::from),
        ];
        for make in odd {
            drop(SandboxRoot::take(&root).unwrap());
            std::fs::remove_file(&lock).unwrap();
            make().unwrap();
            assert!(SandboxRoot::find(&root).unwrap().unwrap().reset().unwrap().is_empty());
            assert!(!root.exists());
            assert_eq!(std::fs::read_to_string(&precious).unwrap(), "kept");
        }

        // Any program may have a lock.
        std::fs::create_dir(&root).unwrap();
        for text in ["somebody's", "4242\n", ""] {
            std::fs::write(&lock, text).unwrap();
            assert_eq!(foreign(&root), "lock");
            assert_eq!(std::fs::read_to_string(&lock).unwrap(), text);
        }
    }

    /// Of no meaning for root, who may do it all.
    #[test]
    fn a_folder_that_a_training_has_closed_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let closed = home.path().join("work/closed/deeper");
        std::fs::create_dir_all(&closed).unwrap();
        std::fs::write(closed.join("file"), "x").unwrap();
        for (folder, mode) in [(closed.as_path(), 0o000), (closed.parent().unwrap(), 0o555)] {
            std::fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        }
        open_folders(&home.path().join("work"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&closed), mode(closed.parent().unwrap())), (0o700, 0o700));
        std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        remove(&home.path().join("work")).unwrap();
        assert!(!home.path().join("work").exists());
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_closed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(MARKER), MARK).unwrap();
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        drop(SandboxRoot::take(root.path()).unwrap());
        assert_eq!(std::fs::metadata(root.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
