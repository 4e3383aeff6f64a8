//! One local process in a process group of its own, which never outlives the sandbox.
//!
//! - The parent's environment is cleared: the program sees only what its contract gives it.
//! - stdout and stderr are one pipe, so their lines keep the order in which they were written.
//! - The whole group dies with the leader, with the [`Process`] that is dropped, and with this program, even
//!   when it is killed with SIGKILL: a watcher inside the group reads a pipe that ends when we end.
//!   (`PR_SET_PDEATHSIG` would do it on Linux only, and only for the leader.)

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

/// One line that a program wrote, without its line end.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was read, by the wall clock (the caller maps it onto the sandbox's clock if that runs faster).
    pub at: SystemTime,
    pub text: String,
}

/// Where lines go. Called from a tokio worker: it must not block.
pub type LineSink = Arc<dyn Fn(Line) + Send + Sync>;

/// CloudWatch Logs cuts an event at 256 KiB; it also bounds what a program without line ends makes us hold.
const LONGEST_LINE: u64 = 256 * 1024;

/// How long the pipe is still read after the group is gone: only a process that left the group can hold it.
const DRAIN: Duration = Duration::from_secs(1);

/// Starts the watcher, then becomes the program: the process we spawned, its pid, its signals and its exit
/// status are the program's own. The watcher is forked twice, so that it is not a child that the program
/// could wait for.
const KEEPER: &str = "exec 3<&0 </dev/null 2>&1\n\
    ( ( trap '' TERM INT; cat <&3; kill -TERM 0; sleep 5; kill -KILL 0 ) >/dev/null 2>&1 & )\n\
    exec 3<&-\n\
    exec \"$@\"\n";

/// The system directories of every runner's PATH.
pub const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    pub executable: PathBuf,
    pub arguments: Vec<OsString>,
    pub directory: PathBuf,
    /// The whole environment; nothing is inherited.
    pub environment: BTreeMap<String, String>,
}

impl Program {
    /// A program that is to run in a folder.
    pub fn new(executable: impl Into<PathBuf>, directory: &Path) -> Self {
        let environment = [("PATH", SYSTEM_PATH), ("LANG", "C.UTF-8")];
        Self {
            executable: executable.into(),
            arguments: Vec::new(),
            directory: directory.to_owned(),
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    /// With these arguments.
    pub fn args<I: IntoIterator<Item = T>, T: Into<OsString>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With these variables.
    pub fn envs<I, N, V>(mut self, variables: I) -> Self
    where
        I: IntoIterator<Item = (N, V)>,
        N: Into<String>,
        V: Into<String>,
    {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The command as a person would type it, without its environment: it goes into `FailureReason`.
    pub fn shown(&self) -> String {
        let words = std::iter::once(self.executable.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A process group with a pid as long as it lives; none afterwards, so that a reused pid is never signaled.
#[derive(Debug)]
struct Group(Mutex<Option<Pid>>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that nobody of the group is left, which is what the signal is for.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn end(&self) {
        self.signal(Signal::KILL);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A running (or ended) program. Dropping it kills its process group.
#[derive(Debug)]
pub struct Process {
    group: Arc<Group>,
    pid: u32,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `program`; each line of its output goes to `sink`.
    pub fn start(program: &Program, sink: LineSink) -> std::io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&program.executable)
            .args(&program.arguments)
            .current_dir(&program.directory)
            .env_clear()
            .envs(&program.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().expect("a child that was not awaited yet has a pid");
        let leader = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid is a positive i32");
        let group = Arc::new(Group(Mutex::new(Some(leader))));
        let alive = child.stdin.take().expect("stdin is a pipe");
        let output = child.stdout.take().expect("stdout is a pipe");
        let mut pump = tokio::spawn(pump(output, sink));
        let (send, exit) = watch::channel(None);
        let owned = Arc::clone(&group);
        tokio::spawn(async move {
            let status = child.wait().await;
            owned.end();
            drop(alive);
            if timeout(DRAIN, &mut pump).await.is_err() {
                pump.abort();
            }
            if let Ok(status) = status {
                send.send_replace(Some(status));
            }
        });
        Ok(Self { group, pid, exit })
    }

    /// The system's number of it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until the program ended and all its lines were delivered. None when the runtime shut down
    /// meanwhile.
    pub async fn wait(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => *status,
            Err(_) => None,
        }
    }

    /// SIGTERM to the group, then SIGKILL when `grace` has passed.
    pub async fn terminate(&self, grace: Duration) -> Option<ExitStatus> {
        self.group.signal(Signal::TERM);
        if timeout(grace, self.wait()).await.is_err() {
            self.kill();
        }
        self.wait().await
    }

    /// Ends it at once, with all that it has started.
    pub fn kill(&self) {
        self.group.signal(Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

async fn pump(output: impl AsyncRead + Unpin, sink: LineSink) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while let Ok(read) = (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await {
        if read == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        sink(Line { at: SystemTime::now(), text: text.trim_end_matches(['\n', '\r']).to_owned() });
        bytes.clear();
    }
}

/// Delivers each line to `sink` and keeps the last `limit` of them, for error messages.
pub(super) fn keep_tail(sink: LineSink, limit: usize) -> (LineSink, Tail) {
    let kept = Tail(Arc::default());
    let tail = Tail(Arc::clone(&kept.0));
    let both: LineSink = Arc::new(move |line: Line| {
        {
            let mut lines = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == limit {
                lines.pop_front();
            }
            lines.push_back(line.text.clone());
        }
        sink(line);
    });
    (both, tail)
}

/// The last lines of a program.
#[derive(Debug)]
pub(super) struct Tail(Arc<Mutex<std::collections::VecDeque<String>>>);

impl Tail {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
