//! Every kind of resource, one folder each, registered by one line.
//!
//! `spec.rs` is the pure half of a kind (what the config says, what differs), `aws.rs` the verbs. The order of
//! registration is the order of dependency: a kind refers only to kinds above it.

mod erased;
pub mod image;
mod kind;
#[cfg(feature = "sdk")]
mod sagemaker;

pub use erased::AnyKind;
#[cfg(feature = "sdk")]
pub use erased::{AnyDriver, Registry};
pub use kind::Kind;

macro_rules! kinds {
    ($($variant:ident $name:literal $words:literal $longest:literal $folder:ident;)*) => {
        $(pub mod $folder;)*

        /// The closed list of kinds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum KindName { $($variant),* }

        impl KindName {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word the user types: `endpoint`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The words of a sentence: `endpoint configuration`.
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => $words),* }
            }

            /// How many characters AWS allows for the physical name (docs/aws/iam.md#limits,
            /// docs/aws/s3.md#limits, docs/aws/sagemaker.md#names, docs/aws/lambda.md#limits).
            pub fn longest_name(self) -> usize {
                match self { $(Self::$variant => $longest),* }
            }
        }

        /// The pure halves, in order of dependency.
        pub fn kinds() -> Vec<Box<dyn AnyKind>> {
            vec![$(Box::new($folder::$variant)),*]
        }

        /// The kinds with their verbs, in order of dependency.
        #[cfg(feature = "sdk")]
        pub fn registry() -> Registry {
            Registry(vec![$(Box::new($folder::$variant)),*])
        }
    };
}

kinds! {
    Bucket "bucket" "bucket" 63 bucket;
    Data "data" "data set" 1024 data;
    LogGroup "log-group" "log group" 512 log_group;
    Role "role" "role" 64 role;
    Training "training" "training job" 63 training;
    Instance "instance" "EC2 training job" 63 instance;
    Model "model" "model" 63 model;
    EndpointConfig "endpoint-config" "endpoint configuration" 63 endpoint_config;
    Endpoint "endpoint" "endpoint" 63 endpoint;
    Autoscaling "autoscaling" "autoscaling" 1600 autoscaling;
    Function "function" "function" 64 function;
    Concurrency "concurrency" "provisioned concurrency" 256 concurrency;
    Notebook "notebook" "notebook" 63 notebook;
}

impl std::fmt::Display for KindName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for KindName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|k| k.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|k| k.as_str()).collect();
            format!("`{text}` is not a kind; kinds are {}", known.join(", "))
        })
    }
}
