//! The command in a program that was built without the sandbox.

use super::SandboxArgs;
use crate::cli::Ended;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::sandbox::left_out;
use crate::cli::ui::Ui;

pub async fn run(_args: &SandboxArgs, _global: &Global, _ui: &Ui, _env: &Environment) -> Ended {
    Err(left_out())
}
