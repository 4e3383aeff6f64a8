//! What `--sandbox` and `opsctl sandbox` say in a program that was built without the sandbox.

use std::path::Path;

use super::Ended;
use super::args::{Global, SandboxArgs};
use super::error::Failure;
use super::exit::Exit;
use super::session::Environment;
use super::ui::Ui;
use crate::domain::codes;

/// There is none, so nobody has one.
pub enum Sandbox {}

impl Sandbox {
    #[expect(clippy::unused_async, reason = "the sandbox's own signature")]
    pub async fn stop(self) {
        match self {}
    }
}

#[expect(clippy::unused_async, reason = "the sandbox's own signature")]
pub async fn attach(
    _config: Option<&Path>,
    _quiet: bool,
    _env: &Environment,
) -> Result<(Option<Sandbox>, Option<String>), Failure> {
    Err(left_out())
}

#[expect(clippy::unused_async, reason = "the sandbox's own signature")]
pub async fn run(_args: &SandboxArgs, _global: &Global, _ui: &Ui, _env: &Environment) -> Ended {
    Err(left_out())
}

fn left_out() -> Failure {
    let help = "install opsctl with its default features: `cargo install opsctl`";
    Failure::said(codes::USAGE, Exit::Usage, "this opsctl was built without the sandbox", help)
}
