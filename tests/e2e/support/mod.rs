//! What the tests stand on: a folder and an environment ([`World`]), what a run left ([`Ran`]), servers that never
//! outlive the tests ([`Server`]), and the emulators of others ([`python`]).

mod beside;
pub mod inside;
pub mod python;
mod ran;
mod server;
mod world;

pub use beside::Beside;
pub use ran::Ran;
pub use server::{Server, free_port};
pub use world::World;
