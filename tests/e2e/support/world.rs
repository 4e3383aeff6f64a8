//! A folder with a project, and the binary that runs in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::server::pause;
use super::{Ran, search_path};

/// Longer than any run takes here, debug build and busy machine included: a run that hangs must fail its
/// test.
const LIMIT: Duration = Duration::from_secs(900);

/// A temporary folder, an environment, and the options that every run gets. Nothing of the machine's own
/// configuration reaches the binary: no AWS profile, no home folder, no color settings.
pub struct World {
    folder: TempDir,
    env: Vec<(String, String)>,
    options: Vec<String>,
}

impl World {
    /// An empty folder.
    pub fn empty() -> Self {
        let folder =
            tempfile::Builder::new().prefix("opsctl-e2e-").tempdir().expect("a temporary folder can be made");
        // `.git` ends the search for a config: what lies in /tmp is not ours.
        for part in ["home", "work", ".git"] {
            fs::create_dir(folder.path().join(part)).expect("the folder is ours");
        }
        Self { folder, env: Vec::new(), options: Vec::new() }
    }

    /// A folder with a copy of `config/`: both shipped projects.
    pub fn shipped() -> Self {
        let world = Self::empty();
        copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")), &world.path("config"));
        world
    }

    /// A folder with this text as its `opsctl.toml`.
    pub fn with_config(text: &str) -> Self {
        let world = Self::empty();
        world.write("opsctl.toml", text);
        world
    }

    /// Every run gets this variable.
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// Every run uses the sandbox of this world; its state lies outside the project.
    pub fn sandbox(mut self) -> Self {
        let state = self.sandbox_folder();
        self.options.push("--sandbox".to_owned());
        // Environments with their packages are made once for all tests.
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/sandbox-cache");
        let world = self.env("OPSCTL_SANDBOX", state.display()).env("OPSCTL_CACHE", cache);
        // Nothing outlives its test.
        world.env("OPSCTL_SANDBOX_IDLE", "0s")
    }

    /// Keys that no one checks, and a region.
    pub fn credentials(self) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
    }

    /// A path in the folder that the binary runs in.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join("work").join(relative)
    }

    pub fn write(&self, relative: &str, text: &str) {
        let file = self.path(relative);
        fs::create_dir_all(file.parent().expect("below the folder")).expect("the folder is ours");
        fs::write(file, text).expect("the folder is ours");
    }

    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// Replaces `from`, which must be there once, by `to`.
    pub fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = self.read(relative);
        assert_eq!(text.matches(from).count(), 1, "`{from}` must be once in {relative}");
        self.write(relative, &text.replace(from, to));
    }

    /// A TOML file of the folder.
    pub fn toml(&self, relative: &str) -> Value {
        toml::from_str(&self.read(relative)).unwrap_or_else(|e| panic!("{relative}: {e}"))
    }

    /// `opsctl` with these arguments: how it reads, and ready to be started.
    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> (String, Command) {
        let args: Vec<String> =
            self.options.iter().cloned().chain(args.into_iter().map(str::to_owned)).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
        command
            .args(&args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", self.folder.path().join("home"))
            // Without it the SDK asks the instance's metadata for credentials, which nobody answers here.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        (format!("opsctl {}", args.join(" ")), command)
    }

    /// Runs `opsctl` until `enough`, and kills it without a warning.
    pub fn kill_when<'a>(&self, args: impl IntoIterator<Item = &'a str>, mut enough: impl FnMut() -> bool) {
        let (name, mut command) = self.command(args);
        let mut running = command.as_std_mut().spawn().expect("the binary starts");
        while !enough() {
            let ended = running.try_wait().expect("our own child can be asked");
            assert!(ended.is_none(), "{name} ended before it could be killed: {ended:?}");
            pause(Duration::from_millis(20));
        }
        running.kill().expect("it can be killed");
        running.wait().expect("our own child can be awaited");
    }

    /// Runs `opsctl`, sends it a signal as soon as its process is far `enough`, and waits for its end.
    #[must_use = "check at least how it ended"]
    pub fn signal_when<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
        signal: Signal,
        mut enough: impl FnMut(u32) -> bool,
    ) -> Ran {
        let args: Vec<&str> = args.into_iter().collect();
        let (name, _) = self.command(args.iter().copied());
        let mut command = self.through(heard(signal), args);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn().expect("the binary starts");
        while !enough(running.id()) {
            let ended = running.try_wait().expect("our own child can be asked");
            assert!(ended.is_none(), "{name} ended before the signal: {ended:?}");
            pause(Duration::from_millis(20));
        }
        let process = Pid::from_child(&running);
        kill_process(process, signal).expect("our own child takes signals");
        let output = running.wait_with_output().expect("our own child can be awaited");
        Ran::new(name, output, self.folder.path())
    }

    /// `opsctl` with these arguments as the last arguments of another program, such as one that is a
    /// terminal.
    pub fn through<'a>(
        &self,
        mut program: std::process::Command,
        args: impl IntoIterator<Item = &'a str>,
    ) -> std::process::Command {
        let (_, mut command) = self.command(args);
        let command = command.as_std_mut();
        program.arg(command.get_program()).args(command.get_args()).env_clear();
        program.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        program.current_dir(self.path(""));
        program
    }

    /// Where the sandbox of this world keeps its state.
    pub fn sandbox_folder(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    /// Runs `opsctl` with its results going to `stdout`, which nothing is read from.
    #[must_use = "check at least how it ended"]
    pub fn run_into<'a>(&self, args: impl IntoIterator<Item = &'a str>, stdout: impl Into<Stdio>) -> Ran {
        let (command, mut process) = self.command(args);
        let output = process.as_std_mut().stdout(stdout).stderr(Stdio::piped()).spawn();
        let output = output.and_then(std::process::Child::wait_with_output);
        Ran::new(command, output.expect("the binary starts"), self.folder.path())
    }

    /// Runs `opsctl` to its end, with nobody at the terminal.
    #[must_use = "check at least how it ended"]
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        let (command, mut process) = self.command(args);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let output = runtime.block_on(async { tokio::time::timeout(LIMIT, process.output()).await });
        let output = output.unwrap_or_else(|_| panic!("{command}\nhas not ended after {LIMIT:?}"));
        Ran::new(command, output.expect("the binary starts"), self.folder.path())
    }
}

/// Copies a folder, links as what they lead to.
pub fn copy(from: &Path, to: &Path) {
    let copied = || -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let (path, name) = entry.map(|e| (e.path(), e.file_name()))?;
            if path.is_dir() {
                copy(&path, &to.join(name));
            } else {
                fs::copy(&path, to.join(name))?;
            }
        }
        Ok(())
    };
    copied().unwrap_or_else(|e| panic!("{} cannot be copied: {e}", from.display()));
}

/// A program that becomes another one, which hears the signal also where these tests run with `nohup`, as in
/// many pipelines.
fn heard(signal: Signal) -> std::process::Command {
    let mut env = std::process::Command::new("/usr/bin/env");
    if signal == Signal::HUP && cfg!(target_os = "linux") {
        env.arg("--default-signal=HUP");
    }
    env
}
