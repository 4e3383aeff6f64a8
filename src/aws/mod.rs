//! Where AWS is, and the clients to it.

mod clients;
mod http;
mod rates;
mod target;

pub use clients::Clients;
pub(crate) use clients::s3;
pub(crate) use http::{Ways, for_large_bodies};
pub use target::{Choice, Profiles, Target, connect, profiles, trust};
