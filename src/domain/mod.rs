//! The words everything else is written in: ids, changes, diagnostics, codes. No I/O.

pub mod action;
pub mod change;
pub mod codes;
pub mod console;
pub mod contents;
pub mod crc;
pub mod diagnostic;
pub mod duration;
pub mod facts;
pub mod fingerprint;
pub mod id;
pub mod kind;
pub mod object;
pub mod places;
pub mod scale;
pub mod shown;
pub mod size;
pub mod status;
pub mod workflow;

pub use action::Action;
pub use change::{Changes, FieldChange, Needs, Verb, changes};
pub use codes::Code;
pub use contents::{Contents, Tally};
pub use crc::{Crc64, Crc64Hasher};
pub use diagnostic::{Diagnostic, Diagnostics, KeyPath, Severity};
pub use duration::{Days, HumanDuration};
pub use facts::Facts;
pub use id::{Owner, ResourceId, Scope};
pub use kind::KindName;
pub use object::{LEASE_KEY, Stored};
pub use scale::Scale;
pub use size::{bytes, clock, figure, grouped};
pub use status::{Phase, Status};
