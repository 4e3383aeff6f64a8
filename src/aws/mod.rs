//! Where AWS is, its clients, and what their answers mean.

mod calls;
mod clients;
mod cloudwatch;
mod connect;
mod date;
mod ecr;
mod error;
mod fence;
mod http;
mod json;
mod kms;
mod pace;
mod pricing;
mod proxy;
mod rates;
mod target;
mod whole;
mod words;

pub use calls::{CallCounter, Calls};
pub use clients::Clients;
pub(crate) use clients::s3;
pub use cloudwatch::{CloudWatch, MOST_PAGES, Measured, Metric, MetricQuery, MetricSeries, MetricTime};
pub use connect::{Profiles, connect, profiles, trust};
pub use date::AnswerDate;
pub use ecr::Ecr;
pub use error::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, classify};
pub use fence::{Fence, LeaseLost};
pub(crate) use fence::{Held, Moment};
pub(crate) use http::{Routes, for_large_bodies};
pub use kms::{Key, Kms};
pub use pace::PollPace;
pub use pricing::Pricing;
pub use proxy::Proxies;
pub use target::{Target, TargetOptions};
pub use whole::whole;
