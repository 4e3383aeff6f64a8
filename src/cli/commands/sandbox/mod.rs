//! `opsctl sandbox`: serves, shows and resets the local AWS.

use clap::{Args, Subcommand};

use crate::domain::HumanDuration;

#[cfg_attr(not(feature = "sandbox"), path = "left_out.rs")]
mod run;

pub use run::run;

#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(subcommand)]
    pub command: SandboxCommand,
}

#[derive(Debug, Args)]
pub struct ForceArgs {
    /// Also while other commands use it: what they wait for ends with it
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Serve the sandbox to other clients until interrupted
    Serve {
        /// Listen on this port of 127.0.0.1 (0: any)
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Make time pass this many times faster
        #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
        speed: f64,
        /// Inject a fault, such as throttle@sagemaker:CreateEndpoint
        #[arg(long, value_name = "RULE")]
        fault: Vec<String>,
        /// Random seed for percentage faults, such as throttle@s3:PutObject%20
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        fault_seed: u64,
        /// Serve for later commands, and end after this long without a request
        #[arg(long, value_name = "DURATION", hide = true)]
        background: Option<HumanDuration>,
    },
    /// Show where its state is, and who uses it
    Status,
    /// End the one that is served, or that stays for the next command
    Stop(ForceArgs),
    /// Delete its state
    Reset(ForceArgs),
}
