//! The command in a program built without the sandbox.

use super::SandboxArgs;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::sandbox::left_out;
use crate::cli::ui::Ui;

/// Says that there is none in this program.
pub async fn run(_args: &SandboxArgs, _global: &Global, _ui: &Ui, _env: &Environment) -> CommandResult {
    Err(left_out())
}
