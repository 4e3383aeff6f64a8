//! Programs that run beside a test and never outlive it.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the program, and all it started, when the standard input ends: when the test drops the server,
/// panics, or is killed. They are a process group of their own, so nobody else is hit.
const LEASH: &str = r#"{ "$@" </dev/null; kill -KILL 0; } & cat >/dev/null; kill -KILL 0"#;
/// The first start of moto takes 8 s on an idle machine.
const START: Duration = Duration::from_secs(120);

/// A running program.
pub struct Server {
    leash: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program on a leash; it writes to `<folder>/<name>.log`.
    pub fn start(name: &str, command: &Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("the folder is ours");
        let mut leash = Command::new("sh");
        leash.args(["-c", LEASH, name]).arg(command.get_program()).args(command.get_args());
        leash.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(folder);
        leash
            .env_remove("AWS_PROFILE")
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("a file can be shared"))
            .stderr(file);
        let leash =
            leash.process_group(0).spawn().unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        Self { leash, log }
    }

    /// Waits until it takes connections.
    pub fn listening_on(mut self, port: u16) -> Self {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.leash.try_wait().expect("our own child can be asked");
            assert!(ended.is_none() && start.elapsed() < START, "no server on port {port}:\n{}", self.log());
            pause(Duration::from_millis(100));
        }
        self
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        // It was killed, as it should be.
        let _ = self.leash.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    free.local_addr().expect("it is bound").port()
}

#[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
