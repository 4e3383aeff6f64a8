//! Every kind of resource, one folder each, registered by one line here and one in
//! [`crate::domain::KindName`].
//!
//! `spec.rs` is the pure half of a kind (what the config says, what differs), `aws.rs` the verbs. The order
//! of registration is the order of dependency: a kind refers only to kinds above it.

pub mod autoscaling;
pub mod bucket;
pub mod concurrency;
pub mod data;
mod encryption;
pub mod endpoint;
pub mod endpoint_config;
pub mod function;
pub mod image;
pub mod instance;
mod literal_secret;
pub mod log_group;
#[cfg(feature = "sdk")]
pub mod log_stream;
pub mod manifest;
pub mod model;
pub mod notebook;
#[cfg(feature = "sdk")]
mod objects;
#[cfg(feature = "sdk")]
pub mod parted_log;
mod references;
pub mod role;
#[cfg(feature = "sdk")]
mod sagemaker;
pub mod schedule;
mod schema;
#[cfg(feature = "sdk")]
mod tagged;
pub mod training;
#[cfg(feature = "sdk")]
mod uploads;
mod used;

use crate::desired::AnyKind;
use crate::domain::KindName;
#[cfg(feature = "sdk")]
use crate::engine::Registry;

pub use schema::schema;

macro_rules! kinds {
    ($($folder:ident::$variant:ident)*) => {
        /// The pure halves, in order of dependency.
        pub fn kinds() -> Vec<Box<dyn AnyKind>> {
            const { same_order(&[$(KindName::$variant),*]) };
            vec![$(Box::new($folder::$variant)),*]
        }

        /// The kinds with their verbs, in order of dependency.
        #[cfg(feature = "sdk")]
        pub fn registry() -> Registry {
            Registry(vec![$(Box::new($folder::$variant)),*])
        }
    };
}

/// What is registered here is what [`KindName`] lists, or it does not compile.
const fn same_order(here: &[KindName]) {
    assert!(here.len() == KindName::ALL.len());
    let mut i = 0;
    while i < here.len() {
        assert!(here[i] as usize == KindName::ALL[i] as usize);
        i += 1;
    }
}

kinds! {
    bucket::Bucket
    data::Data
    log_group::LogGroup
    role::Role
    schedule::Schedule
    training::Training
    instance::Instance
    model::Model
    endpoint_config::EndpointConfig
    endpoint::Endpoint
    autoscaling::Autoscaling
    function::Function
    concurrency::Concurrency
    notebook::Notebook
}
