//! Puts packages beside a function's code: by pip or uv, for Lambda's Python and processor, whatever this
//! machine has (<https://docs.aws.amazon.com/lambda/latest/dg/python-package.html>).

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::packages::Packages;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::engine::{Event, OpCx};

const WHAT: &str = "installing the function's packages";

/// The files of the packages, by their path in the zip. They are kept by their digest, and installed once.
pub async fn files(cx: &OpCx<'_>, packages: &Packages) -> OpResult<Vec<(String, Vec<u8>)>> {
    let kept = cx.cache.join(format!("packages-{}", packages.digest));
    if !kept.is_dir() {
        let line =
            format!("installing {} for {}, {}", packages.file, packages.runtime, packages.architecture);
        cx.tell(|step, target| Event::StepLog { step, target, line });
        let (packages, kept) = (packages.clone(), kept.clone());
        let installing = tokio::task::spawn_blocking(move || install(&packages, &kept));
        installing.await.expect("installing does not panic").map_err(failed)?;
    }
    let reading = tokio::task::spawn_blocking(move || read(&kept));
    reading.await.expect("reading does not panic").map_err(|e| OpError::local(WHAT, e))
}

fn failed(message: String) -> OpError {
    OpError::new(WHAT, OpErrorKind::NotPacked, message)
}

/// Installs into a folder that gets its name when all is there.
fn install(packages: &Packages, kept: &Path) -> Result<(), String> {
    let local = |error: io::Error| format!("{}: {error}", kept.display());
    let cache = kept.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(cache).map_err(local)?;
    let folder = tempfile::tempdir_in(cache).map_err(local)?;
    let target = folder.path().join("packages");
    let python = packages.runtime.trim_start_matches("python");
    let machine = if packages.architecture == "arm64" { "aarch64" } else { "x86_64" };
    let mut command = installer(python, machine).ok_or("there is neither pip nor uv; install one of them")?;
    command.args(["--only-binary", ":all:", "--no-compile", "--quiet", "--target"]).arg(&target);
    command.args(["-r", packages.file]).current_dir(&packages.root);
    command.stdin(std::process::Stdio::null());
    let Output { status, stderr, .. } = command.output().map_err(local)?;
    if !status.success() {
        return Err(said(&String::from_utf8_lossy(&stderr)));
    }
    // Nothing but comments is a requirement too.
    std::fs::create_dir_all(&target).map_err(local)?;
    match std::fs::rename(&target, kept) {
        // Another run was faster.
        Err(_) if kept.is_dir() => Ok(()),
        renamed => renamed.map_err(local),
    }
}

/// pip or uv, told for which machine.
fn installer(python: &str, machine: &str) -> Option<Command> {
    let answers = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if answers("python3", &["-m", "pip", "--version"]) {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--disable-pip-version-check", "--implementation", "cp"]);
        command.args(["--python-version", python]);
        for libc in libcs(python) {
            command.args(["--platform", format!("{libc}_{machine}").as_str()]);
        }
        return Some(command);
    }
    if answers("uv", &["--version"]) {
        let mut command = Command::new("uv");
        command.args(["pip", "install", "--python-version", python]);
        command.args(["--python-platform", format!("{machine}-manylinux2014").as_str()]);
        return Some(command);
    }
    None
}

/// The platforms whose wheels run there: Amazon Linux 2 has glibc 2.26, Amazon Linux 2023, from Python 3.12
/// on, 2.34 (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>).
fn libcs(python: &str) -> &'static [&'static str] {
    let minor = python.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    match minor.is_some_and(|minor| minor >= 12) {
        true => &["manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014"],
        false => &["manylinux_2_24", "manylinux_2_17", "manylinux2014"],
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

/// All files, but for what differs from machine to machine and no function needs.
fn read(root: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let name = relative.rsplit('/').next().unwrap_or_default();
            if path.is_dir() {
                if relative != "bin" && name != "__pycache__" {
                    folders.push(path);
                }
                continue;
            }
            let of_installer = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];
            if !(relative.contains(".dist-info/") && of_installer.contains(&name)) {
                files.push((relative, std::fs::read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}
