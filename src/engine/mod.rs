//! The effects: looking, doing, waiting, cancelling. No decisions are made here.

mod cancel;
mod cx;
mod driver;
mod events;
mod execute;
pub mod lease;
mod observe;
mod registry;
mod settle;

pub use cancel::{Cancel, Cause, GRACE};
pub use cx::{OpCx, Probe, World};
pub use driver::{Driver, Found};
pub use events::{Event, Events, Progress, RunError, RunResult, StepResult, ms};
pub use execute::{Outcome, execute};
pub use observe::{count, elders, look_closer, observe};
pub use registry::{AnyDriver, Registry};
pub use settle::{gone, make};
