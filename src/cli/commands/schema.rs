//! `opsctl schema`: the JSON Schema of the config file, or of events.

use clap::Args;

use crate::cli::error::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::report::live::schema as events;
use crate::resources::{self, kinds};

/// What has a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// opsctl.toml
    #[default]
    Config,
    /// The lines that commands write which change something, with `-o json`
    Events,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Whose schema
    #[arg(value_enum, default_value_t)]
    pub subject: Subject,
}

/// Prints the JSON Schema of the config, which editors read, or of the events.
pub fn run(args: &SchemaArgs, ui: &Ui) -> CommandResult {
    let schema = match args.subject {
        Subject::Config => resources::schema(&kinds()),
        Subject::Events => events::schema(),
    };
    ui.out(&format!("{schema:#}\n"));
    Ok(Exit::Done)
}
