//! A sandbox that stays after its command, so that the next one finds the model loaded
//! (docs/decisions/0046-a-sandbox-that-stays.md).

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use opsctl_sandbox::{Holder, SandboxError, SandboxRoot};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::environment::Environment;
use super::ui::Screen;
use crate::domain::HumanDuration;

/// How long it waits for the next command.
pub const IDLE: HumanDuration = HumanDuration::minutes(5);

/// What a start needs at most, on a busy machine.
const START: Duration = Duration::from_secs(30);

/// Which build this is: one that was built again is another, whatever its version.
pub fn this_program() -> String {
    let file = std::env::current_exe().unwrap_or_default();
    let about = std::fs::metadata(&file).ok();
    let (size, time) = about.map_or((0, None), |about| (about.len(), about.modified().ok()));
    let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{} {size} {}", file.display(), since.as_nanos())
}

/// The address of a sandbox that stays: the one there is, or a new one. `None`: it cannot be had here, and
/// the command needs one of its own.
///
/// # Errors
/// Who has it, and neither answers nor ends.
pub async fn find_or_start(
    root: &Path,
    idle: HumanDuration,
    quiet: bool,
    env: &Environment,
) -> Result<Option<String>, Holder> {
    /// Another command may be starting or ending one at this moment.
    const TRIES: usize = 3;
    replace_other_build(root).await;
    for _ in 0..TRIES {
        match Holder::of(root).await {
            Some(holder) if holder.endpoint.is_none() => return Ok(None),
            Some(holder) if holder.is_of(root) && holder.answers().await => {
                let address = holder.endpoint.clone();
                use_it(holder, env).await;
                return Ok(address);
            }
            // It ends when its user wants it.
            Some(holder) if !holder.background => return Err(holder),
            // It is ending.
            Some(holder) => Holder::gone(root).await.map_err(|_| holder)?,
            None => match start(root, idle, quiet, env).await {
                // The next look finds it, or the one that was faster.
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(%error, "no sandbox can be started in the background");
                    return Ok(None);
                }
            },
        }
    }
    Ok(None)
}

/// Ends a sandbox that another build has left in the background: this one may understand its state otherwise.
pub async fn replace_other_build(root: &Path) {
    let other = |holder: &Holder| holder.background && holder.program != this_program();
    if let Some(holder) = at_once(root).filter(other)
        && holder.others().await.is_empty()
    {
        let ended = holder.end(root).await;
        tracing::debug!(?ended, "a sandbox of another build");
    }
}

/// Who has the sandbox, if anybody has, as far as that is known by now.
pub fn at_once(root: &Path) -> Option<Holder> {
    match SandboxRoot::find(root) {
        Err(SandboxError::Held { holder, .. }) => Some(holder),
        _ => None,
    }
}

/// Says that this command uses it, and keeps it there until this process ends.
pub async fn use_it(holder: Holder, env: &Environment) {
    let command = env.command.clone();
    holder.note_use(&command).await;
    tokio::spawn(async move { holder.keep_awake(&command).await });
}

/// Starts one, and waits until it serves or has ended, most likely because another was faster.
async fn start(root: &Path, idle: HumanDuration, quiet: bool, env: &Environment) -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sandbox", "serve", "-o", "json", "--background", &idle.to_string()]);
    command.env("OPSCTL_SANDBOX", std::path::absolute(root)?).env_remove("OPSCTL_CONFIG");
    if let Some(cache) = &env.cache {
        command.env("OPSCTL_CACHE", std::path::absolute(cache)?);
    }
    // It keeps no folder busy, and nothing open that is ours or of whoever runs us: both pipes end with this
    // process.
    opsctl_sandbox::inherit_nothing();
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(words) = child.stderr.take().filter(|_| !quiet) {
        tokio::spawn(pass_on(words, env.screen.clone()));
    }
    // It says where it serves once it does; the announcement has that too.
    if let Some(answer) = child.stdout.take() {
        timeout(START, BufReader::new(answer).read_line(&mut String::new())).await??;
    }
    Ok(())
}

/// What it says while this command waits: packages are being installed, something was lost.
async fn pass_on(words: impl AsyncRead + Unpin, screen: Screen) {
    let mut lines = BufReader::new(words).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.starts_with("sandbox: ") {
            screen.write(&format!("{line}\n"));
        }
    }
}
