//! What the tests stand on: a folder and an environment ([`World`]), what a run left ([`Ran`]), servers that
//! never outlive the tests ([`Server`], [`Served`]), and the emulators and clients of others ([`python`]).

pub mod asked;
mod beside;
pub mod commands;
pub mod golden;
pub mod inside;
pub mod python;
mod ran;
pub mod schema;
mod served;
mod server;
pub mod sweep;
pub mod tap;
mod world;

use std::ffi::OsString;

pub use beside::Beside;
pub use ran::Ran;
pub use served::Served;
pub use server::{Server, free_port, pause};
pub use world::{World, copy};

/// The `PATH` of whoever runs the tests, for programs of this machine.
#[expect(clippy::disallowed_methods, reason = "what is run is found as whoever runs the tests finds it")]
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
