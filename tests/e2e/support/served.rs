//! `opsctl sandbox serve` as its own process, for the clients of others.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Server, free_port, python, search_path};

/// A served sandbox with a state of its own, and a folder for its clients.
pub struct Served {
    endpoint: String,
    folder: TempDir,
    server: Server,
}

impl Served {
    /// With further arguments of `sandbox serve`, such as `--speed 60`.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
        command
            .args(["sandbox", "serve", "--port", &port.to_string()])
            .args(arguments)
            .env("OPSCTL_SANDBOX", folder.path().join("sandbox"))
            // Environments with their packages are made once for all tests.
            .env("OPSCTL_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/sandbox-cache"));
        let server = Server::start("opsctl", &command, folder.path()).listening_on(port);
        Self { endpoint: format!("http://127.0.0.1:{port}"), folder, server }
    }

    /// Runs a client that takes the sandbox for AWS, and that writes one JSON document. `python` and `aws`
    /// are those of the virtual environment.
    pub fn client(&self, program: &str, arguments: &[&str]) -> Value {
        self.client_of(python::bin(), program, arguments)
    }

    /// The same with the programs of another virtual environment, by its `bin` folder.
    pub fn client_of(&self, bin: &Path, program: &str, arguments: &[&str]) -> Value {
        let path = search_path();
        let path = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::join_paths(path).expect("they were split"))
            .env("HOME", self.folder.path())
            .envs(self.exported());
        python::document(&mut command)
    }

    /// The variables that it tells people to set, as a shell takes them.
    fn exported(&self) -> Vec<(String, String)> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.strip_prefix("export "));
        let pairs = lines.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the sandbox has said.
    pub fn log(&self) -> String {
        self.server.log()
    }
}
