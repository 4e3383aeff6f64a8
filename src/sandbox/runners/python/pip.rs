//! Runs pip, and says why it could not do its work.

use std::process::Stdio;
use std::time::SystemTime;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{Environments, PythonError, Venv, Wanted};
use crate::runners::process::{Line, LineSink};

/// What pip's complaints have in them when no index answers.
const UNREACHABLE: &[&str] =
    &["NewConnectionError", "Max retries exceeded", "ConnectTimeout", "ProxyError", "name resolution"];
/// Lines from an exception on: some tell below it what to do.
const CAUSE_LINES: usize = 4;

impl Environments {
    /// pip keeps this program's environment: proxies, certificates and the index are the user's own settings.
    pub(super) fn pip(&self, venv: &Venv, index: Option<&str>) -> Command {
        let mut pip = Command::new(venv.python());
        pip.args(["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
            // Bytecode is written at the first import, of what is imported: a third of the time of a large
            // install.
            .args(["--no-compile", "--progress-bar", "off"])
            .args(index.iter().flat_map(|url| ["--extra-index-url", url]));
        pip
    }

    pub(super) async fn run(
        &self,
        command: &mut Command,
        wanted: &Wanted,
        progress: &LineSink,
    ) -> Result<(), PythonError> {
        let failed = |source| PythonError::Io { path: self.cache.clone(), source };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().expect("stdout is a pipe");
        let errors = child.stderr.take().expect("stderr is a pipe");
        let told = async {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                let words = ["Collecting ", "Downloading ", "Building ", "Installing ", "Successfully "];
                let text = text.trim();
                if words.iter().any(|word| text.starts_with(word)) {
                    progress(Line { at: SystemTime::now(), text: text.to_owned() });
                }
            }
        };
        let complaints = async {
            let mut kept = Vec::new();
            let mut lines = BufReader::new(errors).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                kept.push(text);
            }
            kept
        };
        let ((), complaints, status) = tokio::join!(told, complaints, child.wait());
        let status = status.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        Err(self.explain(wanted, command, status.code().unwrap_or(-1), complaints))
    }

    fn explain(&self, wanted: &Wanted, command: &Command, code: i32, log: Vec<String>) -> PythonError {
        let packages = wanted.shown();
        let sign_of = |line: &&String| UNREACHABLE.iter().any(|sign| line.contains(sign));
        if let Some(line) = log.iter().find(sign_of) {
            let said = without_credentials(line);
            return PythonError::Offline { packages, cache: self.cache.clone(), said };
        }
        let said = reason(&log);
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let command = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        PythonError::Install { packages, command, code, said, log }
    }
}

/// What pip says is wrong, and last why, as what is too long is cut at its beginning.
fn reason(log: &[String]) -> String {
    let errors = log.iter().map(String::as_str).filter(|line| line.contains("ERROR"));
    let mut said: Vec<&str> = errors.collect();
    said.extend(cause_of_build(log));
    if said.is_empty() {
        said = log[log.len().saturating_sub(3)..].iter().map(String::as_str).collect();
    }
    without_credentials(&said.join(" "))
}

/// The lines with the exception that ended the build of a package: pip shows what the build has written in a
/// block of its own, and says below it that it is not to blame.
fn cause_of_build(log: &[String]) -> Vec<&str> {
    let Some(begin) = log.iter().position(|line| line.contains(" lines of output]")) else {
        return Vec::new();
    };
    let end = log.iter().rposition(|line| line.contains("[end of output]")).unwrap_or(log.len());
    let block = log.get(begin + 1..end).unwrap_or_default().iter().map(|line| line.trim());
    let block: Vec<&str> = block.filter(|line| !line.is_empty()).collect();
    let is_exception = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        let is_name = !name.contains(char::is_whitespace);
        line.starts_with("error: ")
            || is_name && ["Error", "Exception", "Exit"].iter().any(|word| name.contains(word))
    };
    let from = block.iter().rposition(is_exception).unwrap_or(block.len().saturating_sub(1));
    block[from..].iter().take(CAUSE_LINES).copied().collect()
}

impl PythonError {
    /// Puts into the log what pip complained of: on AWS the log has all of it.
    pub(super) fn tell(&self, progress: &LineSink) {
        if let Self::Install { log, .. } | Self::Image { log, .. } = self {
            for line in log {
                progress(Line { at: SystemTime::now(), text: without_credentials(line) });
            }
        }
    }

    /// The same of what is installed for each job.
    pub(super) fn of_each_job(self) -> Self {
        match self {
            Self::Offline { packages, said, .. } => Self::OfflineAgain { packages, said },
            other => other,
        }
    }
}

/// An index URL may hold a user and a password, and pip repeats it.
fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => &after[at + 1..],
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runners::python::Python;

    #[test]
    fn credentials_of_an_index_are_not_repeated() {
        let said =
            without_credentials("Could not fetch https://me:secret@pypi.example/simple/x and http://a/b@c");
        assert_eq!(said, "Could not fetch https://pypi.example/simple/x and http://a/b@c");
    }

    #[test]
    fn no_network_and_a_wrong_requirement_are_told_apart() {
        let python =
            Python { executable: "python3".into(), version: (3, 12, 0), ensurepip: true, manylinux: true };
        let environments = Environments { python, cache: "/cache".into() };
        let explain = |complaints: &[&str]| {
            let complaints: Vec<String> = complaints.iter().map(|line| (*line).to_owned()).collect();
            environments.explain(&Wanted::of(&["numpy"]), Command::new("pip").arg("install"), 1, complaints)
        };
        let nothing_found = "ERROR: No matching distribution found for numpy";
        let offline =
            explain(&["WARNING: Retrying after 'NewConnectionError('http://me:pw@host/')", nothing_found]);
        assert!(matches!(offline, PythonError::Offline { .. }), "{offline}");
        assert!(!offline.to_string().contains("pw"), "{offline}");
        assert_eq!(
            explain(&[nothing_found]).to_string(),
            format!("pip could not install numpy: {nothing_found}")
        );
    }

    /// As pip 24 and 26 write it.
    #[test]
    fn of_a_package_that_does_not_build_the_exception_is_told() {
        let log = |ending: &str| -> Vec<String> {
            let lines = [
                "  error: subprocess-exited-with-error",
                "  × Getting requirements to build wheel did not run successfully.",
                "  ╰─> [29 lines of output]",
                "      Traceback (most recent call last):",
                "        File \"setup.py\", line 9",
                "      Exception: No valid pkg-config name.",
                "      Specify MYSQLCLIENT_CFLAGS by hand",
                "      [end of output]",
                "  note: This error originates from a subprocess, and is likely not a problem with pip.",
                ending,
            ];
            lines.map(str::to_owned).to_vec()
        };
        let cause = "Exception: No valid pkg-config name. Specify MYSQLCLIENT_CFLAGS by hand";
        assert_eq!(reason(&log("╰─> See above for output.")), cause);
        let failed = "ERROR: Failed to build 'mysqlclient' when getting requirements to build wheel";
        assert_eq!(reason(&log(failed)), format!("{failed} {cause}"));
        assert_eq!(reason(&["a", "b", "c", "d"].map(str::to_owned)), "b c d");
    }
}
