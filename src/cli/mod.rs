//! The command line: reads arguments and environment, calls the library, prints. Decides nothing.

mod act;
mod args;
mod audit_iam;
mod check;
mod done;
mod error;
pub mod exit;
mod generations;

mod init;
mod inspect;
mod invoke;
mod lease;
mod logs;
mod manual;
mod notebook;
mod pull;
mod sandbox;
mod saved;
mod scale;
mod session;
mod signals;
mod ui;
mod upload;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use args::Cli;
use args::{Command, DataArgs, DataCommand, ModelArgs, ModelCommand};
use error::Failure;
use exit::Exit;
use ui::{Color, Format, Ui};

use crate::engine::{Cause, OpError};

/// What every command returns.
type Ended = Result<Exit, Failure>;

/// Parses, runs, prints the failure, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own code for a wrong command line is 2, which is ours for "changes".
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let ui = Ui::new(Format::Human, Color::Auto, false, true);
            let exit = error.print().map_or_else(|error| ui.unwritten(&error, exit), |()| exit);
            return ExitCode::from(exit as u8);
        }
    };
    let mut environment = session::Environment::read();
    let ui = Ui::new(cli.global.output, cli.global.color, cli.global.quiet, environment.no_color);
    start_log(cli.global.verbose);
    // Commands that only print need no runtime: `--help` and friends start in milliseconds.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.err(&format!("opsctl cannot start its threads: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    let limit = cli.global.timeout.map(|limit| limit.0);
    let cancel = runtime.block_on(async { signals::listen(limit) });
    environment.cancel = cancel.clone();
    let ended = supervise(&runtime, cli, ui.clone(), environment);
    let exit = ended.unwrap_or_else(|failure| {
        failure.print(&ui);
        failure.exit()
    });
    let exit = ui.settle(exit);
    // A process that a dropped future left behind must not hold the terminal.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match (exit, cancel.cause()) {
        (Exit::Interrupted, Some(Cause::Terminate)) => ExitCode::from(143),
        (Exit::Interrupted, Some(Cause::Deadline(_))) => ExitCode::from(Exit::TimedOut as u8),
        _ => ExitCode::from(exit as u8),
    }
}

/// Runs the command on a thread of its own, so that a signal is answered whatever it does: waiting for a call it is
/// dropped, reading a large file it is left behind.
fn supervise(runtime: &Runtime, cli: Cli, ui: Ui, env: session::Environment) -> Ended {
    /// What dropping may take.
    const MOMENT: Duration = Duration::from_millis(300);
    let cancel = env.cancel.clone();
    let last_words = cli.command.last_words();
    let stopped = move |cause| match cancel.is_committed() {
        true => Failure::Stopped(cause, Some("What AWS was asked last may be done or not.")),
        false => Failure::Stopped(cause, last_words),
    };
    let (sender, ended) = oneshot::channel();
    let (handle, cancel, say) = (runtime.handle().clone(), env.cancel.clone(), stopped.clone());
    let command = move || {
        let ended = handle.block_on(async {
            tokio::select! {
                biased;
                ended = run(&cli, &ui, &env) => ended,
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
    runtime.block_on(async {
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

async fn run(cli: &Cli, ui: &Ui, env: &session::Environment) -> Ended {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(args, ui),
        Command::Check => check::run(global, ui, env),
        Command::Plan(args) => act::plan(args, global, ui, env).await,
        Command::Deploy(args) => act::deploy(args, global, ui, env).await,
        Command::Bucket(args) => act::bucket(args, global, ui, env).await,
        Command::Upload(args) => upload::run(args, global, ui, env).await,
        Command::Data(DataArgs { command: DataCommand::Pull(args) }) => {
            pull::data(args, global, ui, env).await
        }
        Command::Model(ModelArgs { command: ModelCommand::Pull(args) }) => {
            pull::model(args, global, ui, env).await
        }
        Command::Train(args) => act::train(args, global, ui, env).await,
        Command::Scale(args) => scale::run(args, global, ui, env).await,
        Command::Destroy(args) => act::destroy(args, global, ui, env).await,
        Command::Lease(args) => lease::run(args, global, ui, env).await,
        Command::Notebook(args) => notebook::run(args, global, ui, env).await,
        Command::Invoke(args) => invoke::run(args, global, ui, env).await,
        Command::Status => inspect::status(global, ui, env).await,
        Command::Logs(args) => logs::run(args, global, ui, env).await,
        Command::AuditIam(args) => audit_iam::run(args, global, ui, env).await,
        Command::Sandbox(args) => sandbox::run(args, global, ui, env).await,
        Command::Schema => manual::schema(ui),
        Command::Completions(args) => manual::completions(args, ui),
        Command::Explain(args) => manual::explain(args, ui),
    }
}

/// `-v` shows what opsctl does, `-vv` what the SDK does. Requests' bodies and headers are never logged.
fn start_log(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "opsctl=debug,s3s=off",
        _ => "opsctl=trace,aws_config=debug,aws_smithy_runtime::client::retries=debug,s3s=off",
    };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .try_init();
}
