//! The command line: reads arguments and environment, calls the library, prints. Decides nothing.

mod act;
mod args;
mod audit_iam;
mod check;
mod error;
pub mod exit;
mod init;
mod inspect;
mod invoke;
mod logs;
mod manual;
mod notebook;
mod pull;
mod sandbox;
mod scale;
mod session;
mod signals;
mod ui;
mod upload;

use std::process::ExitCode;

use clap::Parser;

pub use args::Cli;
use args::{Command, DataArgs, DataCommand, ModelArgs, ModelCommand};
use error::Failure;
use exit::Exit;
use ui::{Color, Format, Ui};

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
    let environment = session::Environment::read();
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
    let ended = runtime.block_on(run(&cli, &ui, &environment));
    let exit = ended.unwrap_or_else(|failure| {
        failure.print(&ui);
        failure.exit()
    });
    let exit = ui.settle(exit);
    // A process that a dropped future left behind must not hold the terminal.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match signals::terminated() {
        true if exit == Exit::Interrupted => ExitCode::from(143),
        _ => ExitCode::from(exit as u8),
    }
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
