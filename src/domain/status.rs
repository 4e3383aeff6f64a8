//! The status of a resource: AWS's word and our phase.

use serde::{Deserialize, Serialize};

use super::shown;

/// Our reading of an AWS status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Ready,
    /// AWS is working on it; it will become ready or failed without a further call.
    Busy,
    /// It will not become ready by itself.
    Failed,
    /// It is on its way out, or only what hung on it is left: nothing to build on. Its name is free when it
    /// is gone.
    Leaving,
    /// Switched off on purpose (a stopped notebook): complete, and costs less.
    Stopped,
}

/// AWS's status word, our reading, and AWS's reason where it gave one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// AWS's own word: `InService`, `Creating`, `Completed`.
    pub word: String,
    pub phase: Phase,
    pub reason: Option<String>,
}

impl Status {
    /// In AWS's own word, with what it means for a run.
    pub fn new(word: impl Into<String>, phase: Phase) -> Self {
        Self { word: word.into(), phase, reason: None }
    }

    /// Complete, in AWS's own word.
    pub fn ready(word: impl Into<String>) -> Self {
        Self::new(word, Phase::Ready)
    }

    /// What happened, as a line that may be shown: a reason may be a whole traceback and hold anything.
    pub fn cause(&self) -> Option<String> {
        let reason = self.reason.as_deref()?.trim();
        let cause = match Toolkit::read(reason) {
            Some(Toolkit { error, exit_code }) => match own_error(error).or_else(|| last_line(error)) {
                Some(said) => said.to_owned(),
                None => without_words(exit_code),
            },
            None => own_error(reason).or_else(|| reason.lines().next())?.trim().to_owned(),
        };
        Some(shown::line(&cause).into_owned())
    }

    /// With AWS's reason, if it gives one.
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason.filter(|r| !r.is_empty());
        self
    }
}

/// What the toolkit in AWS's images says of a script that failed: its exit code and the end of what it wrote
/// to stderr
/// (<https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/errors.py>).
struct Toolkit<'r> {
    error: &'r str,
    exit_code: &'r str,
}

impl<'r> Toolkit<'r> {
    fn read(reason: &'r str) -> Option<Self> {
        let (before, error) = reason.split_once("ErrorMessage \"")?;
        // The command comes last, after the quote that ends the message; SageMaker may cut both off.
        let error = match error.rsplit_once("Command \"").map(|(error, _)| error.trim_end().strip_suffix('"'))
        {
            Some(Some(error)) => error,
            _ => error,
        };
        let exit_code = before.rsplit_once("ExitCode ").map_or("", |(_, code)| code.trim());
        Some(Self { error, exit_code })
    }
}

/// Of a script that said nothing. Python has the number of a signal as a negative exit code.
fn without_words(exit_code: &str) -> String {
    match exit_code.strip_prefix('-') {
        Some("9") => "killed by signal 9, as the kernel does when memory runs out".to_owned(),
        Some(signal) => format!("killed by signal {signal}"),
        None if exit_code.is_empty() => "it said nothing".to_owned(),
        None => format!("exit code {exit_code}, and not a word to stderr"),
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// The line that names Python's exception: the one that ends the last traceback, or else the last that looks
/// like one. More lines of its message may follow, and what others write while the interpreter ends.
fn own_error(text: &str) -> Option<&str> {
    let lines: Vec<&str> = text.lines().map(without_rank).collect();
    let traceback = lines.iter().rposition(|line| line.contains("Traceback (most recent call last)"));
    let of_traceback = traceback.and_then(|at| {
        // Frames are indented.
        lines[at + 1..].iter().find(|line| line.starts_with(|c: char| !c.is_whitespace()))
    });
    of_traceback.or_else(|| lines.iter().rfind(|line| is_exception(line))).map(|line| line.trim())
}

/// `torchrun` writes `[rank0]: ` before each line.
fn without_rank(line: &str) -> &str {
    let rest = line.strip_prefix("[rank").and_then(|rest| rest.split_once("]: "));
    rest.map_or(line, |(_, rest)| rest)
}

/// `ValueError: bad`, `torch.cuda.OutOfMemoryError: …`, `KeyboardInterrupt`.
fn is_exception(line: &str) -> bool {
    let name = line.split_once(':').map_or(line, |(name, _)| name).trim_end();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let class = name.rsplit('.').next().unwrap_or(name);
    name.split('.').all(is_name)
        && class.starts_with(|c: char| c.is_ascii_uppercase())
        && ["Error", "Exception", "Interrupt"].iter().any(|end| class.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As SageMaker hands it on.
    fn toolkit(exit_code: &str, stderr: &str) -> String {
        format!(
            "AlgorithmError: ExecuteUserScriptError:\nExitCode {exit_code}\nErrorMessage \"{stderr}\"\n\
             Command \"/opt/conda/bin/python3.12 train.py --n 1\", exit code: 1"
        )
    }

    fn traceback(exception: &str) -> String {
        format!(
            "Traceback (most recent call last):\n  File \"/opt/ml/code/train.py\", line 3, in <module>\n    \
             main()\n{exception}\n"
        )
    }

    #[test]
    fn the_cause_is_the_error_of_the_script_itself() {
        let cuda = "RuntimeError: CUDA error: device-side assert triggered\nCUDA kernel errors might be \
                    asynchronously reported at some other API call.\nFor debugging consider passing \
                    CUDA_LAUNCH_BLOCKING=1.\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side \
                    assertions.\n";
        let pydantic = "pydantic_core._pydantic_core.ValidationError: 1 validation error for Config\nlr\n  \
                        Input should be a valid number\n    For further information visit \
                        https://errors.pydantic.dev/2.5";
        let pydantic_said = "pydantic_core._pydantic_core.ValidationError: 1 validation error for Config";
        let cuda_said = "RuntimeError: CUDA error: device-side assert triggered";
        let chained = format!(
            "{}\nDuring handling of the above exception, another exception occurred:\n\n{}",
            traceback("KeyError: 'lr'"),
            traceback("ValueError: no learning rate")
        );
        let at_exit =
            traceback("ValueError: bad") + "UserWarning: resource_tracker: 1 leaked semaphore objects\n";
        let no_words = "exit code 3, and not a word to stderr";
        for (stderr, cause) in [
            (traceback("ValueError: bad thing"), "ValueError: bad thing"),
            (traceback("ValueError: unknown name \"x\""), "ValueError: unknown name \"x\""),
            (traceback("OSError: Command \"git\" failed"), "OSError: Command \"git\" failed"),
            (traceback(cuda), cuda_said),
            (cuda.to_owned(), cuda_said),
            (traceback(pydantic), pydantic_said),
            (chained, "ValueError: no learning rate"),
            (at_exit, "ValueError: bad"),
            (traceback("mylib.Stop"), "mylib.Stop"),
            (
                "  File \"train.py\", line 1\n    def x(:\n          ^\nSyntaxError: invalid syntax\n".into(),
                "SyntaxError: invalid syntax",
            ),
            (
                "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"t.py\", line 1\n\
                 [rank0]: torch.OutOfMemoryError: CUDA out of memory.\n"
                    .into(),
                "torch.OutOfMemoryError: CUDA out of memory.",
            ),
            ("loading\nno GPU here\n\n".into(), "no GPU here"),
            ("KeyError: 'x'".into(), "KeyError: 'x'"),
            ("\u{1b}[31mred\u{1b}]0;title\u{7}".into(), "\\u{1b}[31mred\\u{1b}]0;title\\u{7}"),
            (String::new(), no_words),
        ] {
            let status = Status::new("Failed", Phase::Failed).because(Some(toolkit("3", &stderr)));
            assert_eq!(status.cause().as_deref(), Some(cause), "{stderr}");
        }
        for (reason, cause) in [
            ("CapacityError: no instances".to_owned(), "CapacityError: no instances"),
            (toolkit("-9", ""), "killed by signal 9, as the kernel does when memory runs out"),
            (toolkit("-11", ""), "killed by signal 11"),
            (
                "AlgorithmError: my own words\nsecond line, exit code: 1".into(),
                "AlgorithmError: my own words",
            ),
            ("my own words\nand more".into(), "my own words"),
            (format!("AlgorithmError: {}", traceback("OSError: no disk")), "OSError: no disk"),
            // Cut off by SageMaker.
            ("ExitCode 1\nErrorMessage \"ValueError: Command \"git".into(), "ValueError: Command \"git"),
            (
                "AlgorithmError: ExecuteUserScriptError: ExitCode 1 ErrorMessage \"KeyError: 'x'\" Command \
                 \"python3 t.py\", exit code: 1"
                    .into(),
                "KeyError: 'x'",
            ),
            (
                "run train.py: exit code 1: ValueError: bad (train.py, line 1)".into(),
                "run train.py: exit code 1: ValueError: bad (train.py, line 1)",
            ),
        ] {
            let status = Status::new("Failed", Phase::Failed).because(Some(reason.clone()));
            assert_eq!(status.cause().as_deref(), Some(cause), "{reason}");
        }
        assert_eq!(Status::ready("InService").cause(), None);
    }
}
