//! The status of a resource: AWS's word and our phase.

use serde::{Deserialize, Serialize};

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
    pub fn new(word: impl Into<String>, phase: Phase) -> Self {
        Self { word: word.into(), phase, reason: None }
    }

    pub fn ready(word: impl Into<String>) -> Self {
        Self::new(word, Phase::Ready)
    }

    /// What happened, as a line: a reason may be a whole traceback, whose last line says it. The toolkit in
    /// AWS's images puts the script's error between `ErrorMessage` and the command that it ran
    /// (<https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/errors.py>).
    pub fn cause(&self) -> Option<&str> {
        let reason = self.reason.as_deref()?.trim();
        let error = reason.split_once("ErrorMessage \"").map_or(reason, |(_, error)| {
            error.rsplit_once("Command \"").map_or(error, |(error, _)| error.trim_end()).trim_end_matches('"')
        });
        // A script that said nothing leaves the command.
        error.trim_end().lines().last().or_else(|| reason.lines().last()).map(str::trim)
    }

    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason.filter(|r| !r.is_empty());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_what_the_script_said_last() {
        for (reason, cause) in [
            ("CapacityError: no instances", "CapacityError: no instances"),
            ("Traceback\n  File \"x\"\nValueError: bad\n", "ValueError: bad"),
            (
                "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage \"Traceback\n  line 3\nValueError: bad\n\"\n\
                 Command \"/usr/bin/python3 train.py --n 1\", exit code: 1",
                "ValueError: bad",
            ),
            (
                "AlgorithmError: ExecuteUserScriptError: ExitCode 1 ErrorMessage \"KeyError: 'x'\" Command \"python3 t.py\", exit code: 1",
                "KeyError: 'x'",
            ),
            (
                "ExecuteUserScriptError:\nExitCode 1\nErrorMessage \"\"\nCommand \"python3 t.py\", exit code: 1",
                "Command \"python3 t.py\", exit code: 1",
            ),
        ] {
            let status = Status::new("Failed", Phase::Failed).because(Some(reason.into()));
            assert_eq!(status.cause(), Some(cause), "{reason}");
        }
        assert_eq!(Status::ready("InService").cause(), None);
    }
}
