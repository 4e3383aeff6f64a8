//! Where AWS is, and the clients to it.

mod clients;
mod target;

pub use clients::Clients;
pub(crate) use target::tls;
pub use target::{Choice, Target, connect, trust};
