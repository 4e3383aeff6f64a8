//! From the text of `opsctl.toml` to one checked project: every problem at once, each with its place.

mod access;
pub mod audit;
mod beside;
mod budget;
pub mod document;
mod encryption;
mod lint;
mod misspelled;
pub mod names;
mod network;
pub mod project;
mod secrets;
pub mod section;

pub use access::Access;
pub use beside::configs;
pub use budget::Budget;
pub use document::Document;
pub use encryption::Encryption;
pub use lint::Lint;
pub use names::{ChannelName, Name};
pub use network::{Network, Networks};
pub use project::{Config, Project};
