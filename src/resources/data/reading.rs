//! How a training job reads a data set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ChannelName;

/// The keys of `[data.NAME]` that go to the job, not to the bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// `None`: as the data set is called.
    pub channel: Option<ChannelName>,
    pub content_type: Option<String>,
    pub input_mode: InputMode,
    pub distribution: Distribution,
}

/// How the files come to the script
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/model-access-training-data.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputMode {
    #[default]
    File,
    FastFile,
    Pipe,
}

/// Which files an instance gets
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    #[default]
    Replicated,
    Sharded,
}

impl InputMode {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::FastFile => "FastFile",
            Self::Pipe => "Pipe",
        }
    }
}

impl Distribution {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Replicated => "FullyReplicated",
            Self::Sharded => "ShardedByS3Key",
        }
    }
}
