//! The flow of a command, without a terminal: what other programs and tests call.

mod flow;

pub use flow::{Refusal, Run, Verified, differences, leased};
