//! A training job on a plain EC2 instance (`on = "ec2"`): the instance fetches code and data, trains, uploads
//! the archive, the log and last of all `result.json`, and shuts itself down into termination
//! (docs/decisions/0030).
//!
//! Quirks (docs/aws/ec2.md): a new instance profile is an InvalidParameterValue for minutes; a terminated
//! instance stays visible for an hour and then is gone, so the result in the bucket is what remains of a
//! job.

#[cfg(feature = "sdk")]
mod aws;
mod lint;
mod paths;
mod spec;
pub mod user_data;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Network;
use crate::resources::training::job::{Channel, Code};

pub use spec::{Instance, Missing, Outcome, State};

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// The ARN of its instance profile, or the name of one that somebody else made.
    pub profile_arn: String,
    /// An AMI id, or the name of a public SSM parameter that holds one.
    pub image: String,
    pub instance_type: String,
    pub volume_gb: i32,
    pub code: Code,
    pub channels: Vec<Channel>,
    pub hyperparameters: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    /// `s3://<bucket>/instances`; the job's name and `output/…` follow.
    pub output: String,
    pub max_runtime_s: i32,
    /// Channel → where in the script's folder it appears. These are left out where there are none, so that a
    /// job keeps the name that it had before these keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// What of the script's folder is packed into the model; a folder that is made beforehand ends in `/`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// With its first subnet alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Encrypts its disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// What the log is read for. The job knows nothing of it, so another pattern makes no other job.
    #[serde(skip)]
    pub metrics: BTreeMap<String, String>,
}
