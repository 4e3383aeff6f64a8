//! Where AWS is, the clients to it, and what their answers mean.

mod calls;
mod clients;
mod date;
mod error;
mod fence;
mod http;
mod pace;
mod proxy;
mod rates;
mod target;

pub use calls::{CallCounter, Calls};
pub use clients::Clients;
pub(crate) use clients::s3;
pub use date::AnswerDate;
pub use error::{Expected, OpError, OpErrorKind, OpResult, Outcomes, classify};
pub use fence::{Fence, LeaseLost};
pub(crate) use fence::{Held, Moment};
pub(crate) use http::{Ways, for_large_bodies};
pub use pace::Pace;
pub use proxy::Proxies;
pub use target::{Choice, Profiles, Target, connect, profiles, trust};
