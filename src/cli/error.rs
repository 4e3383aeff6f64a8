//! Why a command failed, printed in one place: what, where, why, what to do, a stable code.

use serde_json::json;

use super::exit::Exit;
use super::ui::Ui;
use crate::config::Document;
use crate::domain::{Code, Diagnostics, Severity, codes};
use crate::engine::{Cause, OpError, OpErrorKind};
use crate::report::diagnostics;

/// Everything that ends a command early.
#[derive(Debug)]
pub enum Failure {
    /// Problems of the config, with the document that shows where.
    Config(Box<(Document, Diagnostics)>),
    /// A signal or `--timeout` ended it; what is to be said of it beyond that.
    Stopped(Cause, Option<&'static str>),
    /// A call that failed outside a plan's steps.
    Op(OpError),
    /// Anything else that has a code.
    Said { code: Code, exit: Exit, message: String, help: String },
}

impl Failure {
    pub fn said(code: Code, exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Said { code, exit, message: message.into(), help: help.into() }
    }

    pub fn config(document: Document, problems: Diagnostics) -> Self {
        Self::Config(Box::new((document, problems)))
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(problem) => {
                let has =
                    |code: Code| problem.1.0.iter().any(|d| d.code == code && d.severity == Severity::Error);
                match () {
                    () if has(codes::DENIED) => Exit::Denied,
                    () if has(codes::FOREIGN) => Exit::Failed,
                    () => Exit::Config,
                }
            }
            Self::Stopped(Cause::Deadline(_), _) => Exit::TimedOut,
            Self::Stopped(..) => Exit::Interrupted,
            Self::Op(error) => exit_of(&error.kind),
            Self::Said { exit, .. } => *exit,
        }
    }

    /// Prints it for people on stderr, or as one JSON document on stdout.
    pub fn print(&self, ui: &Ui) {
        match self {
            Self::Config(problem) => {
                let (document, problems) = problem.as_ref();
                if ui.json() {
                    let first = problems.0.iter().find(|d| d.severity == Severity::Error);
                    let (message, help) = first.map_or(("", ""), |d| (d.message.as_str(), d.help.as_str()));
                    let code = first.map_or(codes::BAD_VALUE, |d| d.code);
                    let mut error = error_json(code, message, help, None, false);
                    error["error"]["problems"] = diagnostics::json(document, problems);
                    ui.out_line(&error);
                } else {
                    ui.err(&diagnostics::human(document, problems, ui.styled_err()));
                }
            }
            Self::Stopped(cause, told) => self.print_stopped(*cause, *told, ui),
            Self::Op(error) if error.kind == OpErrorKind::Cancelled && !ui.json() => {
                ui.err(&error.to_string());
            }
            Self::Op(error) => {
                let code = error.code();
                let help = help_of(code);
                if ui.json() {
                    ui.out_line(&error_json(code, &error.to_string(), help, None, error.retryable()));
                } else {
                    ui.error(code, &error.to_string(), help);
                }
            }
            Self::Said { code, message, help, .. } => {
                if ui.json() {
                    ui.out_line(&error_json(*code, message, help, None, false));
                } else {
                    ui.error(*code, message, help);
                }
            }
        }
    }
}

impl Failure {
    fn print_stopped(&self, cause: Cause, told: Option<&str>, ui: &Ui) {
        let rest = told.map(|told| format!(" {told}")).unwrap_or_default();
        match cause {
            Cause::Deadline(limit) => {
                let limit = humantime::format_duration(limit);
                let message = format!("not finished within {limit} (--timeout).{rest}");
                let help = "give it more time, or look with -v what takes so long";
                match ui.json() {
                    true => ui.out_json(&error_json(codes::TIMED_OUT, &message, help, None, true)),
                    false => ui.error(codes::TIMED_OUT, &message, help),
                }
            }
            _ if ui.json() => {
                let message = format!("interrupted.{rest}");
                let help = help_of(codes::INTERRUPTED);
                ui.out_json(&error_json(codes::INTERRUPTED, &message, help, None, true));
            }
            // A signal is how some commands are meant to end.
            _ if told.is_some() => ui.err(&format!("Interrupted.{rest}")),
            _ => {}
        }
    }
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

fn error_json(
    code: Code,
    message: &str,
    help: &str,
    resource: Option<&str>,
    retryable: bool,
) -> serde_json::Value {
    json!({
        // Also a line of the events of a command that had begun to write them.
        "event": "error",
        "format": 1,
        "error": { "code": code, "message": message, "help": help, "resource": resource, "retryable": retryable }
    })
}

/// A code's explanation: what it means and what to do.
pub fn help_of(code: Code) -> &'static str {
    codes::explained(code.as_str()).map_or("", |e| e.text)
}

/// The exit code of a failed step or call.
pub fn exit_of(kind: &OpErrorKind) -> Exit {
    match kind {
        OpErrorKind::Denied | OpErrorKind::Credentials => Exit::Denied,
        OpErrorKind::LeaseHeld | OpErrorKind::LeaseLost => Exit::LeaseHeld,
        OpErrorKind::Quota => Exit::Gate,
        OpErrorKind::TimedOut => Exit::TimedOut,
        OpErrorKind::RolledBack => Exit::RolledBack,
        OpErrorKind::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
