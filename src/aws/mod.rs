//! Where AWS is, and the clients to it.

mod clients;
mod target;

pub use clients::Clients;
pub(crate) use clients::s3;
pub(crate) use target::tls;
pub use target::{Choice, Target, connect, trust};
