//! Why a command failed, printed in one place: what, where, why, what to do, a stable code.

use serde_json::json;

use super::exit::Exit;
use super::ui::Ui;
use crate::aws::{OpError, OpErrorKind};
use crate::config::Document;
use crate::domain::{Code, Diagnostics, ResourceId, Severity, codes};
use crate::engine::{Cancel, Cause};
use crate::report::diagnostics;
use crate::run::OpenError;

/// What cannot be read now and may be in a moment.
const LATER: [Code; 5] =
    [codes::THROTTLED, codes::NO_GOOD_ANSWER, codes::NETWORK, codes::TIMED_OUT, codes::CONFLICT];

/// Problems of what is there, not of the file.
const OF_THE_PLACE: [Code; 6] =
    [codes::FAILED, codes::SAVED_NOTHING, codes::NOT_OFFERED, codes::REFUSED, codes::EMPTIES, codes::CLASH];

/// The help of what was interrupted: what continues is in the message, and the code's explanation would
/// contradict one that says that there is nothing.
const AGAIN: &str = "run the same command again";

/// What every command returns.
pub type CommandResult = Result<Exit, Failure>;

/// Everything that ends a command early.
#[derive(Debug)]
pub enum Failure {
    /// Problems of the config, with the document that shows where.
    Config(Box<(Document, Diagnostics)>),
    /// A signal or `--timeout` ended it, and what to add to the message.
    Stopped(Cause, Option<&'static str>),
    /// A call that failed outside a plan's steps.
    Op(OpError),
    /// One that failed while everything was looked at: the answer is not whole.
    Unread(OpError),
    /// Anything else that has a code.
    Message { code: Code, exit: Exit, message: String, help: String },
}

impl Failure {
    /// A failure in words of one's own. The help says what a person does next.
    pub fn new(code: Code, exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Message { code, exit, message: message.into(), help: help.into() }
    }

    /// Of a run that did not begin. One that was stopped has changed nothing but, perhaps, the lease, which
    /// lasts `engine::lease`'s 90 s when nobody renews it.
    pub fn not_begun(error: OpError, cancel: &Cancel, otherwise: fn(OpError) -> Self) -> Self {
        match cancel.cause().filter(|_| cancel.caused(&error)) {
            Some(cause) if error.unanswered => Self::Stopped(
                cause,
                Some(
                    "No step was begun. The lease may have been taken all the same: then it ends within 90 s.",
                ),
            ),
            Some(cause) => Self::Stopped(cause, Some("No step was begun.")),
            None => otherwise(error),
        }
    }

    /// Problems of the config, shown where they are in it.
    pub fn config(document: Document, problems: Diagnostics) -> Self {
        Self::Config(Box::new((document, problems)))
    }

    /// The exit code. Of many problems the one that a person must solve first counts.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(problem) => {
                let has =
                    |code: Code| problem.1.0.iter().any(|d| d.code == code && d.severity == Severity::Error);
                if has(codes::DENIED) {
                    Exit::Denied
                } else if has(codes::FOREIGN) {
                    Exit::Failed
                } else if LATER.into_iter().any(has) {
                    Exit::Incomplete
                } else if OF_THE_PLACE.into_iter().any(has) {
                    Exit::Failed
                } else {
                    Exit::Config
                }
            }
            Self::Unread(error) => match exit_of(&error.kind) {
                Exit::Failed if LATER.contains(&error.code()) => Exit::Incomplete,
                exit => exit,
            },
            Self::Stopped(Cause::Deadline(_), _) => Exit::TimedOut,
            Self::Stopped(..) => Exit::Interrupted,
            Self::Op(error) => exit_of(&error.kind),
            Self::Message { exit, .. } => *exit,
        }
    }

    /// Prints it for people on stderr, or as one JSON document on stdout.
    pub fn print(&self, ui: &Ui) {
        match self {
            Self::Config(problem) => {
                let (document, problems) = problem.as_ref();
                if ui.json() {
                    let problems = &diagnostics::sorted(document, problems);
                    let first = problems.0.iter().find(|d| d.severity == Severity::Error);
                    let (message, help) = first.map_or(("", ""), |d| (d.message.as_str(), d.help.as_str()));
                    let code = first.map_or(codes::BAD_VALUE, |d| d.code);
                    let mut error = error_json(ui, code, message, help, self.is_retryable());
                    error["error"]["problems"] = diagnostics::json(document, &ui.suggested(problems));
                    ui.out_line(&error);
                } else {
                    ui.problems(document, problems);
                }
            }
            Self::Stopped(Cause::Deadline(limit), told) => {
                let limit = humantime::format_duration(*limit);
                let message = format!("not finished within {limit} (--timeout).{}", more(*told));
                let help = match told {
                    Some(_) => "allow more time, or use -v to see what takes so long",
                    // What is followed has no end of its own.
                    None => "allow more time, or leave --timeout out and end it with Ctrl-C",
                };
                self.tell(ui, codes::TIMED_OUT, &message, help);
            }
            Self::Stopped(_, told) if ui.json() => {
                self.tell(ui, codes::INTERRUPTED, &format!("interrupted.{}", more(*told)), AGAIN);
            }
            // Whoever has stopped it knows what happened; and for some commands it is the way to end.
            Self::Stopped(_, None) => {}
            Self::Stopped(_, told) => ui.err(&format!("Interrupted.{}", more(*told))),
            Self::Op(error) | Self::Unread(error) if error.kind == OpErrorKind::Cancelled && !ui.json() => {
                ui.err(&error.to_string());
            }
            Self::Op(error) | Self::Unread(error) => {
                let help = if error.kind == OpErrorKind::Cancelled { AGAIN } else { help_with(error) };
                self.tell(ui, error.code(), &error.to_string(), help);
            }
            Self::Message { code, message, help, .. } => self.tell(ui, *code, message, help),
        }
    }

    fn tell(&self, ui: &Ui, code: Code, message: &str, help: &str) {
        match ui.json() {
            true => ui.out_line(&error_json(ui, code, message, help, self.is_retryable())),
            false => ui.error(code, message, help),
        }
    }

    /// Whether the same command may simply be run again.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Op(error) | Self::Unread(error) => error.retryable(),
            Self::Config(problem) => {
                let mut errors = problem.1.0.iter().filter(|d| d.severity == Severity::Error);
                errors.all(|d| LATER.contains(&d.code))
            }
            Self::Stopped(..) => true,
            _ => false,
        }
    }
}

fn more(told: Option<&str>) -> String {
    told.map(|told| format!(" {told}")).unwrap_or_default()
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Invalid(problem) => Self::Config(problem),
            OpenError::NoRegion => {
                let help = "set `region` under [project], or AWS_REGION, or --region";
                Self::new(codes::NO_REGION, Exit::Config, "no region is set", help)
            }
            OpenError::WrongAccount { account, wanted } => {
                let message =
                    format!("the credentials belong to account {account}, the project is in {wanted}");
                let help = "use another profile, or change `[project] account`";
                Self::new(codes::WRONG_ACCOUNT, Exit::Denied, message, help)
            }
            OpenError::RegionOff { region, error } => {
                let message = format!("the account has not enabled the region {region} ({})", error.message);
                Self::new(codes::REGION_OFF, Exit::Denied, message, help_of(codes::REGION_OFF))
            }
            OpenError::Op(error) => Self::Op(error),
        }
    }
}

fn error_json(ui: &Ui, code: Code, message: &str, help: &str, retryable: bool) -> serde_json::Value {
    let (message, help) = (ui.suggest(message), ui.suggest(help));
    json!({
        // Also a line of the events of a command that had begun to write them.
        "event": "error",
        "format": 1,
        "error": { "code": code, "message": message, "help": help, "resource": null, "retryable": retryable }
    })
}

/// A code's explanation: what it means and what to do. The log that it names has a placeholder for a name,
/// so the sentence about it is for [`help_with_log`].
pub fn help_of(code: Code) -> &'static str {
    let text = codes::explained(code.as_str()).map_or("", |e| e.text);
    let log = text.find("`opsctl logs ").and_then(|at| text[..at].rfind(". "));
    log.map_or(text, |sentence| &text[..=sentence])
}

/// What to do about a failed call: of credentials that were found, what is wrong with them.
pub fn help_with(error: &OpError) -> &str {
    if let Some(help) = &error.help {
        return help;
    }
    let code = error.aws_code.as_deref().filter(|_| error.kind == OpErrorKind::Credentials);
    match code {
        // Of STS, S3 and others in turn.
        Some(code) if code.contains("ExpiredToken") => {
            "they were found and have expired: log in again (`aws sso login` or `aws login`, with `--profile \
             NAME` where you use one), or renew the keys in the environment"
        }
        Some(code) if code.contains("InvalidClientTokenId") => UNKNOWN_KEY,
        Some("UnrecognizedClientException" | "InvalidAccessKeyId") => UNKNOWN_KEY,
        Some("SignatureDoesNotMatch" | "AuthFailure") => {
            "the secret key is not that of this access key (copied in part, or of another one), or the clock \
             of this machine is wrong; `aws sts get-caller-identity` must work in the same shell"
        }
        _ => help_of(error.code()),
    }
}

const UNKNOWN_KEY: &str = "AWS does not know this access key: it was deleted or switched off, is of another \
                           partition, or is a temporary one without its AWS_SESSION_TOKEN; `aws sts \
                           get-caller-identity` must work in the same shell";

/// The explanation of an error that the log of `writer` says more about.
pub fn help_with_log(code: Code, writer: &ResourceId) -> String {
    let help = help_of(code);
    let space = if help.is_empty() { "" } else { " " };
    format!("{help}{space}Its log: `opsctl logs {writer}`")
}

/// The exit code of a failed step or call.
pub fn exit_of(kind: &OpErrorKind) -> Exit {
    match kind {
        OpErrorKind::Denied | OpErrorKind::Credentials => Exit::Denied,
        OpErrorKind::LeaseHeld | OpErrorKind::LeaseLost => Exit::LeaseHeld,
        OpErrorKind::Quota => Exit::OverLimit,
        OpErrorKind::TimedOut => Exit::TimedOut,
        OpErrorKind::RolledBack => Exit::RolledBack,
        OpErrorKind::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
