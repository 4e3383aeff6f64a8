//! `--sandbox` in a program built without the sandbox: an error.

use std::path::Path;
use std::sync::Arc;

use super::environment::{Environment, Lifetime};
use super::error::Failure;
use super::exit::Exit;
use crate::desired::Desired;
use crate::domain::{Diagnostics, codes};
use crate::run::played::Player;

/// There is none, so nobody has one.
pub enum Sandbox {}

impl Sandbox {
    /// Never called: there is no value of this type.
    #[expect(clippy::unused_async, reason = "the sandbox's own signature")]
    pub async fn stop(self) {
        match self {}
    }
}

/// Always an error.
#[expect(clippy::unused_async, reason = "the sandbox's own signature")]
pub async fn attach(
    _config: Option<&Path>,
    _lifetime: Lifetime,
    _quiet: bool,
    _env: &Environment,
) -> Result<(Option<Sandbox>, Option<String>), Failure> {
    Err(left_out())
}

/// Nothing runs.
#[expect(clippy::unused_async, reason = "the sandbox's own signature")]
pub async fn end_background(_config: Option<&Path>, _env: &Environment) {}

/// Nothing is done.
pub fn unlike_aws(_desired: &Desired) -> Diagnostics {
    Diagnostics::default()
}

/// Nothing failed there.
pub fn help_for(_has_image: bool, _said: &str, _in_code: impl Fn(&str) -> Option<String>) -> Option<String> {
    None
}

/// Nobody runs containers here.
pub fn player() -> Option<Arc<dyn Player>> {
    None
}

/// How a person gets a program with it.
pub fn left_out() -> Failure {
    let help = "install opsctl with its default features: `cargo install opsctl-ml`";
    Failure::new(codes::USAGE, Exit::Usage, "this opsctl was built without the sandbox", help)
}

/// There is nothing that would run scripts.
#[expect(clippy::unused_async, reason = "the sandbox's own signature")]
pub async fn python() -> Result<String, String> {
    Err("this opsctl was built without a sandbox".to_owned())
}
