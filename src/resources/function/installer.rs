//! pip or uv for Lambda's machine, and what they leave.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// pip for Lambda's machine: its first two arguments are the Python and the processor.
const PIP: &str = include_str!("install.py");

/// pip or uv, told for which machine; what follows is the folder to fill.
pub fn installer(python: &str, machine: &str) -> Option<Command> {
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

/// All files, but for what differs from machine to machine and no function needs.
pub fn read(root: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
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
        for name in ["arm", "windows"] {
            wheel(folder.path(), name, "");
        }
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
