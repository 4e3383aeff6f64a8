//! A sandbox in another process, seen from outside: whether it answers, and how it is ended.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use rustix::io::FdFlags;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::clock::real_sleep;
use super::{Holder, SandboxError, SandboxRoot, User};

/// What its own paths need at most, on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);
/// What it needs to end: the user's processes have a moment to do so.
const END: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// From its lock to its announcement.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);
const BETWEEN_SIGNS: Duration = Duration::from_secs(20);

/// Makes this process one of its own: the Ctrl-C and the end of the terminal that it was started from are not
/// about it.
pub fn leave_terminal() {
    // A process that leads a group already is in nobody's foreground.
    let _ = rustix::process::setsid();
}

/// Marks what this process has inherited (a lock of a script, a pipe of a pipeline) as closed in the
/// processes that it starts from now on. What Rust opens is so already.
pub fn inherit_nothing() {
    let names = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        close_on_exec(number);
    }
}

#[expect(unsafe_code, reason = "what was inherited has no owner here that could be borrowed from")]
fn close_on_exec(number: RawFd) {
    // SAFETY: It is used for this one call. If it was closed meanwhile, the call fails; if the number was
    // given to something else of this process, that was opened by Rust and has the flag.
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = rustix::io::fcntl_setfd(inherited, FdFlags::CLOEXEC);
}

impl Holder {
    /// Whether it answers. From then on it is not idle for as long as it waits for requests.
    pub async fn answers(&self) -> bool {
        self.ask("GET", "health", "").await.is_ok()
    }

    /// Whether its state is at this place: folders can be moved, and then it ends.
    pub fn is_of(&self, root: &Path) -> bool {
        let began = self.root.as_ref();
        began.is_none_or(|began| std::fs::canonicalize(root).is_ok_and(|root| root == *began))
    }

    /// Asks it to end, and waits until nobody holds its root.
    ///
    /// # Errors
    /// It is still there after a while.
    pub async fn end(&self, root: &Path) -> io::Result<()> {
        // It may have ended before its answer was sent.
        let asked = self.ask("POST", "stop", "").await;
        match (Self::gone(root).await, asked) {
            (Ok(()), _) => Ok(()),
            (Err(_), Err(error)) => Err(error),
            (Err(late), Ok(_)) => Err(late),
        }
    }

    /// Who holds a root, if anybody does. One that does not say where it serves may be about to: for a
    /// moment, that is waited for.
    pub async fn of(root: &Path) -> Option<Self> {
        let held = || match SandboxRoot::find(root) {
            Err(SandboxError::Held { holder, .. }) => Some(holder),
            _ => None,
        };
        let told = async {
            loop {
                match held() {
                    Some(silent) if silent.endpoint.is_none() => real_sleep(BETWEEN_LOOKS).await,
                    known => return known,
                }
            }
        };
        timeout(ANNOUNCEMENT, told).await.unwrap_or_else(|_| held())
    }

    /// Waits until nobody holds a root.
    ///
    /// # Errors
    /// Somebody still does after a while.
    pub async fn gone(root: &Path) -> io::Result<()> {
        let gone = async {
            while matches!(SandboxRoot::find(root), Err(SandboxError::Held { .. })) {
                real_sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(END, gone).await.map_err(io::Error::from)
    }

    /// Says that this process uses it, for a command of this name.
    pub async fn note_use(&self, command: &str) {
        let user = User { pid: std::process::id(), command: command.to_owned() };
        let user = serde_json::to_string(&user).expect("plain data");
        // One of an older build has no list of them.
        let _ = self.ask("POST", "users", &user).await;
    }

    /// The commands of other processes that use it. One that does not answer is used by nobody.
    pub async fn others(&self) -> Vec<User> {
        let users = self.ask("GET", "users", "").await.unwrap_or_default();
        let users: Vec<User> = serde_json::from_str(&users).unwrap_or_default();
        users.into_iter().filter(|user| user.pid != std::process::id()).collect()
    }

    /// Keeps it from ending as one that nobody needs, for as long as this is awaited: at a prompt, a command
    /// asks for nothing.
    pub async fn keep_awake(&self, command: &str) {
        loop {
            real_sleep(BETWEEN_SIGNS).await;
            self.note_use(command).await;
        }
    }

    /// The body of its answer.
    async fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let address = self.endpoint.as_deref().and_then(|url| url.strip_prefix("http://"));
        let address: SocketAddr = address
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| io::Error::other("it serves nowhere"))?;
        let answer = async {
            let mut stream = TcpStream::connect(address).await?;
            let request = format!(
                "{method} /_sandbox/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(1 << 16).read_to_end(&mut answer).await?;
            match answer.starts_with(b"HTTP/1.1 200 ") {
                true => Ok(String::from_utf8_lossy(&answer)
                    .split_once("\r\n\r\n")
                    .map(|(_, body)| body.to_owned())
                    .unwrap_or_default()),
                false => Err(io::Error::other("it does not answer as a sandbox does")),
            }
        };
        timeout(ANSWER, answer).await?
    }
}
