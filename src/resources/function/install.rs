//! Puts packages beside a function's code: by pip or uv, for Lambda's Python and processor, whatever this
//! machine has (<https://docs.aws.amazon.com/lambda/latest/dg/python-package.html>).

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::task::spawn_blocking;

use super::packages::Packages;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::engine::{Event, OpCx};
use crate::inputs::PartFolder;

const WHAT: &str = "installing the function's packages";
/// pip for Lambda's machine: its first two arguments are the Python and the processor.
const PIP: &str = include_str!("install.py");

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

/// pip or uv, told for which machine; what follows is the folder to fill.
fn installer(python: &str, machine: &str) -> Option<Command> {
    let answers = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let pip = ["-c", PIP, python, machine];
    let mut command = if answers("python3", &[&pip[..], &["--version"]].concat()) {
        let mut command = Command::new("python3");
        command.args(pip).args(["install", "--disable-pip-version-check", "--implementation", "cp"]);
        command.args(["--python-version", python]);
        for libc in libcs(python) {
            command.args(["--platform", format!("{libc}_{machine}").as_str()]);
        }
        command
    } else if answers("uv", &["--version"]) {
        let mut command = Command::new("uv");
        command.args(["pip", "install", "--python-version", python]);
        command.args(["--python-platform", format!("{machine}-manylinux2014").as_str()]);
        command
    } else {
        return None;
    };
    command.args(["--only-binary", ":all:", "--no-compile", "--quiet", "--target"]);
    Some(command)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;

    /// A wheel of nothing but what it says of itself.
    fn wheel(folder: &Path, name: &str, says: &str) {
        let about = format!("{name}-1.dist-info");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{says}");
        let files = [
            (format!("{name}.py"), String::new()),
            (format!("{about}/METADATA"), metadata),
            (
                format!("{about}/WHEEL"),
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
            ),
            (format!("{about}/RECORD"), format!("{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n")),
        ];
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
        std::fs::write(folder.join(format!("{name}-1-py3-none-any.whl")), archive::zip(&files)).unwrap();
    }

    /// Whatever machine installs them: one of the two has another Python than this.
    #[test]
    fn markers_are_those_of_the_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let asks = "Requires-Dist: old ; python_version < '3.12'\n\
                    Requires-Dist: new ; python_full_version >= '3.12'\n\
                    Requires-Dist: arm ; platform_machine == 'aarch64'\n\
                    Requires-Dist: windows ; sys_platform == 'win32'\n";
        wheel(folder.path(), "outer", asks);
        wheel(folder.path(), "old", "Requires-Python: <3.12\n");
        wheel(folder.path(), "new", "Requires-Python: >=3.12\n");
        ["arm", "windows"].map(|name| wheel(folder.path(), name, ""));
        // No modules of the installer's.
        for name in ["runpy.py", "platform.py"] {
            std::fs::write(folder.path().join(name), "raise SystemExit(1)").unwrap();
        }
        std::fs::write(folder.path().join("requirements.txt"), "outer\n").unwrap();
        for (python, machine, expected) in
            [("3.10", "x86_64", vec!["old", "outer"]), ("3.14", "aarch64", vec!["arm", "new", "outer"])]
        {
            let target = folder.path().join(python);
            let mut command = installer(python, machine).expect("pip or uv is there");
            command.arg(&target).args(["--no-index", "--find-links", ".", "-r", "requirements.txt"]);
            let output = command.current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let files = read(&target).unwrap();
            let modules: Vec<&str> = files.iter().filter_map(|(path, _)| path.strip_suffix(".py")).collect();
            assert_eq!(modules, expected, "{python} {machine}");
        }
    }
}
