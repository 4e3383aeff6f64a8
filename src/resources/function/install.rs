//! Puts packages beside a function's code: by pip or uv, for Lambda's Python and processor, whatever this
//! machine has (<https://docs.aws.amazon.com/lambda/latest/dg/python-package.html>).

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::task::spawn_blocking;

use super::installer::{installer, read};
use super::packages::Packages;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::engine::{Event, OpCx};
use crate::inputs::PartFolder;

const WHAT: &str = "installing the function's packages";

/// The files of the packages, by their path in the zip. They are kept by their digest, and installed once.
pub async fn files(cx: &OpCx<'_>, packages: &Packages) -> OpResult<Vec<(String, Vec<u8>)>> {
    let kept = cx.cache.join(format!("packages-{}", packages.digest));
    if !kept.is_dir() {
        let line =
            format!("installing {} for {}, {}", packages.file, packages.runtime, packages.architecture);
        cx.tell(|step, target| Event::StepLog { step, target, line });
        install(cx, packages, &kept).await?;
    }
    let reading = spawn_blocking(move || read(&kept));
    reading.await.expect("reading does not panic").map_err(|e| OpError::local(WHAT, e))
}

fn failed(message: String) -> OpError {
    OpError::new(WHAT, OpErrorKind::NotPacked, message)
}

/// Installs into a folder that gets its name when all is there.
async fn install(cx: &OpCx<'_>, packages: &Packages, kept: &Path) -> OpResult<()> {
    let local = |error: io::Error| failed(format!("{}: {error}", kept.display()));
    let cache = kept.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(cache).map_err(local)?;
    let folder = PartFolder::new(cache).map_err(local)?;
    let target = folder.path().join("packages");
    let python = packages.runtime.trim_start_matches("python").to_owned();
    let machine = if packages.architecture == "arm64" { "aarch64" } else { "x86_64" };
    let finding = spawn_blocking(move || installer(&python, machine));
    let command = finding.await.expect("looking does not panic");
    let mut command =
        command.ok_or_else(|| failed("there is neither pip nor uv; install one of them".into()))?;
    command.arg(&target).args(["-r", packages.file]).current_dir(&packages.root);
    let Output { status, stderr, .. } = run(cx, command, local).await?;
    if !status.success() {
        return Err(failed(said(&String::from_utf8_lossy(&stderr))));
    }
    // Nothing but comments is a requirement too.
    std::fs::create_dir_all(&target).map_err(local)?;
    match std::fs::rename(&target, kept) {
        // Another run was faster.
        Err(_) if kept.is_dir() => Ok(()),
        renamed => renamed.map_err(local),
    }
}

/// Runs a program to its end, or to that of the run: then it goes at once, with all that it has started.
async fn run(cx: &OpCx<'_>, command: Command, local: impl Fn(io::Error) -> OpError) -> OpResult<Output> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).kill_on_drop(true).spawn().map_err(&local)?;
    let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let mut group = Group(leader);
    let mut ended = pin!(child.wait_with_output());
    tokio::select! {
        output = &mut ended => {
            group.0 = None;
            output.map_err(local)
        }
        () = cx.cancel.drain.cancelled() => {
            drop(group);
            // Its output ends with the last of them, which then writes nothing any more.
            let _ = ended.await;
            Err(cx.cancel.stopped(WHAT))
        }
    }
}

/// The processes of a program, which do not outlive this.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // An error means that nobody is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// What an installer complained of last.
fn said(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("ERROR:")).collect();
    let last = if errors.is_empty() { lines } else { errors };
    match last.last() {
        Some(line) => line.trim_start_matches("ERROR:").trim().chars().take(600).collect(),
        None => "the installer gave no reason".to_owned(),
    }
}
