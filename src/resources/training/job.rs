//! `[training.NAME]`, and what a job has in common wherever it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hyperparameter::Hyperparameter;
use crate::config::{ChannelName, Name};
use crate::desired::{Draft, Kind};
use crate::domain::{HumanDuration, KeyPath, KindName, ResourceId};
use crate::inputs::Tree;
use crate::resources::bucket::Bucket;
use crate::resources::data::Data;

/// Where the job runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    #[default]
    Sagemaker,
    Ec2,
}

/// `[training.NAME]`: a script, the data it reads, and the machine it runs on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Training")]
pub struct Item {
    /// Where it runs: a SageMaker training job, or an EC2 instance that terminates itself.
    #[serde(default)]
    pub on: Platform,
    /// The folder with the script. It is packed, and unpacked where the script runs; its `requirements.txt`
    /// is installed there.
    pub source: PathBuf,
    /// The script, within `source`. One that does not end in `.py` is run by a shell.
    #[serde(default = "train_py")]
    pub entry: String,
    /// Default `pytorch-2.6`, on EC2 the newest Amazon Linux 2023. SageMaker takes `pytorch-2.3` to
    /// `pytorch-2.8` or a full registry URI, EC2 an AMI ID or the name of a public SSM parameter.
    pub image: Option<String>,
    /// Default `ml.m5.xlarge`, on EC2 `t2.xlarge`. Those of SageMaker begin with `ml.`.
    pub instance_type: Option<String>,
    /// Why this instance type: `opsctl plan --why` and the report repeat it. Nothing else is done with it.
    pub why: Option<String>,
    /// How many instances train together. SageMaker only.
    #[serde(default = "one")]
    pub instance_count: i32,
    /// Disk, in GiB. On EC2 it must hold the image.
    #[serde(default = "thirty")]
    pub volume_gb: i32,
    /// Names under `[data]`; each is a channel of that name.
    #[serde(default)]
    pub data: Vec<ChannelName>,
    /// Passed to the script as `--name value` (SageMaker), and as `SM_HPS` (JSON) and `SM_HP_NAME` (both).
    #[serde(default)]
    pub hyperparameters: BTreeMap<String, Hyperparameter>,
    /// Name of a metric = regular expression with exactly one group, matched against the log.
    #[serde(default)]
    pub metrics: BTreeMap<String, String>,
    /// Environment variables of the script. No secrets: AWS shows them to anyone who may describe the job.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The job is stopped after this long.
    #[serde(default = "one_day")]
    pub max_runtime: HumanDuration,
    /// Cheaper instances that AWS may take back. SageMaker only.
    #[serde(default)]
    pub spot: bool,
    /// How long waiting and running may take together; only with `spot`, and at least `max_runtime`.
    /// Default `max_runtime`.
    pub max_wait: Option<HumanDuration>,
    /// Keep `/opt/ml/checkpoints` in the bucket, and restore it when the same job starts again: after a spot
    /// interruption or a failure. Other code, data or settings start from scratch. SageMaker only.
    #[serde(default)]
    pub checkpoints: bool,
}

fn train_py() -> String {
    "train.py".into()
}
fn one() -> i32 {
    1
}
fn thirty() -> i32 {
    30
}
fn one_day() -> HumanDuration {
    HumanDuration::days(1)
}

/// The section of `Training` and `Instance`.
pub type Section = BTreeMap<Name, Item>;

/// A data set as a job sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    pub name: String,
    pub uri: String,
    pub digest: String,
}

/// The packed source folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Code {
    pub bucket: String,
    /// The key of the archive; its digest is in it, so one archive serves all jobs of the same source.
    pub key: String,
    pub digest: String,
    pub path: PathBuf,
    pub entry: String,
}

impl Code {
    /// The folder of the bucket that holds all code. Jobs may read all of it: a role that named one digest
    /// would have to change, and the change to spread, with each edit of the script.
    const FOLDER: &str = "code/";

    pub fn new(bucket: &str, path: &Path, entry: &str, tree: &Tree) -> Self {
        let digest = tree.code_digest();
        let key = format!("{}{}/sourcedir.tar.gz", Self::FOLDER, &digest[..16]);
        let (path, entry) = (path.to_owned(), entry.to_owned());
        Self { bucket: bucket.to_owned(), key, digest, path, entry }
    }

    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Everything about a job that the config says and both places need.
#[derive(Debug)]
pub struct Common {
    pub bucket: String,
    pub code: Code,
    pub channels: Vec<Channel>,
    /// The prefixes that the job reads: its code and its data.
    pub reads: Vec<String>,
    pub needs: Vec<ResourceId>,
}

/// Looks up the source folder and the data sets of a job. `None` after a problem was reported.
pub fn common(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) -> Option<Common> {
    let bucket = Bucket::name(draft);
    let tree = draft.code(&item.source, &item.entry, &at.join("entry"));
    let mut needs = vec![Bucket::id(Bucket::MAIN)];
    let mut channels = Vec::new();
    let mut reads = Vec::new();
    for (i, name) in item.data.iter().enumerate() {
        let at = at.join("data").join(i.to_string());
        let Some(node) = draft.find(&[KindName::Data], name, "data", at) else { continue };
        let Some(data) = node.spec_as::<Data>() else { continue };
        channels.push(Channel { name: name.to_string(), uri: data.uri(), digest: data.digest.clone() });
        reads.push(data.prefix.clone());
        needs.push(node.id);
    }
    if channels.len() < item.data.len() {
        return None;
    }
    let code = Code::new(&bucket, &item.source, &item.entry, tree?);
    reads.push(Code::FOLDER.into());
    Some(Common { bucket, code, channels, reads, needs })
}

/// What is said of a script that left no model.
pub fn saved_nothing(entry: &str) -> String {
    format!("{entry} ended well, but wrote nothing to SM_MODEL_DIR (/opt/ml/model): there is no model")
}

/// Where a job's archive lies, wherever it ran (docs/decisions/0030):
/// `s3://<bucket>/<root>/<job>/output/model.tar.gz`.
pub fn model_uri(bucket: &str, root: &str, job: &str) -> String {
    format!("s3://{bucket}/{}", model_key(root, job))
}

/// The same without the bucket.
pub fn model_key(root: &str, job: &str) -> String {
    format!("{root}/{job}/output/model.tar.gz")
}
