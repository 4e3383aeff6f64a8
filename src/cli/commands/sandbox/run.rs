//! The command in a program built with the sandbox.

use opsctl_sandbox::SandboxOptions;
use opsctl_sandbox::faults::FaultRule;

use super::{SandboxArgs, SandboxCommand};
use crate::cli::args::Global;
use crate::cli::environment::{Environment, find_config};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::sandbox::{hide, options, progress, root};
use crate::cli::served::{reset, serve, serve_in_background, status, stop};
use crate::cli::ui::Ui;
use crate::domain::codes;

/// Serves the sandbox, or does something with one that is served or lies in its folder.
pub async fn run(args: &SandboxArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let config = find_config(global.config.as_deref()).ok();
    let root = root(config.as_deref(), env);
    match &args.command {
        SandboxCommand::Serve { port, speed, fault, fault_seed, background } => {
            let options = SandboxOptions {
                port: *port,
                speed: *speed,
                faults: rules(fault, *fault_seed)?,
                progress: progress(env),
                ..options(&root, env)
            };
            hide(&root);
            match background {
                Some(idle) => serve_in_background(options, *idle, ui, env).await,
                None => serve(options, ui, env).await,
            }
        }
        SandboxCommand::Status => status(&root, ui),
        SandboxCommand::Stop(args) => stop(&root, args.force, ui).await,
        SandboxCommand::Reset(args) => reset(&root, args.force, global, ui, env).await,
    }
}

/// The faults of the command line. The seed is that of all of them.
fn rules(words: &[String], seed: u64) -> Result<Vec<FaultRule>, Failure> {
    let parse = |word: &String| match word.parse::<FaultRule>() {
        Ok(rule) => Ok(FaultRule { seed, ..rule }),
        Err(error) => {
            let message = format!("`{word}` is {error}");
            Err(Failure::new(
                codes::USAGE,
                Exit::Usage,
                message,
                "https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md has the syntax",
            ))
        }
    };
    words.iter().map(parse).collect()
}
