//! The command line: reads arguments and environment, calls the library, prints. Decides nothing.

mod act;
mod args;
#[cfg(feature = "sandbox")]
mod background;
mod browser;
mod budget;
mod commands;
mod complete;
mod done;
mod environment;
mod error;
mod examples;
pub mod exit;
mod files;
mod fitted;
mod hidden;
mod hints;
mod named;
mod payload;
mod rewritten;
#[cfg_attr(not(feature = "sandbox"), path = "no_sandbox.rs")]
mod sandbox;
#[cfg(feature = "sandbox")]
mod served;
mod session;
mod signals;
mod stopped;
mod ui;
mod wrote;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

use args::{Color, Format};
use environment::Environment;
use error::{CommandResult, Failure};
use exit::Exit;
use hints::Hints;
use ui::Ui;

pub use commands::Cli;

use crate::aws::OpError;
use crate::config::section;
use crate::domain::codes;
use crate::engine::Cause;

/// Parses, runs, prints the failure, and gives the exit code.
pub fn main() -> ExitCode {
    if complete::answered(Cli::command) {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(error),
    };
    let mut environment = Environment::read();
    environment.command = command_word();
    let ui = Ui::new(
        cli.global.output,
        cli.global.color,
        cli.global.quiet,
        environment.no_color,
        environment.dumb,
    )
    .suggesting(Hints::of(&cli.global))
    .telling(cli.global.verbose > 0, environment.github)
    .annotating(environment.workspace.as_deref());
    start_log(cli.global.verbose, &ui);
    // Commands that only print need no runtime: `--help` and friends start in milliseconds.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.err(&format!("opsctl cannot start its threads: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    // Signals and time are heard on this thread, whatever the others are busy with.
    let watch = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(watch) => watch,
        Err(error) => {
            ui.err(&format!("opsctl cannot listen for signals: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    let limit = cli.global.timeout.map(|limit| limit.0);
    let cancel = watch.block_on(async { signals::listen(limit) });
    environment.cancel = cancel.clone();
    environment.screen = ui.screen.clone();
    let ended = supervise(&watch, &runtime, cli, ui.clone(), environment);
    let exit = ended.unwrap_or_else(|failure| {
        failure.print(&ui);
        failure.exit()
    });
    let exit = ui.settle(exit);
    // A process that a dropped future left behind must not hold the terminal.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match (exit, cancel.cause()) {
        (Exit::Interrupted, Some(Cause::Terminate)) => ExitCode::from(143),
        // The plan could not be shown, because the terminal was closed.
        (Exit::Failed, Some(Cause::Terminate)) if ui.is_broken() => ExitCode::from(143),
        (Exit::Interrupted, Some(Cause::Deadline(_))) => ExitCode::from(Exit::TimedOut as u8),
        _ => ExitCode::from(exit as u8),
    }
}

/// The command of this process, as it was typed.
fn command_word() -> String {
    let known = Cli::command();
    let mut words = std::env::args_os().filter_map(|word| word.into_string().ok()).skip(1);
    words.find(|word| known.find_subcommand(word).is_some()).unwrap_or_default()
}

/// Help and version, and what is wrong with a command line. clap's own code for the latter is 2, which is
/// ours for "changes".
fn unparsed(mut error: clap::Error) -> ExitCode {
    // Nothing was parsed, so what was asked for is looked up by hand.
    let arguments: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let json = arguments.windows(2).any(|pair| ["-o", "--output"].contains(&&*pair[0]) && pair[1] == "json")
        || arguments.iter().any(|word| ["-ojson", "-o=json", "--output=json"].contains(&&**word));
    let format = if json { Format::Json } else { Format::Human };
    let ui = Ui::new(format, Color::Auto, false, true, true);
    if !error.use_stderr() {
        let exit = error.print().map_or_else(|error| ui.unwritten(&error, Exit::Done), |()| Exit::Done);
        return ExitCode::from(exit as u8);
    }
    // Asked for nothing, it says what there is; whoever reads JSON reads an error.
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        let _ = error.print();
        return ExitCode::from(Exit::Usage as u8);
    }
    suggest(&mut error);
    let text = error.render().to_string();
    let (message, help) = match empty_variable(&error) {
        Some(name) => (format!("{name} is set but empty"), format!("give it a value, or unset {name}")),
        None => {
            let text = text.trim_start_matches("error: ").trim_end();
            let (message, help) =
                text.rsplit_once("\n\nFor more information, ").unwrap_or((text, "try '--help'."));
            (message.to_owned(), help.to_owned())
        }
    };
    Failure::new(codes::USAGE, Exit::Usage, message, help).print(&ui);
    ExitCode::from(ui.settle(Exit::Usage) as u8)
}

/// What other programs call what a command of ours does.
const ELSEWHERE: &[(&str, &str)] = &[
    ("apply", "deploy"),
    ("up", "deploy"),
    ("down", "destroy"),
    ("delete", "destroy"),
    ("remove", "destroy"),
    ("diff", "plan"),
    ("preview", "plan"),
    ("validate", "check"),
    ("history", "status"),
    ("list", "status"),
    ("ls", "status"),
    ("ps", "status"),
    ("show", "status"),
    // Nothing of ours does that, though a command reads nearly the same.
    ("restore", ""),
];

/// A command that is none is suggested another that means the same, or that reads nearly the same; clap's own
/// idea of near has `destroy` for `history`.
fn suggest(error: &mut clap::Error) {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand).cloned() else { return };
    let known: Vec<String> = Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let near = match error.remove(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(near)) => vec![near],
        Some(ContextValue::Strings(near)) => near,
        _ => Vec::new(),
    };
    let is_top =
        error.get(ContextKind::Usage).is_none_or(|usage| usage.to_string().contains("opsctl [OPTIONS] "));
    let same = ELSEWHERE.iter().find(|(other, _)| is_top && *other == word).map(|(_, ours)| *ours);
    if same == Some("") {
        return;
    }
    let same = same.map(str::to_owned).filter(|ours| known.contains(ours));
    let best = same.or_else(|| section::nearest(&word, near.iter().map(String::as_str)).map(str::to_owned));
    if let Some(best) = best {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(best));
    }
}

/// The variable that stands for an option and holds nothing, when that is what the error is about.
fn empty_variable(error: &clap::Error) -> Option<&'static str> {
    let about = error.get(ContextKind::InvalidArg)?.to_string();
    let options = [("--config", "OPSCTL_CONFIG"), ("--env", "OPSCTL_ENV")];
    let (_, name) = options.into_iter().find(|(option, _)| about.contains(option))?;
    environment::is_empty_variable(name).then_some(name)
}

/// Runs the command on a thread of its own, so that a signal is answered whatever it does: waiting for a call
/// it is dropped, reading a large file it is left behind. The runtime of this thread has nothing else to do:
/// one whose threads all compute drives neither timers nor signals.
fn supervise(watch: &Runtime, runtime: &Runtime, cli: Cli, ui: Ui, env: Environment) -> CommandResult {
    /// What dropping may take.
    const MOMENT: Duration = Duration::from_millis(300);
    let cancel = env.cancel.clone();
    let interrupted_note = cli.command.interrupted_note();
    let stopped = move |cause| match cancel.is_committed() {
        true => Failure::Stopped(cause, Some("The last request to AWS may or may not have taken effect.")),
        false => Failure::Stopped(cause, interrupted_note),
    };
    let (sender, ended) = oneshot::channel();
    let (handle, cancel, say) = (runtime.handle().clone(), env.cancel.clone(), stopped.clone());
    let command = move || {
        let ended = handle.block_on(async {
            tokio::select! {
                biased;
                ended = commands::run(&cli.command, &cli.global, &ui, &env) => match ended {
                    // What was cut off in the middle of a look, or of one request, ends like what was cut off
                    // around it.
                    Err(Failure::Op(error) | Failure::Unread(error))
                        if env.cancel.caused(&error) && (error.unanswered || !env.cancel.is_committed()) =>
                    {
                        Err(say(env.cancel.cause().unwrap_or(Cause::Interrupt)))
                    }
                    ended => ended,
                },
                cause = env.cancel.cut() => Err(say(cause)),
            }
        });
        // Nobody waits for it any more when it was left behind.
        let _ = sender.send(ended);
    };
    // As large a stack as the main thread's.
    let thread = std::thread::Builder::new().name("command".into()).stack_size(8 << 20).spawn(command);
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => return Err(OpError::local("starting a thread", error).into()),
    };
    let left = async {
        let cause = cancel.cut().await;
        let _ = timeout(MOMENT, std::future::pending::<()>()).await;
        cause
    };
    watch.block_on(async {
        tokio::select! {
            biased;
            ended = ended => match ended {
                Ok(ended) => ended,
                // It panicked; so do we.
                Err(_) => match thread.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => unreachable!("it sends before it ends"),
                },
            },
            cause = left => Err(stopped(cause)),
        }
    })
}

/// `-v` shows what opsctl does, `-vv` what the SDK does. Requests' bodies and headers are never logged.
fn start_log(verbose: u8, ui: &Ui) {
    let filter = match verbose {
        0 => return,
        1 => "opsctl=debug,s3s=off",
        _ => "opsctl=trace,aws_config=debug,aws_smithy_runtime::client::retries=debug,s3s=off",
    };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let screen = ui.screen.clone();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || screen.clone())
        .with_ansi(ui.styled_err().is_colored())
        .without_time()
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_none_is_suggested_one_that_means_as_much() {
        let suggested = |words: &[&str]| {
            let line = ["opsctl"].iter().chain(words);
            let mut error = Cli::try_parse_from(line).expect_err("no such command");
            suggest(&mut error);
            let text = error.render().to_string();
            text.split_once("exists: '")
                .map(|(_, rest)| rest.split('\'').next().unwrap_or_default().to_owned())
        };
        for (word, command) in [
            ("history", Some("status")),
            ("delete", Some("destroy")),
            ("apply", Some("deploy")),
            ("destroys", Some("destroy")),
            ("statuses", Some("status")),
            ("plans", Some("plan")),
            ("restore", None),
            ("frobnicate", None),
        ] {
            assert_eq!(suggested(&[word]).as_deref(), command, "{word}");
        }
        assert_eq!(suggested(&["sandbox", "statuses"]).as_deref(), Some("status"));
        assert_eq!(suggested(&["sandbox", "delete"]), None);
    }
}
