//! `opsctl completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::{Cli, CommandResult};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

pub fn run(args: &CompletionsArgs, ui: &Ui) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "opsctl", &mut script);
    ui.out(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
