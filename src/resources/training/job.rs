//! `[training.NAME]`, and what a job has in common wherever it runs.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{self, Channels, Entry};
use super::hyperparameter::Hyperparameter;
use super::packages;
use crate::config::{ChannelName, Name};
use crate::desired::{Draft, Kind, Mixed};
use crate::domain::{HumanDuration, KeyPath, KindName, ResourceId, Scope, codes};
use crate::inputs::{Tree, UseAs};
use crate::resources::bucket::Bucket;
use crate::resources::data::{Data, Distribution, InputMode, Outside, Reading, Spec as DataSpec};
use crate::resources::image;
use crate::resources::literal_secret;
use crate::resources::references::refuse_references;
use crate::resources::role::{Permission, Rights};

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
    /// is installed there. Needed unless there is an `algorithm`, or an `image` of your own that has its
    /// program in it.
    pub source: Option<PathBuf>,
    /// Pack only files of `source` that match one of these patterns (gitignore syntax). Empty: all but data
    /// sets and, where it has all of the project, notebooks that no script names and, at its top, logs,
    /// configuration and documents; the last stay where a `setup.py`, `-e .` in its requirements or
    /// `pip install .` in a shell script makes a package of it.
    #[serde(default)]
    pub include: Vec<String>,
    /// Files of `source` to leave out (gitignore syntax), beside what `.gitignore` files of the project and
    /// its git repository leave out. `!base.h5` takes along what those do.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The script, within `source`. One that does not end in `.py` is run by a shell. Default `train.py`.
    pub entry: Option<String>,
    /// Packages that pip installs where the script runs, beside those of the image: what a `requirements.txt`
    /// in `source` would name, where there is none (`["torch==2.6.0", "numpy"]`). Default none.
    #[serde(default)]
    pub packages: Vec<String>,
    /// A built-in algorithm of SageMaker in place of a script: `linear-learner`, `xgboost-1.7`. It reads its
    /// channels by their `content_type`, and its hyperparameters are AWS's.
    pub algorithm: Option<String>,
    /// Default `pytorch-2.6`, on EC2 the newest Amazon Linux 2023. SageMaker takes a framework and its
    /// version (`pytorch-1.13`, `tensorflow-2.19`, `sklearn-1.2`, `huggingface-4.49`; the GPU image
    /// where the instance type has one) or a full registry URI, EC2 an AMI ID or the name of a public SSM
    /// parameter.
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
    /// Names under `[data]`: a list, each for its own channel, or a table from channels to names, so that
    /// one data set can be read as several (`{ train = "digits", test = "digits" }`).
    #[serde(default)]
    pub data: Channels,
    /// Passed to the script as `--name value` (SageMaker), and as `SM_HPS` (JSON) and `SM_HP_NAME` (both).
    #[serde(default)]
    pub hyperparameters: BTreeMap<String, Hyperparameter>,
    /// Name of a metric = regular expression whose first group is the value, matched against the log.
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
    /// Where the script reads data sets: a name under `[data]` = a path in its working folder, at which a
    /// folder with the files of that data set appears (`{ dogs = "dogImages" }`). Beside `data`, or in its
    /// place. EC2 only.
    #[serde(default)]
    pub inputs: BTreeMap<ChannelName, String>,
    /// What the script leaves in its working folder and belongs to the model: files, and folders of which the
    /// contents are packed. A path whose name has no ending, or that ends in `/`, is a folder, and there
    /// before the script starts (`["TrainedModels"]`). EC2 only.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// A name under `[network]`: the job runs in those subnets of your VPC, an EC2 instance in the first of
    /// them. It has to reach S3 from there, and PyPI for packages. Default none.
    pub network: Option<Name>,
    /// No network at all in the container, which a built-in algorithm does not need: its data and its model
    /// come and go without it. A script's code is fetched over the network. SageMaker only.
    #[serde(default)]
    pub isolation: bool,
    /// The ARN of a role that you have, in place of the one that opsctl makes: it is used, and never changed
    /// or deleted. Before the first write IAM is asked whether it may do what is needed. Default a role of
    /// its own.
    pub role: Option<String>,
    /// What the role that opsctl makes may do beside what it needs:
    /// `[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::my-files/*"] }]`. Default none.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// With `role` on EC2: the name or ARN of the instance profile that holds it. Default the one of the
    /// role's path and name.
    pub instance_profile: Option<String>,
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

impl Item {
    /// What of `source` is packed. What the script finds at `inputs` and leaves at `outputs` is no code, also
    /// where it has run on this machine.
    pub fn use_as(&self) -> UseAs {
        let mut exclude = self.exclude.clone();
        if self.on == Platform::Ec2 {
            let paths = self.inputs.values().chain(&self.outputs);
            exclude.extend(paths.map(|path| format!("/{}", path.trim_end_matches('/'))));
        }
        UseAs::Code { include: self.include.clone(), exclude }
    }

    /// Whether its container needs no script: the program is in the image.
    pub fn is_whole_container(&self) -> bool {
        let image = self.image.as_deref().filter(|_| self.on == Platform::Sagemaker && self.source.is_none());
        self.algorithm.is_none() && image.is_some_and(image::brings_program)
    }

    /// What it leaves in its folder where it runs on this machine.
    pub fn makes(&self) -> Vec<String> {
        let is_inside = |path: &&str| {
            *path != self.entry()
                && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
        };
        let outputs = self.outputs.iter().filter(|_| self.on == Platform::Ec2);
        outputs.map(|path| path.trim_end_matches('/')).filter(is_inside).map(str::to_owned).collect()
    }

    /// The data sets that it reads, each with the key that names it: those of `data`, and those that only
    /// `inputs` has.
    fn read(&self) -> Vec<(&'static str, Entry<'_>)> {
        let mut all: Vec<_> = self.data.entries().map(|entry| ("data", entry)).collect();
        for data in self.inputs.keys().filter(|_| self.on == Platform::Ec2) {
            if all.iter().all(|(_, entry)| entry.data != data) {
                all.push(("inputs", Entry { key: data.to_string(), channel: None, data }));
            }
        }
        all
    }

    /// With which rights it runs.
    pub fn rights(&self) -> Rights<'_> {
        Rights { role: self.role.as_deref(), permissions: &self.permissions }
    }

    /// Whether a shell runs the entry, and not Python.
    pub fn runs_in_shell(&self) -> bool {
        !self.entry().ends_with(".py")
    }

    /// The script within `source`.
    pub fn entry(&self) -> &str {
        self.entry.as_deref().unwrap_or("train.py")
    }
}

/// The section of `Training` and `Instance`.
pub type Section = BTreeMap<Name, Item>;

/// A data set as a job sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    pub name: String,
    pub uri: String,
    pub digest: String,
    /// Left out where they are AWS's defaults, so that a job keeps the name that it had before these keys.
    #[serde(flatten)]
    pub access: Access,
}

impl Channel {
    /// The same where all files are copied before the script starts.
    pub fn copied(self) -> Self {
        Self { access: Access::default(), ..self }
    }
}

/// How a channel brings its files, besides from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub input_mode: InputMode,
    #[serde(default, skip_serializing_if = "is_default")]
    pub distribution: Distribution,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Access {
    fn of(reading: &Reading) -> Self {
        let Reading { content_type, input_mode, distribution, .. } = reading;
        Self { content_type: content_type.clone(), input_mode: *input_mode, distribution: *distribution }
    }

    /// What differs from AWS's defaults, in words; empty of nothing.
    pub fn words(&self) -> String {
        let mode = (self.input_mode != InputMode::File).then(|| self.input_mode.word());
        let sharded = (self.distribution == Distribution::Sharded).then(|| self.distribution.word());
        let words = self.content_type.as_deref().into_iter().chain(mode).chain(sharded);
        words.collect::<Vec<_>>().join(", ")
    }
}

/// What the channels of a job have that is not AWS's default, in words.
pub fn access<'c>(channels: impl Iterator<Item = (&'c str, &'c Access)>) -> BTreeMap<String, String> {
    let words = channels.map(|(name, access)| (name.to_owned(), access.words()));
    words.filter(|(_, words)| !words.is_empty()).collect()
}

/// The packed source folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Code {
    pub bucket: String,
    /// The key of the archive; its digest is in it, so one archive serves all jobs of the same source.
    pub key: String,
    pub digest: String,
    pub path: PathBuf,
    /// What of it is packed; the digest is of that.
    #[serde(skip, default = "all_code")]
    pub use_as: UseAs,
    pub entry: String,
    /// Packed with it as `requirements.txt`; the digest has them.
    #[serde(skip)]
    pub packages: Vec<String>,
}

fn all_code() -> UseAs {
    UseAs::ALL_CODE
}

impl Code {
    /// With this begin the keys of all code of the project: others may share the bucket. Jobs may read all of
    /// it: a role that named one digest would have to change, and the change to spread, with each edit of the
    /// script.
    fn folder(scope: &Scope) -> String {
        format!("code/{}", scope.prefix())
    }

    fn new(bucket: &str, folder: &str, path: &Path, item: &Item, tree: &Tree) -> Self {
        let digest = packages::digest(tree, &item.packages);
        let key = format!("{folder}{}/sourcedir.tar.gz", &digest[..16]);
        let (path, use_as, entry) = (path.to_owned(), item.use_as(), item.entry().to_owned());
        let packages = item.packages.clone();
        Self { bucket: bucket.to_owned(), key, digest, path, use_as, entry, packages }
    }

    /// Where the archive is in S3.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Everything about a job that the config says and both places need.
#[derive(Debug)]
pub struct Common {
    pub bucket: String,
    /// `None` where the program is in the image.
    pub code: Option<Code>,
    pub channels: Vec<Channel>,
    /// The path of `inputs` at which a channel appears, by the channel's name.
    pub inputs: BTreeMap<String, String>,
    /// The prefixes that the job reads: its code and its data.
    pub reads: Vec<String>,
    /// Data that it reads in somebody's bucket.
    pub outside: Vec<Outside>,
    pub needs: Vec<ResourceId>,
}

fn judge_code(item: &Item, tree: &Tree, at: &KeyPath, draft: &mut Draft<'_>) {
    refuse_line_ends(item, tree, at, draft);
    packages::judge_beside(&item.packages, tree, &at.join("packages"), draft);
    draft.warn_of_requirements(tree, &at.join("source"));
    match item.on {
        Platform::Ec2 => warn_of_code(item, tree, at, draft),
        Platform::Sagemaker => refuse_no_module(item, tree, at, draft),
    }
}

/// A shell takes the first character of `\r\n` for a part of the line: no machine has a `/bin/bash\r`.
fn refuse_line_ends(item: &Item, tree: &Tree, at: &KeyPath, draft: &mut Draft<'_>) {
    let entry = item.entry();
    let first =
        |content: &[u8]| content.split(|byte| *byte == b'\n').next().is_some_and(|l| l.ends_with(b"\r"));
    if item.runs_in_shell() && tree.entry(entry).is_some_and(|file| first(&file.content)) {
        let text = format!("the lines of `{entry}` end as on Windows, and no shell can run it");
        let help = "save it with LF; `*.sh text eol=lf` in .gitattributes keeps it so in every checkout";
        draft.error(codes::NOT_IN_SOURCE, at.join("entry"), text, help);
    }
}

/// Warns of code that [`Item::use_as`] leaves out.
fn warn_of_code(item: &Item, tree: &Tree, at: &KeyPath, draft: &mut Draft<'_>) {
    let inputs = item.inputs.iter().map(|(name, path)| (at.join("inputs").join(&**name), path));
    let outputs = item.outputs.iter().enumerate();
    let outputs = outputs.map(|(place, path)| (at.join("outputs").join(place.to_string()), path));
    for (at, path) in inputs.chain(outputs) {
        let path = path.trim_end_matches('/');
        if tree.has_python_at(path) {
            let text = format!("there are Python files at {path:?}, and what is there is not packed");
            let help = "if the script imports them, give the data, or what it leaves, a folder of its own";
            draft.warn(codes::CODE_LEFT_OUT, at, text, help);
        }
    }
}

/// With a `setup.py` beside it AWS's toolkit installs the folder and runs the script as a module:
/// aws/sagemaker-training-toolkit `entry_point.py`, `_entry_point_type.py`.
fn refuse_no_module(item: &Item, tree: &Tree, at: &KeyPath, draft: &mut Draft<'_>) {
    let entry = item.entry();
    let Some((folder, _)) = entry.rsplit_once('/').filter(|_| entry.ends_with(".py")) else { return };
    if tree.entry("setup.py").is_some() {
        let text = format!("`{entry}` is run as a module because of setup.py, and none is in a folder");
        let help =
            format!("move the script beside it, make {folder}/ the `source`, or exclude \"/setup.py\"");
        draft.error(codes::BAD_VALUE, at.join("entry"), text, help);
    }
}

/// What goes to AWS as it is written.
fn judge_values(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    literal_secret::warn(&item.environment, &at.join("environment"), draft);
    refuse_references(&item.environment, &at.join("environment"), draft);
    let plain = item.hyperparameters.iter().map(|(name, value)| (name.clone(), value.plain())).collect();
    literal_secret::warn(&plain, &at.join("hyperparameters"), draft);
    let hyperparameters = item.hyperparameters.iter().map(|(name, value)| (name, value.plain()));
    refuse_references(hyperparameters, &at.join("hyperparameters"), draft);
    packages::judge(&item.packages, item.source.is_some(), &at.join("packages"), draft);
}

fn refuse_nothing(at: &KeyPath, draft: &mut Draft<'_>) {
    let text = "there is neither a script nor an algorithm";
    let help = "add `source = \"…\"`, the folder of the script, or `algorithm = \"xgboost-1.7\"`, for \
                example; a container of your own, by its URI as `image`, needs neither";
    draft.error(codes::MISSING_KEY, at.clone(), text, help);
}

/// Looks up the source folder and the data sets of a job. `None` after a problem was reported.
pub fn common(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) -> Option<Common> {
    judge_values(item, at, draft);
    let bucket = Bucket::name(draft);
    let use_as = item.use_as();
    let source = item.source.as_ref();
    let tree = source.map(|source| draft.code(source, &use_as, item.entry(), &at.join("entry")));
    if let Some(tree) = tree.flatten() {
        judge_code(item, tree, at, draft);
    }
    if item.source.is_none() && item.algorithm.is_none() && !item.is_whole_container() {
        refuse_nothing(at, draft);
        return None;
    }
    let (mut needs, mut found) = (vec![Bucket::id(Bucket::MAIN)], Vec::new());
    let (mut reads, mut outside) = (Vec::new(), Vec::new());
    let mut inputs = BTreeMap::new();
    let entries = item.read();
    for (key, entry) in &entries {
        let at = at.join(*key).join(&entry.key);
        let Some(set) = Set::of(entry.data, &at, draft) else { continue };
        let reading = set.reading();
        let name = entry.channel.or(reading.channel.as_ref()).unwrap_or(entry.data).to_string();
        let others: Vec<&str> = found.iter().map(|c: &Channel| &*c.name).collect();
        channels::refuse_twice(&name, entry.data, &others, &at, draft);
        let access = Access::of(reading);
        if item.on == Platform::Ec2 && access.input_mode == InputMode::Pipe {
            let text = format!("`{}` is streamed through a pipe, which an EC2 instance has not", entry.data);
            draft.error(codes::BAD_VALUE, at, text, "write `input_mode = \"file\"` there");
        }
        let (uri, digest) = set.place();
        // Of several channels of one data set the first appears there.
        let path = item.inputs.get(entry.data);
        if let Some(path) = path.filter(|path| !inputs.values().any(|it| it == *path)) {
            inputs.insert(name.clone(), path.trim_end_matches('/').to_owned());
        }
        found.push(Channel { name, uri, digest, access });
        match set {
            Set::Ours(id, data) if !reads.contains(&data.prefix) => {
                reads.push(data.prefix);
                needs.push(id);
            }
            Set::Outside(data) if outside.iter().all(|other: &Outside| other.uri() != data.uri()) => {
                outside.push(data);
            }
            _ => {}
        }
    }
    if found.len() < entries.len() {
        return None;
    }
    let folder = Code::folder(draft.scope);
    let code = match (&item.source, tree) {
        (Some(source), Some(tree)) => Some(Code::new(&bucket, &folder, source, item, tree?)),
        _ => None,
    };
    if code.is_some() {
        reads.push(folder);
    }
    Some(Common { bucket, code, channels: found, inputs, reads, outside, needs })
}

/// A data set that a job reads.
enum Set {
    Ours(ResourceId, DataSpec),
    Outside(Outside),
}

impl Set {
    fn of(name: &ChannelName, at: &KeyPath, draft: &mut Draft<'_>) -> Option<Self> {
        if let Some(outside) = draft.kept::<Outside>(&Data::id(name)).cloned() {
            draft.reads(at, &KeyPath::of(["data", name]));
            return Some(Self::Outside(outside));
        }
        let node = draft.find(&[KindName::Data], name, "data", at.clone())?;
        let spec = node.spec_as::<Data>()?.clone();
        Some(Self::Ours(node.id, spec))
    }

    fn reading(&self) -> &Reading {
        match self {
            Self::Ours(_, data) => &data.reading,
            Self::Outside(data) => &data.reading,
        }
    }

    /// Where it is, and what it is known by.
    fn place(&self) -> (String, String) {
        match self {
            Self::Ours(_, data) => (data.uri(), data.read.clone()),
            Self::Outside(data) => (data.uri(), data.digest.clone()),
        }
    }
}

/// The first ten digits of a digest.
pub fn short(digest: &str) -> String {
    digest.get(..10).unwrap_or(digest).to_owned()
}

/// What is said of a script that left no model.
pub fn saved_nothing(entry: &str) -> String {
    format!("{entry} ended well, but wrote nothing to SM_MODEL_DIR (/opt/ml/model): there is no model")
}

/// What is said of a job whose archive is another one now. Nobody but the job writes it, so whose weights
/// these are, nobody knows; and what others put there is not overwritten by training again.
pub fn replaced() -> Mixed {
    Mixed {
        code: codes::REPLACED,
        what: format!("has left another archive than the one in the bucket: {REPLACED}"),
        help: "bring back the version that the job saved, or delete the object: then it is trained again \
               when something needs it",
    }
}

/// In the words of a status.
pub const REPLACED: &str = "somebody has replaced its model.tar.gz";

/// Where a job leaves its archive, in its own folder.
pub const MODEL: &str = "output/model.tar.gz";

/// Where a job's archive lies, wherever it ran (docs/decisions/0030): `s3://<bucket>/<root>/<job>/` and
/// [`MODEL`].
pub fn model_uri(bucket: &str, root: &str, job: &str) -> String {
    format!("s3://{bucket}/{}", model_key(root, job))
}

/// The same without the bucket.
pub fn model_key(root: &str, job: &str) -> String {
    format!("{root}/{job}/{MODEL}")
}

/// The job that left the archive at a [`model_uri`].
pub fn of_model(uri: &str) -> Option<&str> {
    uri.strip_suffix(MODEL)?.strip_suffix('/')?.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::{model_uri, of_model};

    #[test]
    fn the_job_of_an_archive_is_known() {
        assert_eq!(of_model(&model_uri("b", "training", "a-dev-j-1")), Some("a-dev-j-1"));
        assert_eq!(of_model("elsewhere"), None);
    }
}
