use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hyperparameter::{Hyperparameter, TOOLKIT};
use super::job::{self, Channel, Code, Item, Platform};
use super::lint;
use crate::config::{Name, Network};
use crate::desired::{Draft, Kind, Log, Mixed, Seen};
use crate::domain::usage::{Instances, Purpose, Runs, Storage, counted};
use crate::domain::{
    Action, Attributes, FieldChange, HumanDuration, KeyPath, KindName, Needs, Phase, Scope, Usage, Verb,
    action, attributes, changes, codes, console, fingerprint,
};
use crate::inputs::Source;
use crate::limits::{self, Bound};
use crate::resources::encryption::{KEY, word};
use crate::resources::image::{self, Purpose as ImagePurpose};
use crate::resources::role::{Assumer, Role, policy};
use crate::resources::schedule::Schedule;
use crate::resources::used;

/// The kind.
pub struct Training;

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub role_arn: String,
    pub image: String,
    pub instance_type: String,
    pub instance_count: i32,
    pub volume_gb: i32,
    /// `None` where the program is in the image: of a built-in algorithm, and of a container of the user's.
    pub code: Option<Code>,
    pub channels: Vec<Channel>,
    /// The user's own, as text.
    pub hyperparameters: BTreeMap<String, String>,
    pub metrics: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    /// `s3://<bucket>/training`; the job's name and `output/model.tar.gz` follow.
    pub output: String,
    pub max_runtime_s: i32,
    /// For spot training: how long in all.
    pub max_wait_s: Option<i32>,
    /// `s3://<bucket>/checkpoints`; the job's name follows.
    pub checkpoints: Option<String>,
    /// Left out where there is none, so that a job keeps the name that it had before these keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub isolated: bool,
    /// Encrypts what it leaves, and its volume where the instance type takes a key for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

impl Spec {
    /// The key of its volume.
    pub fn volume_key(&self) -> Option<&str> {
        self.kms_key.as_deref().filter(|_| !limits::has_own_disk(&self.instance_type))
    }

    /// The bucket that it writes to.
    pub fn bucket(&self) -> &str {
        let path = self.output.trim_start_matches("s3://");
        path.split_once('/').map_or(path, |(bucket, _)| bucket)
    }

    /// Where this very job keeps its checkpoints. The name is its fingerprint: a job of the same recipe (a
    /// spot restart, one that failed and is made again) resumes from them, one of another recipe finds none.
    pub fn checkpoints_of(&self, job: &str) -> Option<String> {
        self.checkpoints.as_ref().map(|root| format!("{root}/{job}/"))
    }
}

/// What of it is compared, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub image: String,
    pub instance_type: String,
    pub instance_count: i32,
    pub volume_gb: i32,
    pub role_arn: String,
    /// The digest in the code archive's key.
    pub code: String,
    pub entry: String,
    /// Channel → digest of its data, from the tags.
    pub data: BTreeMap<String, String>,
    /// Channel → [`super::job::Access::words`], of those that have some.
    #[serde(default)]
    pub access: BTreeMap<String, String>,
    pub hyperparameters: BTreeMap<String, String>,
    pub metrics: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub max_runtime_s: i32,
    pub spot: bool,
    pub checkpoints: bool,
    #[serde(default)]
    pub network: Option<Network>,
    #[serde(default)]
    pub isolated: bool,
    /// The keys of what it leaves and of its volume.
    #[serde(default)]
    pub kms_key: Option<String>,
    #[serde(default)]
    pub volume_key: Option<String>,
    /// Whether the archive that a completed job has left is still in the bucket.
    pub output: bool,
    /// Whether opsctl saw it complete without one.
    #[serde(default)]
    pub saved_nothing: bool,
    /// Whether the archive that is there is another one than the job has left.
    #[serde(default)]
    pub replaced: bool,
    /// From its creation to its end, of a job that completed.
    #[serde(default)]
    pub took_s: Option<u64>,
    /// The last value of each metric, of a job that ended.
    #[serde(default)]
    pub measured: BTreeMap<String, f64>,
}

impl State {
    fn usage(&self) -> Usage {
        let count = counted(self.instance_count);
        let instance_type = self.instance_type.clone();
        let at_most = HumanDuration::seconds(counted(self.max_runtime_s));
        Usage {
            instances: Some(Instances { purpose: Purpose::Training, instance_type, count }),
            runs: Runs::Once { at_most, spot: self.spot },
            stored: vec![(Storage::MlVolume, (counted(self.volume_gb) * count) << 30)],
            ..Usage::default()
        }
    }
}

impl Training {
    /// The folder of the bucket that SageMaker jobs write to.
    pub const OUTPUT: &'static str = "training";

    /// The log group of all training jobs; streams are `<job>/algo-<n>-<epoch>`
    /// (docs/aws/sagemaker-training.md#logs).
    pub const LOG_GROUP: &'static str = "/aws/sagemaker/TrainingJobs";
    /// The folder of the bucket for checkpoints.
    const CHECKPOINTS: &'static str = "checkpoints";
    /// The tag prefix under which a job remembers what its data was.
    pub const DATA_TAG: &'static str = "opsctl:data/";
    /// The tag of a job that completed without a model. Without it, an archive that is not there was deleted
    /// later, or the job ended while nobody looked.
    pub const SAVED_NOTHING_TAG: &'static str = "opsctl:saved-nothing";
    /// The tag with the entity tag of the archive that opsctl saw when the job had completed. Without it, one
    /// archive is as good as another.
    pub const MODEL_TAG: &'static str = "opsctl:model-etag";
}

impl Kind for Training {
    const NAME: KindName = KindName::Training;
    const SECTION: Option<&'static str> = Some("training");
    const FINGERPRINTED: bool = true;
    const STOPS: bool = true;
    const RUNS_CODE: bool = true;
    const LOG: Option<fn(&str) -> Log> = Some(|physical| {
        let prefix = Some(format!("{physical}/"));
        Log::Streams { group: Self::LOG_GROUP.into(), prefix }
    });
    const ENDS: bool = true;
    const ARTIFACT: Option<fn(&str) -> String> = Some(|physical| job::model_key(Self::OUTPUT, physical));
    type Section = job::Section;
    type Spec = Spec;
    type State = State;

    fn sources(section: &Self::Section) -> Vec<Source> {
        let source = |(name, item): (&Name, &Item)| {
            let at = KeyPath::of(["training", name, "source"]);
            Some(Source { path: item.source.clone()?, use_as: item.use_as(), at, no_code: item.makes() })
        };
        section.iter().filter_map(source).collect()
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        for (name, item) in section.iter().filter(|(_, item)| item.on == Platform::Sagemaker) {
            let at = KeyPath::of(["training", name]);
            check(item, &at, draft);
            Schedule::lint_job(item.max_runtime, &at, draft);
            let Some((mut spec, statements, mut needs)) = spec(name, item, &at, draft) else { continue };
            let user = format!("training-{name}");
            let role = Role::of_rights(&user, &item.rights(), Assumer::SageMaker, statements, draft, &at);
            needs.extend(role.made);
            spec.role_arn = role.arn;
            let physical = format!("{}-{}", draft.scope.physical(name), fingerprint::suffix(&spec));
            let job = draft.add::<Self>(name, physical, spec, needs, at);
            draft.reason(&job, item.why.as_deref());
        }
    }

    fn is_item(written: &Value) -> bool {
        written["on"] != "ec2"
    }

    fn bound() -> &'static [Bound] {
        const {
            &[
                Bound::value("image", "sagemaker:CreateTrainingJob.AlgorithmSpecification.TrainingImage"),
                Bound::instance_type(
                    "instance_type",
                    "sagemaker:CreateTrainingJob.ResourceConfig.InstanceType",
                ),
                Bound::value("instance_count", "sagemaker:CreateTrainingJob.ResourceConfig.InstanceCount"),
                Bound::value("volume_gb", "sagemaker:CreateTrainingJob.ResourceConfig.VolumeSizeInGB"),
                Bound::count("data", "sagemaker:CreateTrainingJob.InputDataConfig", 0),
                Bound::value("data.*", "sagemaker:CreateTrainingJob.InputDataConfig.*.ChannelName"),
                Bound::map("hyperparameters", "sagemaker:CreateTrainingJob.HyperParameters", TOOLKIT.len())
                    .written(Hyperparameter::sent),
                Bound::count(
                    "metrics",
                    "sagemaker:CreateTrainingJob.AlgorithmSpecification.MetricDefinitions",
                    0,
                ),
                Bound::names(
                    "metrics",
                    "sagemaker:CreateTrainingJob.AlgorithmSpecification.MetricDefinitions.*.Name",
                ),
                Bound::value(
                    "metrics.*",
                    "sagemaker:CreateTrainingJob.AlgorithmSpecification.MetricDefinitions.*.Regex",
                ),
                Bound::map("environment", "sagemaker:CreateTrainingJob.Environment", 0),
                Bound::seconds(
                    "max_runtime",
                    "sagemaker:CreateTrainingJob.StoppingCondition.MaxRuntimeInSeconds",
                ),
                Bound::seconds(
                    "max_wait",
                    "sagemaker:CreateTrainingJob.StoppingCondition.MaxWaitTimeInSeconds",
                ),
            ]
        }
    }

    fn wanted(want: &Spec) -> State {
        State {
            image: want.image.clone(),
            instance_type: want.instance_type.clone(),
            instance_count: want.instance_count,
            volume_gb: want.volume_gb,
            role_arn: want.role_arn.clone(),
            code: want.code.as_ref().map(|code| code.digest.clone()).unwrap_or_default(),
            entry: want.code.as_ref().map(|code| code.entry.clone()).unwrap_or_default(),
            data: want.channels.iter().map(|c| (c.name.clone(), c.digest.clone())).collect(),
            access: job::access(want.channels.iter().map(|c| (&*c.name, &c.access))),
            hyperparameters: want.hyperparameters.clone(),
            metrics: want.metrics.clone(),
            environment: want.environment.clone(),
            max_runtime_s: want.max_runtime_s,
            spot: want.max_wait_s.is_some(),
            checkpoints: want.checkpoints.is_some(),
            network: want.network.clone(),
            isolated: want.isolated,
            kms_key: want.kms_key.clone(),
            volume_key: want.volume_key().map(str::to_owned),
            output: true,
            saved_nothing: false,
            replaced: false,
            took_s: None,
            measured: BTreeMap::new(),
        }
    }

    fn usage(want: &Spec) -> Usage {
        let wanted = Self::wanted(want);
        wanted.usage()
    }

    fn used(Seen { status, state, .. }: &Seen<State>) -> Usage {
        if status.phase == Phase::Busy { state.usage() } else { Usage::default() }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        // Each is named, so that a new one is compared or left out on purpose.
        let State {
            image,
            instance_type,
            instance_count,
            volume_gb,
            role_arn,
            code,
            entry,
            data,
            access,
            hyperparameters,
            metrics,
            environment,
            max_runtime_s,
            spot,
            checkpoints,
            network,
            isolated,
            kms_key,
            volume_key,
            // How it went.
            output: _,
            saved_nothing: _,
            replaced: _,
            took_s: _,
            measured: _,
        } = &Self::wanted(want);
        let time = |seconds: i32| HumanDuration::seconds(seconds as u64);
        changes()
            .field("image", &seen.image, image, Needs::Replace)
            .field("instance_type", &seen.instance_type, instance_type, Needs::Replace)
            .field("instance_count", seen.instance_count, instance_count, Needs::Replace)
            .field("volume_gb", seen.volume_gb, volume_gb, Needs::Replace)
            .field("code", job::short(&seen.code), job::short(code), Needs::Replace)
            .field("entry", &seen.entry, entry, Needs::Replace)
            .field("role", &seen.role_arn, role_arn, Needs::Replace)
            .field("max_runtime", time(seen.max_runtime_s), time(*max_runtime_s), Needs::Replace)
            .field("spot", seen.spot, spot, Needs::Replace)
            .field("checkpoints", seen.checkpoints, checkpoints, Needs::Replace)
            .network(&seen.network, network, Needs::Replace)
            .field("isolation", seen.isolated, isolated, Needs::Replace)
            .kms_key(&seen.kms_key, kms_key, Needs::Replace)
            .field("key of the volume", word(&seen.volume_key), word(volume_key), Needs::Replace)
            .when(seen.environment != *environment, "environment", "other values", "these", Needs::Replace)
            .map_field("data", &seen.data, data, |digest| job::short(digest))
            .map_field("channels", &seen.access, access, Clone::clone)
            .map_field("hyperparameters", &seen.hyperparameters, hyperparameters, Clone::clone)
            .map_field("metrics", &seen.metrics, metrics, Clone::clone)
            .done()
    }

    fn output_is_gone(seen: &State) -> bool {
        !seen.output
    }

    fn saved_nothing(seen: &State) -> bool {
        seen.saved_nothing
    }

    fn mixed(seen: &State) -> Option<Mixed> {
        seen.replaced.then(job::replaced)
    }

    fn summary(want: &Spec) -> String {
        format!("{} × {}", want.instance_type, want.instance_count)
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        // Provisioning alone; how long the script runs, only the user knows.
        (verb == Verb::Create).then_some(HumanDuration::minutes(4))
    }

    fn uses(_: &str, seen: &State) -> Vec<(KindName, String)> {
        let read = used::in_values(seen.hyperparameters.values().chain(seen.environment.values()));
        read.chain([used::role(&seen.role_arn)]).collect()
    }

    fn took(seen: &State) -> Option<HumanDuration> {
        seen.took_s.map(HumanDuration::seconds)
    }

    fn measured(seen: &State) -> Vec<(String, f64)> {
        seen.measured.clone().into_iter().collect()
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("jobs", physical, region))
    }

    fn object_keys(want: &Spec, physical: &str) -> Vec<String> {
        let code = want.code.iter().map(|code| code.key.clone());
        code.chain([job::model_key(Self::OUTPUT, physical)]).collect()
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        vec![scope.arn("sagemaker", &format!("training-job/{physical}"))]
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            (attributes::INSTANCE_TYPE, format!("{} × {}", state.instance_count, state.instance_type)),
            ("Disk", format!("{} GB", state.volume_gb)),
            ("Image", state.image.clone()),
            ("Script", state.entry.clone()),
            ("Code", attributes::digest(&state.code)),
            ("Data", attributes::digests(&state.data)),
            ("Hyperparameters", attributes::pairs(&state.hyperparameters)),
            ("Spot", attributes::yes(state.spot)),
            ("Network", state.network.as_ref().map(Network::words).unwrap_or_default()),
            (KEY, state.kms_key.clone().unwrap_or_default()),
            ("Stopped after", attributes::seconds(state.max_runtime_s)),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::sagemaker::ListTrainingJobs,
            action::sagemaker::DescribeTrainingJob,
            action::sagemaker::ListTags,
            action::sagemaker::AddTags,
            action::sagemaker::DeleteTags,
            action::sagemaker::CreateTrainingJob,
            action::sagemaker::StopTrainingJob,
            action::sagemaker::DeleteTrainingJob,
            action::s3::GetObject,
            action::s3::PutObject,
            action::s3::ListBucket,
            action::logs::DescribeLogStreams,
            action::logs::GetLogEvents,
            action::logs::DeleteLogStream,
        ]
    }
}

/// The spec but for its role, what that needs, and what there must be before.
type Parts = (Spec, Vec<serde_json::Value>, Vec<crate::domain::ResourceId>);

fn spec(name: &str, item: &Item, at: &KeyPath, draft: &mut Draft<'_>) -> Option<Parts> {
    let common = job::common(item, at, draft);
    let instance_type = item.instance_type.as_deref().unwrap_or("ml.m5.xlarge");
    let image = image_of(item, instance_type, at, draft)?;
    if item.source.is_some() {
        lint::warn_of_spaces(item, image::splits_arguments(&image), at, draft);
    }
    let common = common?;
    let network = draft.network(item.network.as_ref(), at);
    let scope: &Scope = draft.scope;
    let bucket = &common.bucket;
    // The job's own name depends on the fingerprint of this spec, so the role may use the folders of all
    // generations.
    let folders = |root: &str| format!("{root}/{}-", scope.physical(name));
    let mut reads = common.reads;
    let mut written = vec![folders(Training::OUTPUT)];
    if item.checkpoints {
        reads.push(folders(Training::CHECKPOINTS));
        written.push(folders(Training::CHECKPOINTS));
    }
    let mut statements = policy::read_objects(scope, bucket, &reads);
    statements.extend(common.outside.iter().flat_map(|data| data.statements(scope)));
    statements.push(policy::write_objects(scope, bucket, &written));
    statements.extend(policy::pull_image(scope, &image));
    statements.push(policy::write_logs(scope, "/aws/sagemaker/TrainingJobs"));
    statements.push(policy::put_metrics("/aws/sagemaker/TrainingJobs"));
    statements.extend(network.is_some().then(policy::in_vpc));
    let kms_key = draft.kms_key();
    statements.extend(policy::objects_with_keys(draft, true));
    if let Some(key) = &kms_key {
        statements.extend(policy::volume_with_key(key, true));
    }
    let seconds = |human: HumanDuration| i32::try_from(human.as_secs()).unwrap_or(i32::MAX);
    let spec = Spec {
        role_arn: String::new(),
        image,
        instance_type: instance_type.to_owned(),
        instance_count: item.instance_count,
        volume_gb: item.volume_gb,
        channels: common.channels,
        hyperparameters: item.hyperparameters.iter().map(|(k, v)| (k.clone(), sent(item, v))).collect(),
        metrics: item.metrics.clone(),
        environment: item.environment.clone(),
        output: format!("s3://{bucket}/{}", Training::OUTPUT),
        max_runtime_s: seconds(item.max_runtime),
        max_wait_s: item.spot.then(|| seconds(item.max_wait.unwrap_or(item.max_runtime))),
        checkpoints: item.checkpoints.then(|| format!("s3://{bucket}/{}", Training::CHECKPOINTS)),
        code: common.code,
        network,
        isolated: item.isolation,
        kms_key,
    };
    Some((spec, statements, common.needs))
}

/// The image that trains. `None` after a problem was reported.
fn image_of(item: &Item, instance_type: &str, at: &KeyPath, draft: &mut Draft<'_>) -> Option<String> {
    let (image, key) = match &item.algorithm {
        Some(name) => (image::algorithm(name, instance_type, draft.scope), "algorithm"),
        None => {
            let name = item.image.as_deref().unwrap_or(image::DEFAULT);
            (image::uri(name, ImagePurpose::Training, instance_type, draft.scope), "image")
        }
    };
    if let Some(name) = item.algorithm.as_ref().filter(|name| ON_GPUS.contains(&name.as_str()))
        && limits::has_gpu(instance_type) == Some(false)
    {
        let text = format!("{name} trains on GPUs only, and {instance_type} has none");
        let help = "take an `instance_type` with a GPU, such as ml.g4dn.xlarge";
        draft.error(codes::IMAGE_DEVICE, at.join(key), text, help);
    }
    image.map_err(|refused| draft.error(refused.code, at.join(key), refused.message, refused.help)).ok()
}

/// Built-in algorithms whose instance class is "GPU" and nothing else
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/common-info-all-im-models.html>).
const ON_GPUS: [&str; 4] = ["image-classification", "object-detection", "semantic-segmentation", "seq2seq"];

/// A script's toolkit decodes JSON; an algorithm takes the text as it is, and so does a container without the
/// toolkit (as of the generic estimator of Amazon's SageMaker SDK).
fn sent(item: &Item, value: &Hyperparameter) -> String {
    match item.algorithm.is_some() || item.is_whole_container() {
        true => value.plain(),
        false => value.to_string(),
    }
}

fn check(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    lint::common(item, at, draft);
    if let Some(algorithm) = &item.algorithm {
        lint::of_algorithm(algorithm, item, at, draft);
    }
    if item.is_whole_container() {
        lint::of_container(item, at, draft);
    }
    if item.instance_profile.is_some() {
        let text = "an instance profile is for EC2, and SageMaker takes the role itself";
        draft.error(codes::BAD_VALUE, at.join("instance_profile"), text, "remove it");
    }
    for (key, given) in [("inputs", !item.inputs.is_empty()), ("outputs", !item.outputs.is_empty())] {
        if given {
            let text = format!(
                "`{key}` is for EC2: on SageMaker a script finds its folders by SM_CHANNEL_NAME and SM_MODEL_DIR"
            );
            draft.error(codes::BAD_VALUE, at.join(key), text, "remove it, or train with `on = \"ec2\"`");
        }
    }
    if item.isolation && item.algorithm.is_none() && !item.is_whole_container() {
        let text =
            "the container of a script fetches its code over the network, which `isolation` takes away";
        let help = "remove it, or use a `network` whose security groups let nothing else through";
        draft.error(codes::BAD_VALUE, at.join("isolation"), text, help);
    }
    if let Some(wait) = item.max_wait {
        let key = at.join("max_wait");
        if !item.spot {
            draft.error(
                codes::BAD_VALUE,
                key,
                "`max_wait` is for spot training only",
                "add `spot = true`, or remove it",
            );
        } else if wait < item.max_runtime {
            let text = format!("`max_wait` ({wait}) is shorter than `max_runtime` ({})", item.max_runtime);
            draft.error(codes::BAD_VALUE, key, text, "it covers waiting and running together");
        }
    }
    if item.spot && !item.checkpoints {
        let text = "a spot interruption starts the script again from nothing";
        draft.warn(
            codes::SPOT_WITHOUT_CHECKPOINTS,
            at.join("spot"),
            text,
            "add `checkpoints = true` and resume from it",
        );
    }
}
