//! The Python that runs user code, and cached virtual environments with what that code needs.

pub mod alike;
pub mod contents;
mod held;
mod overlay;
mod pip;
mod requirements;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::process::{Line, LineSink};
use contents::Package;
pub use requirements::path_of_the_folder;
use requirements::requirement_lines;

/// What AWS's framework containers hold besides the framework: the SDK, and the toolkit whose handlers serve
/// the model. Training and serving share the list, so that equal requirements make one environment.
pub const CONTAINER_PACKAGES: &[&str] = &["boto3", "sagemaker-inference>=1.10,<2"];

/// What AWS's Python runtime for Lambda holds: the SDK. The runtime client is added by `Pool`.
pub const FUNCTION_PACKAGES: &[&str] = &["boto3"];

/// The oldest Python that the packages above still support.
const OLDEST: (u32, u32) = (3, 9);

/// Newest first, after what the user calls `python3`.
const NAMES: &[&str] =
    &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python"];

/// A name on PATH may be a stub that waits for a person, or lie in a home that is not reachable.
const PATIENCE: Duration = Duration::from_secs(20);

/// A marker in a finished environment. Environments are built in place, under a lock, because the programs in
/// their `bin` name their interpreter by its absolute path: a renamed environment has broken programs.
const COMPLETE: &str = ".complete";

const PROBE: &str = "import importlib.util, json, platform, sys; print(json.dumps({\
    'executable': sys.executable, 'version': sys.version_info[:3], \
    'ensurepip': importlib.util.find_spec('ensurepip') is not None, \
    'manylinux': platform.system() == 'Linux' and platform.libc_ver()[0] == 'glibc' \
        and platform.machine() in ('x86_64', 'aarch64')}))";

/// Why there is no environment. The texts say what to do; they go to the user as they are.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error(
        "no Python 3.9 or newer was found (tried {tried}{silent}): the sandbox runs your scripts with it. \
         Install one: `apt install python3 python3-venv`, `dnf install python3`, `brew install python`"
    )]
    Missing { tried: String, silent: String },
    #[error(
        "{python} cannot make virtual environments (its module `ensurepip` is missing). \
         Install it: `apt install python3-venv` (Debian and Ubuntu keep it apart)"
    )]
    NoVenv { python: PathBuf },
    #[error(
        "PyPI cannot be reached to install {packages}: the sandbox needs it once per set of requirements, \
         then works from {cache}. Check the network or pip's settings (PIP_INDEX_URL, HTTPS_PROXY). pip \
         said: {said}"
    )]
    Offline { packages: String, cache: PathBuf, said: String },
    #[error(
        "PyPI cannot be reached, and {packages} is installed for each job: its build needs what builds it, \
         such as setuptools, each time. Check the network or pip's settings (PIP_INDEX_URL, HTTPS_PROXY). \
         pip said: {said}"
    )]
    OfflineAgain { packages: String, said: String },
    /// `log`: all that pip complained of.
    #[error("pip could not install {packages}: {said}")]
    Install { packages: String, command: String, code: i32, said: String, log: Vec<String> },
    #[error(
        "what the code imports of its image cannot be installed for Python {python} ({packages}): install \
         the Python of the image, or name versions that there are in requirements.txt. pip said: {said}"
    )]
    Image { python: String, packages: String, said: String, log: Vec<String> },
    #[error("the Python environment at {path} cannot be prepared")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A Python interpreter of this machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Python {
    pub executable: PathBuf,
    pub version: (u32, u32, u32),
    ensurepip: bool,
    /// Whether PyPI's Linux wheels work here (not on macOS, not on musl).
    pub manylinux: bool,
}

impl Python {
    /// The first that answers: `chosen` alone if given, else `python<preferred>` (a Lambda runtime's `3.12`),
    /// then `python3`, then named versions. Each is run: version managers leave names on PATH that do not.
    pub async fn find(chosen: Option<&Path>, preferred: Option<&str>) -> Result<Self, PythonError> {
        let names: Vec<PathBuf> = match chosen {
            Some(path) => vec![path.to_owned()],
            None => preferred
                .map(|version| format!("python{version}"))
                .into_iter()
                .chain(NAMES.iter().map(|name| (*name).to_owned()))
                .map(PathBuf::from)
                .collect(),
        };
        // One that can make no environments serves where one is there already.
        let (mut bare, mut silent) = (None, Vec::new());
        for name in &names {
            match Self::probe(name, PATIENCE).await {
                Ok(Some(python)) if (python.version.0, python.version.1) < OLDEST => {}
                Ok(Some(python)) if python.ensurepip => return Ok(python),
                Ok(Some(python)) => {
                    bare.get_or_insert(python);
                }
                Ok(None) => {}
                Err(_) => silent.push(name.display().to_string()),
            }
        }
        let tried = names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(", ");
        let silent = match silent.as_slice() {
            [] => String::new(),
            names => format!("; {} did not answer within {} s", names.join(", "), PATIENCE.as_secs()),
        };
        bare.ok_or(PythonError::Missing { tried, silent })
    }

    /// `Err`: it runs, and does not answer.
    async fn probe(name: &Path, patience: Duration) -> Result<Option<Self>, Elapsed> {
        let mut command = Command::new(name);
        command.args(["-I", "-c", PROBE]).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(patience, command.output()).await?;
        Ok(output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok()))
    }

    /// Whether it can make environments.
    ///
    /// # Errors
    /// [`PythonError::NoVenv`] says what to install.
    pub fn makes_environments(&self) -> Result<(), PythonError> {
        match self.ensurepip {
            true => Ok(()),
            false => Err(PythonError::NoVenv { python: self.executable.clone() }),
        }
    }
}

/// What pip installs for one job alone: packages of its own folder, or what moves in a repository.
#[derive(Clone, Debug)]
pub struct OfEachJob {
    pub arguments: Vec<String>,
    pub folder: PathBuf,
}

/// What an environment must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Requirements as pip takes them: `boto3`, `numpy>=2`.
    pub packages: Vec<String>,
    /// What is taken of the container's image. As on AWS it is there before `requirements.txt` is installed,
    /// which finds it and may replace it.
    pub held: Vec<Package>,
    /// The user's `requirements.txt`, if there is one that means the same to everybody.
    pub requirements: Option<PathBuf>,
    /// What is installed for each job again, on top of what is shared.
    pub of_each_job: Option<OfEachJob>,
    /// Packages of which only the pure-Python files can be used here, because they publish wheels for Linux
    /// only. They are put, without dependencies, into [`Venv::foreign`].
    pub foreign: Vec<String>,
}

impl Wanted {
    /// These packages alone.
    pub fn of(packages: &[&str]) -> Self {
        Self { packages: packages.iter().map(|package| (*package).to_owned()).collect(), ..Self::default() }
    }

    /// Adds a requirements file if it exists. What it replaces of the image is not fetched first.
    pub fn and_file(mut self, requirements: &Path) -> Self {
        if !requirements.is_file() {
            return self;
        }
        let mut lines = Vec::new();
        // What cannot be read pip will tell.
        let is_read = requirement_lines(requirements, &mut lines).is_ok();
        if is_read {
            self.held.retain(|package| !lines.iter().any(|line| held::pins_another(line, package)));
        }
        match is_read && lines.iter().all(|line| requirements::is_the_same_everywhere(line)) {
            true => self.requirements = Some(requirements.to_owned()),
            false => self.install(&["-r", &requirements.to_string_lossy()], requirements.parent()),
        }
        self
    }

    /// Adds the folder of code, where it is a package: AWS's toolkit installs that.
    pub fn and_package(mut self, code: &Path) -> Self {
        if code.join("setup.py").is_file() {
            self.install(&["."], Some(code));
        }
        self
    }

    /// Has what is installed for each job installed in another folder, where no path of it is found.
    pub fn installed_in(mut self, folder: &Path) -> Self {
        if let Some(install) = &mut self.of_each_job {
            folder.clone_into(&mut install.folder);
        }
        self
    }

    fn install(&mut self, arguments: &[&str], folder: Option<&Path>) {
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let of_each_job = self.of_each_job.get_or_insert_with(|| OfEachJob { arguments: Vec::new(), folder });
        of_each_job.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    /// The largest of the packages that images are named after.
    fn framework(&self) -> Option<&Package> {
        let frameworks = self.held.iter().filter(|package| package.is_framework());
        frameworks.max_by_key(|package| package.megabytes())
    }

    /// The same without the requirements file, where it comes on top of a framework.
    fn without_file(&self) -> Option<Self> {
        (self.requirements.is_some() && self.framework().is_some())
            .then(|| Self { requirements: None, ..self.clone() })
    }

    fn shown(&self) -> String {
        let file = self.requirements.as_ref().map(|_| "requirements.txt".to_owned());
        let held = self.held.iter().map(Package::requirement);
        let words: Vec<String> =
            self.packages.iter().chain(&self.foreign).cloned().chain(held).chain(file).collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }
}

/// A finished virtual environment. One of the cache is shared: nothing may be installed into it later, so
/// code runs in one [`Environments::of_job`].
#[derive(Clone, Debug)]
pub struct Venv {
    pub directory: PathBuf,
}

impl Venv {
    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.bin().join("python3")
    }

    /// Its folder of programs.
    pub fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// What was written when it was finished; none where it is not, or has lost its interpreter or packages.
    fn finished(&self) -> Option<String> {
        let said = std::fs::read_to_string(self.directory.join(COMPLETE)).ok()?;
        let mut folders = std::fs::read_dir(self.directory.join("lib")).ok()?.filter_map(Result::ok);
        let has_packages = folders.any(|folder| folder.path().join("site-packages/pip").is_dir());
        (self.python().exists() && has_packages).then_some(said)
    }

    /// A directory for `PYTHONPATH`; empty unless [`Wanted::foreign`] named something.
    pub fn foreign(&self) -> PathBuf {
        self.directory.join("foreign")
    }
}

/// The cache of environments, safe for several processes at once.
#[derive(Clone, Debug)]
pub struct Environments {
    pub python: Python,
    pub cache: PathBuf,
}

impl Environments {
    /// The environment for `wanted`: at once when it was made before, else built with pip. `progress` gets
    /// one line per package that pip works on.
    pub async fn ensure(&self, wanted: &Wanted, progress: &LineSink) -> Result<Venv, PythonError> {
        let began = Instant::now();
        let made = self.made(wanted, progress).await;
        let (venv, said, is_new) = made.inspect_err(|error| error.tell(progress))?;
        // What stands in for a version of the image is said in every log: a result may depend on it.
        let tell = |text: String| progress(Line { at: SystemTime::now(), text });
        said.lines().for_each(|line| tell(line.to_owned()));
        if is_new {
            // On AWS an image has it; here it would be taken for the time of the user's code.
            tell(format!(
                "opsctl sandbox: making the Python environment took {} s of this; the next run has it already",
                began.elapsed().as_secs()
            ));
        }
        Ok(venv)
    }

    /// The environment, what is to be said of it, and whether it was made just now.
    async fn made(&self, wanted: &Wanted, progress: &LineSink) -> Result<(Venv, String, bool), PythonError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| PythonError::Io { path, source }
        };
        let (key, wanted) = &self.named(wanted).map_err(at(&self.cache))?;
        let directory = self.cache.join(key);
        let venv = Venv { directory: directory.clone() };
        let complete = directory.join(COMPLETE);
        if let Some(said) = venv.finished() {
            return Ok((venv, said, false));
        }
        std::fs::create_dir_all(&self.cache).map_err(at(&self.cache))?;
        let _lock = lock(self.cache.join(format!("{key}.lock")), progress).await.map_err(at(&self.cache))?;
        if let Some(said) = venv.finished() {
            return Ok((venv, said, false));
        }
        if directory.exists() {
            // A build that was interrupted, or one of which somebody has removed a part.
            std::fs::remove_dir_all(&directory).map_err(at(&directory))?;
        }
        let (like, _turn) = match wanted.without_file() {
            Some(first) => (Some(Box::pin(self.made(&first, progress)).await?.0), None),
            None => {
                let turn = self.turn(wanted, progress).await.map_err(at(&self.cache))?;
                (self.alike(wanted), turn)
            }
        };
        let taken = self.build(&venv, like.as_ref(), wanted, progress).await?;
        self.offer(&venv, wanted, &taken).map_err(at(&directory))?;
        let said = self.said_of_the_image(&venv, wanted, &taken).await.unwrap_or_default();
        std::fs::write(&complete, &said).map_err(at(&complete))?;
        Ok((venv, said, true))
    }

    /// What is wanted, with the environment's name. A requirements file that names nothing is left out: its
    /// environment is that without it.
    fn named(&self, wanted: &Wanted) -> io::Result<(String, Wanted)> {
        let key = self.key(wanted)?;
        let without = wanted.without_file();
        let is_without =
            without.as_ref().map(|without| self.key(without)).transpose()?.as_ref() == Some(&key);
        Ok((key, without.filter(|_| is_without).unwrap_or_else(|| wanted.clone())))
    }

    /// A name for the environment: Python's version and path, and all requirement lines, sorted.
    fn key(&self, wanted: &Wanted) -> io::Result<String> {
        let mut lines = wanted.packages.clone();
        lines.extend(wanted.foreign.iter().map(|package| format!("foreign {package}")));
        lines.extend(wanted.held.iter().map(|package| format!("image {}", package.requirement())));
        if let Some(file) = &wanted.requirements {
            requirement_lines(file, &mut lines)?;
        }
        lines.sort();
        lines.dedup();
        let python = &self.python;
        let text = format!("{} {:?}\n{}", python.executable.display(), python.version, lines.join("\n"));
        let hash = blake3::hash(text.as_bytes()).to_hex();
        Ok(format!("py{}{}-{}", python.version.0, python.version.1, &hash[..16]))
    }

    /// What of the image it asked for in the end.
    async fn build(
        &self,
        venv: &Venv,
        like: Option<&Venv>,
        wanted: &Wanted,
        progress: &LineSink,
    ) -> Result<Vec<Package>, PythonError> {
        let python = &self.python;
        python.makes_environments()?;
        let tell = |text: String| progress(Line { at: SystemTime::now(), text });
        tell(format!(
            "making a Python {}.{} environment with {}",
            python.version.0,
            python.version.1,
            wanted.shown()
        ));
        let mut begun = false;
        if let Some(like) = like {
            self.make(venv, &["--without-pip"], wanted, progress).await?;
            begun = venv.begin_with(like).await.is_ok();
        }
        if !begun {
            // Nothing is alike; or the disk has no hard links, or somebody empties the cache.
            self.make(venv, &["--clear"], wanted, progress).await?;
        }
        let taken = self.install(venv, begun, wanted, progress).await?;
        if !wanted.foreign.is_empty() {
            let version = format!("{}.{}", python.version.0, python.version.1);
            let mut pip = self.pip(venv, None);
            pip.args(["--no-deps", "--only-binary=:all:", "--platform", "manylinux2014_x86_64"])
                .args(["--implementation", "cp", "--python-version", &version, "--target"])
                .arg(venv.foreign())
                .args(&wanted.foreign);
            self.run(&mut pip, wanted, progress).await?;
        }
        Ok(taken)
    }

    async fn make(
        &self,
        venv: &Venv,
        options: &[&str],
        wanted: &Wanted,
        progress: &LineSink,
    ) -> Result<(), PythonError> {
        let mut make = Command::new(&self.python.executable);
        make.args(["-I", "-m", "venv"]).args(options).arg(&venv.directory);
        self.run(&mut make, wanted, progress).await
    }

    /// `begun`: the framework is there.
    async fn install(
        &self,
        venv: &Venv,
        mut begun: bool,
        wanted: &Wanted,
        progress: &LineSink,
    ) -> Result<Vec<Package>, PythonError> {
        let origin = self.origin(venv, wanted).await;
        let index = origin.index();
        let mut asked = wanted.clone();
        let mut framework = None;
        // Each failure tells of one package, or of some that do not go together.
        while !asked.held.is_empty() {
            if framework.as_ref() != asked.framework() {
                // What stands in for it may be there already.
                if !begun
                    && framework.is_some()
                    && let Some(like) = self.alike(&asked)
                {
                    begun = venv.begin_with(&like).await.is_ok();
                }
                framework = asked.framework().cloned();
                // Sizes are of Linux.
                let is_fetched = !begun && self.python.manylinux;
                if let Some(size) = framework.as_ref().and_then(|it| origin.size(it)).filter(|_| is_fetched) {
                    progress(Line { at: SystemTime::now(), text: format!("opsctl sandbox: {size}") });
                }
            }
            let mut pip = self.pip(venv, index);
            pip.args(asked.held.iter().flat_map(|package| ["--only-binary", &package.name]));
            pip.args(&wanted.packages).args(asked.held.iter().map(Package::requirement));
            match self.run(&mut pip, wanted, progress).await {
                Ok(()) => break,
                Err(PythonError::Install { said, .. }) if held::loosen(&mut asked.held, &said) => {}
                // Nothing of the user's is to blame.
                Err(PythonError::Install { packages, said, log, .. }) if held::is_of(&wanted.held, &said) => {
                    let (major, minor, _) = self.python.version;
                    let python = format!("{major}.{minor}");
                    return Err(PythonError::Image { python, packages, said, log });
                }
                Err(error) => return Err(error),
            }
        }
        let held = asked.held;
        if held.is_empty() && !wanted.packages.is_empty() {
            let mut pip = self.pip(venv, index);
            self.run(pip.args(&wanted.packages), wanted, progress).await?;
        }
        // As in the container, by itself and on top of what is there: a lock with digests names nothing of
        // that, and another version of it replaces it.
        if let Some(file) = &wanted.requirements {
            let mut pip = self.pip(venv, index);
            pip.arg("-r").arg(file).current_dir(file.parent().unwrap_or(Path::new(".")));
            self.run(&mut pip, wanted, progress).await?;
        }
        Ok(held)
    }
}

/// An exclusive lock between processes, released when the file is closed, also by a crash. Whoever waits for
/// it is told: the other may install for minutes.
async fn lock(path: PathBuf, progress: &LineSink) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let text = "waiting for another job or run, which is making a Python environment like this one";
    progress(Line { at: SystemTime::now(), text: text.to_owned() });
    let locked = tokio::task::spawn_blocking(move || {
        file.lock()?;
        Ok(file)
    });
    locked.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sha2::{Digest as _, Sha256};

    use super::*;

    /// A wheel with nothing in it: its path and its digest.
    pub fn wheel(folder: &Path, name: &str, version: u32) -> (String, String) {
        let about = format!("{name}-{version}.dist-info");
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (file, text) in [
            ("METADATA", format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")),
            ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
            ("RECORD", format!("{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")),
        ] {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(format!("{about}/{file}"), options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let (bytes, file) =
            (zip.finish().unwrap().into_inner(), format!("{name}-{version}-py3-none-any.whl"));
        std::fs::write(folder.join(&file), &bytes).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        (folder.join(file).to_string_lossy().into_owned(), digest)
    }

    /// Nothing else would be seen for as long as the other installs.
    #[tokio::test]
    async fn whoever_waits_for_an_environment_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (send, mut told) = tokio::sync::mpsc::unbounded_channel();
        let sink: LineSink = std::sync::Arc::new(move |line: Line| send.send(line.text).unwrap());
        let first = lock(folder.path().join("it.lock"), &sink).await.unwrap();
        assert!(told.is_empty());
        let second = lock(folder.path().join("it.lock"), &sink);
        let release = async {
            let text = told.recv().await.unwrap();
            assert!(text.starts_with("waiting for another job or run"), "{text}");
            drop(first);
        };
        tokio::join!(second, release).0.unwrap();
    }

    /// A stub that waits for somebody, or one whose home is not reachable; and Debian's, without
    /// `python3-venv`.
    #[tokio::test]
    async fn a_python_that_does_not_answer_is_left_and_one_without_pip_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            file
        };
        let silent = script("silent", "exec tail -f /dev/null");
        assert!(Python::probe(&silent, Duration::from_millis(50)).await.is_err());
        let said = r#"{"executable":"python3","version":[3,12,0],"ensurepip":false,"manylinux":true}"#;
        let bare = script("bare", &format!("echo '{said}'"));
        let python = Python::find(Some(&bare), None).await.unwrap();
        assert!(matches!(python.makes_environments(), Err(PythonError::NoVenv { .. })));
    }

    #[tokio::test]
    async fn a_python_that_is_not_there_is_named() {
        let error = Python::find(Some(Path::new("/nowhere/python3")), None).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/python3"), "{error}");
    }
    /// pip asks for a digest of everything in a run with one.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_lock_with_digests_comes_on_top_of_what_the_container_holds() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = |name: &str, version: u32| wheel(folder.path(), name, version);
        let ((held, _), (pinned, _)) = (wheel("held", 1), wheel("pinned", 1));
        let (_, another) = wheel("pinned", 2);
        let (_, own) = wheel("own", 1);
        let file = folder.path().join("requirements.txt");
        let links = format!("--no-index --find-links {}", folder.path().display());
        let lock = format!("{links}\nown==1 --hash=sha256:{own}\npinned==2 --hash=sha256:{another}\n");
        std::fs::write(&file, lock).unwrap();

        let python = Python::find(None, None).await.unwrap();
        let environments = Environments { python, cache: folder.path().join("cache") };
        let wanted = Wanted { packages: vec![held, pinned], requirements: Some(file), ..Wanted::default() };
        let sink: LineSink = std::sync::Arc::new(|line: Line| println!("{}", line.text));
        let venv = environments.ensure(&wanted, &sink).await.unwrap();
        let list = Command::new(venv.python()).args(["-m", "pip", "freeze"]).output().await.unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(list.starts_with("held"), "{list}");
        assert!(list.contains("own==1\n") && list.contains("pinned==2\n"), "{list}");
    }
}
