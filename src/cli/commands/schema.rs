//! `opsctl schema`: the JSON Schema of the config file.

use crate::cli::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::resources::{self, kinds};

pub fn run(ui: &Ui) -> CommandResult {
    ui.out(&format!("{:#}\n", resources::schema(&kinds())));
    Ok(Exit::Done)
}
