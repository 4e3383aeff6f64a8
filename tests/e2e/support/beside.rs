//! A sandbox that runs beside the binary, in the test's own process: the test can count, strike and reach
//! around it.

use std::time::Duration;

use opsctl::aws::{self, Clients, TargetOptions};
use opsctl_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::World;

pub struct Beside {
    runtime: Runtime,
    sandbox: Option<Sandbox>,
}

impl Beside {
    /// Serves the sandbox of `world` until dropped: its runs find it.
    pub fn start(world: &World, faults: &[&str]) -> Self {
        let mut options = SandboxOptions::new(world.sandbox_folder());
        options.runs = false;
        Self::with_options(options, faults)
    }

    /// The same, whose jobs really run.
    pub fn running(world: &World) -> Self {
        let mut options = SandboxOptions::new(world.sandbox_folder());
        // Environments are made once for all tests.
        options.cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/sandbox-cache").into();
        Self::with_options(options, &[])
    }

    fn with_options(mut options: SandboxOptions, faults: &[&str]) -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        options.announce = true;
        let sandbox = runtime.block_on(Sandbox::start(options)).expect("the sandbox starts");
        let beside = Self { runtime, sandbox: Some(sandbox) };
        beside.strike(faults);
        beside
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("it runs until it is dropped")
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.sandbox().endpoint_url().to_owned()
    }

    /// Replaces the fault rules.
    pub fn strike(&self, faults: &[&str]) {
        let rules = faults.iter().map(|rule| rule.parse().expect("a rule")).collect();
        let known = &self.sandbox().state().faults;
        known.clear();
        known.extend(rules);
    }

    /// Calls that were struck so far; one that is delayed is among them before it is answered.
    pub fn hits(&self) -> u64 {
        self.sandbox().state().faults.hits()
    }

    /// Calls of an operation so far, such as `s3:PutObject`, those that were struck included.
    pub fn count(&self, operation: &str) -> u64 {
        self.sandbox().state().calls.of(operation)
    }

    /// Lets the sandbox's time pass.
    pub fn advance(&self, by: Duration) {
        self.sandbox().state().clock.advance(by);
    }

    /// The counts and the log of calls.
    pub fn calls(&self) -> Value {
        self.sandbox().state().calls.report()
    }

    /// Begins both again.
    pub fn forget_calls(&self) {
        self.sandbox().state().calls.reset();
    }

    /// Does something to the account behind the binary's back.
    pub fn with<T>(&self, region: &str, act: impl AsyncFnOnce(Clients) -> T) -> T {
        let choice = TargetOptions {
            region: Some(region.into()),
            sandbox: Some(self.sandbox().endpoint_url().to_owned()),
            ..TargetOptions::default()
        };
        self.runtime.block_on(async { act(Clients::new(&aws::connect(&choice).await)).await })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}
