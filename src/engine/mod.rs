//! The effects: looking, doing, waiting, cancelling. No decisions are made here.

mod calls;
mod cancel;
mod cx;
mod date;
mod driver;
mod error;
mod events;
mod execute;
mod fence;
pub mod lease;
mod observe;
mod pace;
mod run;
mod settle;

pub use calls::{CallCounter, Calls};
pub use cancel::{Cancel, Cause, GRACE};
pub use cx::{OpCx, Probe, World};
pub use date::AnswerDate;
pub use driver::{Driver, Found};
pub use error::{Expected, OpError, OpErrorKind, OpResult, Outcomes, classify};
pub use events::{Event, Events, Progress, RunError, RunResult, StepResult, ms};
pub use execute::{Outcome, execute};
pub use fence::{Fence, LeaseLost};
pub use observe::{count, elders, observe};
pub use pace::Pace;
pub use run::{Refusal, Run, Verified, differences, leased};
pub use settle::{gone, make};
