//! `opsctl completions`: a completion script for a shell. It calls opsctl for what it offers ([`complete`]).

use clap::Args;
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::aws::OpError;
use crate::cli::complete;
use crate::cli::error::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints a script that asks opsctl itself for every word, so that names of the config are among them.
pub fn run(args: &CompletionsArgs, ui: &Ui) -> CommandResult {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell.to_string()).expect("clap has the same shells in both lists");
    // Whichever opsctl is on the path when it is used.
    shell
        .write_registration(complete::VARIABLE, "opsctl", "opsctl", "opsctl", &mut script)
        .map_err(|error| OpError::local("writing a script", error))?;
    ui.out(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
