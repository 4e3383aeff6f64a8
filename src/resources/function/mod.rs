//! A Lambda function in front of an endpoint: code, configuration, published version, and the alias `live`
//! that callers use. The version's number stays in here (docs/decisions/0002).
//!
//! Quirks (docs/aws/lambda.md): `Pending` and `InProgress` refuse the next change; a new role cannot be
//! assumed for some seconds; publishing without a change gives the old version back; weights left on an
//! alias block later updates.

#[cfg(feature = "sdk")]
mod aws;
pub mod code;
#[cfg(feature = "sdk")]
mod found;
#[cfg(feature = "sdk")]
mod http_event;
#[cfg(feature = "sdk")]
mod install;
#[cfg(any(feature = "sdk", test))]
mod installer;
#[cfg(feature = "sdk")]
mod invoke;
mod layers;
mod lint;
mod machine;
#[cfg(feature = "sdk")]
mod open;
pub mod packages;
mod references;
mod requirements;
mod section;
#[cfg(feature = "sdk")]
mod send;
mod spec;
mod url;

pub use spec::{Function, Spec, State};
pub use url::Url;
