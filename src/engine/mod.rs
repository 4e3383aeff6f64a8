//! The effects: observing, executing, waiting, canceling. No decisions are made here.

mod cancel;
mod cx;
mod driver;
mod events;
mod execute;
pub mod invoke;
pub mod lease;
mod lost;
mod observe;
mod registry;
mod settle;

pub use cancel::{Cancel, Cause, GRACE};
pub use cx::{OpCx, Patience, Probe, RunContext};
pub use driver::{Driver, Found};
pub use events::{Event, Events, Progress, RunError, RunResult, StepResult, ms};
pub use execute::{BeforeStep, RunOutcome, execute, execute_with};
pub use observe::{count, observe, observe_closely, observe_readable, previous_generations};
pub use registry::{AnyDriver, Registry};
pub use settle::{gone, make};
