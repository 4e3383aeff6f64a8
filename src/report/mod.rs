//! Renders data for people and programs. Nothing here decides or calls.

pub mod answer;
pub mod cost;
pub mod diagnostics;
#[cfg(feature = "sdk")]
pub mod doctor;
#[cfg(feature = "sdk")]
pub mod invocation;
mod leftovers;
#[cfg(feature = "sdk")]
pub mod live;
#[cfg(feature = "sdk")]
pub mod overview;
pub mod page;
pub mod plan;
pub mod style;
#[cfg(feature = "sdk")]
pub mod upload;

pub use crate::domain::bytes;
