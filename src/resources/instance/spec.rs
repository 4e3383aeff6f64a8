use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lint::{IMAGE, INSTANCE_TYPE, lint};
use super::{Spec, paths, user_data};
use crate::config::Network;
use crate::desired::{Draft, KeyUse, Kind, Log, LogObject, Mixed, Seen};
use crate::domain::usage::{Instances, Purpose, Runs, Storage, counted};
use crate::domain::{
    Action, Attributes, FieldChange, HumanDuration, KeyPath, KindName, Needs, Owner, Phase, ResourceId,
    Scope, Usage, Verb, action, attributes, changes, codes, fingerprint,
};
use crate::limits::Bound;
use crate::resources::encryption::KEY;
use crate::resources::role::{Assumer, Role, policy};
use crate::resources::schedule::Schedule;
use crate::resources::training::job::{self, Channel, Item, Platform};
use crate::resources::used;
use opsctl_iam::arn::Arn;

/// The kind.
pub struct Instance;

/// What the instance writes last: [`Instance::RESULT`] in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub exit_code: i32,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub seconds: f64,
    /// Of a script that ended well and left no model, or not all of it. A failure without it is of the script
    /// or of what came before it, and is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// At the deadline or by a signal. What there was by then is stored.
    #[serde(default)]
    pub stopped: bool,
}

/// What a script that ended well has not left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Anything in SM_MODEL_DIR.
    Model,
    /// Some of its `outputs`. What else it has left is stored.
    Outputs(Vec<String>),
}

impl Missing {
    /// As it is said of a script.
    pub fn said(&self, entry: &str) -> String {
        match self {
            Self::Model => job::saved_nothing(entry),
            Self::Outputs(paths) => {
                let paths = paths.join(", ");
                format!("{entry} ended well, but left no {paths}, as `outputs` says; what it left is stored")
            }
        }
    }
}

/// A job as the bucket and EC2 record it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The instance, while EC2 shows it.
    pub instance_id: Option<String>,
    pub record: Option<Record>,
    /// Whether the archive of a job that completed is there.
    pub output: bool,
    /// Whether its script ended well and left none.
    #[serde(default)]
    pub saved_nothing: bool,
    /// Whether the archive that is there is another one than the job has left.
    #[serde(default)]
    pub replaced: bool,
    /// From the writing of its record to that of its result, of a job that completed.
    #[serde(default)]
    pub took_s: Option<u64>,
}

/// What the job was made from, kept beside its output. Environment values are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub image: String,
    pub instance_type: String,
    pub volume_gb: i32,
    pub code: String,
    pub entry: String,
    pub data: BTreeMap<String, String>,
    /// Where that lies. Older versions did not note it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    pub hyperparameters: BTreeMap<String, String>,
    /// Fingerprint of the environment variables.
    pub environment: String,
    pub max_runtime_s: i32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The key of its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Differs each time the job is started again, and stays when a killed run is repeated.
    #[serde(default)]
    pub attempt: String,
    /// Whose job it is: names alone do not tell, the project `a` with the environment `b-c` writes like `a-b`
    /// with `c`. Older versions did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<JobScope>,
    /// Noted when it has completed: the entity tag of the archive that it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_etag: Option<String>,
    /// From the first writing of this record to that of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_s: Option<u64>,
}

/// The project and environment of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobScope {
    pub project: String,
    pub environment: String,
}

impl Record {
    /// What is kept of a job of this spec.
    pub fn of(spec: &Spec) -> Self {
        // Each is named, so that a new one is recorded or left out on purpose.
        let Spec {
            image,
            instance_type,
            volume_gb,
            code,
            channels,
            hyperparameters,
            environment,
            max_runtime_s,
            inputs,
            outputs,
            network,
            kms_key,
            // Where it writes, with which rights, and what its log is read for: the model is the same.
            output: _,
            profile_arn: _,
            metrics: _,
        } = spec;
        Self {
            image: image.clone(),
            instance_type: instance_type.clone(),
            volume_gb: *volume_gb,
            code: code.digest.clone(),
            entry: code.entry.clone(),
            data: channels.iter().map(|c| (c.name.clone(), c.digest.clone())).collect(),
            reads: channels.iter().map(|c| c.uri.clone()).collect(),
            hyperparameters: hyperparameters.clone(),
            environment: fingerprint::suffix(environment),
            max_runtime_s: *max_runtime_s,
            inputs: inputs.clone(),
            outputs: outputs.clone(),
            network: network.clone(),
            kms_key: kms_key.clone(),
            attempt: String::new(),
            scope: None,
            model_etag: None,
            took_s: None,
        }
    }

    /// Whose it says it is.
    pub fn owner(&self, scope: &Scope) -> Option<Owner> {
        let JobScope { project, environment } = self.scope.as_ref()?;
        let ours = *project == scope.project && *environment == scope.environment;
        Some(if ours { Owner::Ours } else { Owner::Other(format!("{project}/{environment}")) })
    }

    /// Whether it was made to read something below `uri`.
    pub fn reads(&self, uri: &str) -> bool {
        match self.reads.as_slice() {
            [] => !self.data.is_empty(),
            reads => reads.iter().any(|source| source.starts_with(uri)),
        }
    }

    fn usage(&self) -> Usage {
        let (purpose, instance_type) = (Purpose::Ec2, self.instance_type.clone());
        let at_most = HumanDuration::seconds(counted(self.max_runtime_s));
        Usage {
            instances: Some(Instances { purpose, instance_type, count: 1 }),
            runs: Runs::Once { at_most, spot: false },
            stored: vec![(Storage::Ebs, counted(self.volume_gb) << 30)],
            ..Usage::default()
        }
    }
}

impl Instance {
    /// The folder of the bucket that EC2 jobs write to.
    pub const OUTPUT: &'static str = "instances";
    /// Where `user_data.sh` writes how a job ended, in the job's own folder.
    pub const RESULT: &'static str = "output/result.json";

    /// Where `user_data.sh` writes the log of a job.
    pub(super) fn log(job: &str) -> LogObject {
        let folder = format!("{}/{job}", Self::OUTPUT);
        LogObject { key: format!("{folder}/output/train.log"), parts: format!("{folder}/log/") }
    }
}

impl Kind for Instance {
    const NAME: KindName = KindName::Instance;
    const ALSO_CALLED: Option<KindName> = Some(KindName::Training);
    const SECTION: Option<&'static str> = Some("training");
    const FINGERPRINTED: bool = true;
    const STOPS: bool = true;
    const RUNS_CODE: bool = true;
    const GRANTS_KEY: bool = true;
    const KEY_USE: Option<KeyUse> = Some(KeyUse {
        service: "ec2",
        changes: &[
            action::kms::Decrypt,
            action::kms::GenerateDataKeyWithoutPlaintext,
            action::kms::ReEncryptFrom,
            action::kms::ReEncryptTo,
        ],
        looks: &[],
    });
    const LOG: Option<fn(&str) -> Log> = Some(|job| Log::Object(Self::log(job)));
    const ENDS: bool = true;
    const ARTIFACT: Option<fn(&str) -> String> = Some(|job| job::model_key(Self::OUTPUT, job));
    type Section = job::Section;
    type Spec = Spec;
    type State = State;

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        for (name, item) in section.iter().filter(|(_, item)| item.on == Platform::Ec2) {
            let at = KeyPath::of(["training", name]);
            lint(item, &at, draft);
            Schedule::lint_job(item.max_runtime, &at, draft);
            let Some((spec, needs)) = spec(name, item, &at, draft) else { continue };
            let physical = format!("{}-{}", draft.scope.physical(name), fingerprint::suffix(&spec));
            let program = user_data::script(&physical, &spec, &draft.scope.region).len();
            if program > user_data::LIMIT {
                let text = format!(
                    "the program of the instance has {program} bytes with its values, EC2 takes {}",
                    user_data::LIMIT
                );
                let help = "put large hyperparameters and environment values into a file of `source`";
                draft.error(codes::TOO_LARGE, at.clone(), text, help);
            }
            let job = draft.add::<Self>(name, physical, spec, needs, at);
            draft.reason(&job, item.why.as_deref());
        }
    }

    fn is_item(written: &Value) -> bool {
        written["on"] == "ec2"
    }

    fn bound() -> &'static [Bound] {
        const {
            &[
                Bound::instance_type("instance_type", "ec2:RunInstances.InstanceType"),
                Bound::value("volume_gb", "ec2:RunInstances.BlockDeviceMappings.*.Ebs.VolumeSize"),
            ]
        }
    }

    fn wanted(want: &Spec) -> State {
        State {
            instance_id: None,
            record: Some(Record::of(want)),
            output: true,
            saved_nothing: false,
            replaced: false,
            took_s: None,
        }
    }

    fn usage(want: &Spec) -> Usage {
        Record::of(want).usage()
    }

    fn used(Seen { status, state, .. }: &Seen<State>) -> Usage {
        let record = state.record.as_ref().filter(|_| status.phase == Phase::Busy);
        record.map_or_else(Usage::default, Record::usage)
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let Some(seen) = &seen.record else { return Vec::new() };
        // Each is named, so that a new one is compared or left out on purpose.
        let Record {
            image,
            instance_type,
            volume_gb,
            code,
            entry,
            data,
            hyperparameters,
            environment,
            max_runtime_s,
            inputs,
            outputs,
            network,
            kms_key,
            // What one job has, and no other like it, and where the same data lies.
            reads: _,
            attempt: _,
            scope: _,
            model_etag: _,
            took_s: _,
        } = &Record::of(want);
        let hours = |seconds: i32| HumanDuration::seconds(seconds as u64);
        changes()
            .field("image", &seen.image, image, Needs::Replace)
            .field("instance_type", &seen.instance_type, instance_type, Needs::Replace)
            .field("volume_gb", seen.volume_gb, volume_gb, Needs::Replace)
            .field("code", job::short(&seen.code), job::short(code), Needs::Replace)
            .field("entry", &seen.entry, entry, Needs::Replace)
            .field("max_runtime", hours(seen.max_runtime_s), hours(*max_runtime_s), Needs::Replace)
            .when(seen.environment != *environment, "environment", "other values", "these", Needs::Replace)
            .network(&seen.network, network, Needs::Replace)
            .kms_key(&seen.kms_key, kms_key, Needs::Replace)
            .field("outputs", seen.outputs.join(", "), outputs.join(", "), Needs::Replace)
            .map_field("data", &seen.data, data, |digest| job::short(digest))
            .map_field("inputs", &seen.inputs, inputs, Clone::clone)
            .map_field("hyperparameters", &seen.hyperparameters, hyperparameters, Clone::clone)
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
        want.instance_type.clone()
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        (verb == Verb::Create).then_some(HumanDuration::minutes(3))
    }

    fn uses(_: &str, seen: &State) -> Vec<(KindName, String)> {
        let record = seen.record.iter();
        let read = record.flat_map(|record| record.inputs.values().chain(record.hyperparameters.values()));
        used::in_values(read).collect()
    }

    fn took(seen: &State) -> Option<HumanDuration> {
        seen.took_s.map(HumanDuration::seconds)
    }

    fn console_path(_: &str, seen: &State, region: &str) -> Option<String> {
        // By its id, which is AWS's.
        let id = seen.instance_id.as_ref()?;
        Some(format!("ec2/home?region={region}#InstanceDetails:instanceId={id}"))
    }

    fn read_keys(physical: &str) -> Vec<String> {
        vec![format!("{}/{physical}/*", Self::OUTPUT)]
    }

    fn object_keys(want: &Spec, physical: &str) -> Vec<String> {
        vec![want.code.key.clone(), format!("{}/{physical}/{}", Self::OUTPUT, Self::RESULT)]
    }

    fn arns(scope: &Scope, _: &str) -> Vec<String> {
        // What the instance is made of has no names before it is there, and the image is AWS's.
        let made = ["instance", "network-interface", "security-group", "subnet", "volume"];
        let mut arns: Vec<String> = made.iter().map(|it| scope.arn("ec2", &format!("{it}/*"))).collect();
        let Scope { partition, region, .. } = scope;
        let of_aws =
            |service, resource| Arn { partition, service, region, account: "", resource }.to_string();
        arns.push(of_aws("ec2", "image/*"));
        arns.push(of_aws("ssm", "parameter/aws/service/*"));
        arns
    }

    fn attributes(state: &State) -> Attributes {
        let id = state.instance_id.clone().unwrap_or_else(|| "ended and gone from EC2's list".into());
        let Some(record) = &state.record else { return attributes::listed([("Instance", id)]) };
        attributes::listed([
            ("Instance", id),
            (attributes::INSTANCE_TYPE, record.instance_type.clone()),
            ("Disk", format!("{} GB", record.volume_gb)),
            ("Image", record.image.clone()),
            ("Script", record.entry.clone()),
            ("Code", attributes::digest(&record.code)),
            ("Data", attributes::digests(&record.data)),
            ("Network", record.network.as_ref().map(Network::words).unwrap_or_default()),
            (KEY, record.kms_key.clone().unwrap_or_default()),
            ("Hyperparameters", attributes::pairs(&record.hyperparameters)),
            ("Stopped after", attributes::seconds(record.max_runtime_s)),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::ec2::DescribeInstances,
            action::ec2::DescribeVpcs,
            action::ec2::RunInstances,
            action::ec2::TerminateInstances,
            action::ssm::GetParameter,
            action::s3::GetBucketTagging,
            action::s3::GetObject,
            action::s3::PutObject,
            action::s3::ListBucket,
            action::s3::ListBucketVersions,
            action::s3::DeleteObject,
            action::s3::DeleteObjectVersion,
            action::s3::ListBucketMultipartUploads,
            action::s3::AbortMultipartUpload,
        ]
    }
}

fn spec(name: &str, item: &Item, at: &KeyPath, draft: &mut Draft<'_>) -> Option<(Spec, Vec<ResourceId>)> {
    let mut common = job::common(item, at, draft)?;
    let network = draft.first_of_network(item.network.as_ref(), at);
    let scope = draft.scope;
    let bucket = &common.bucket;
    let mut statements = policy::read_objects(scope, bucket, &common.reads);
    statements.extend(common.outside.iter().flat_map(|data| data.statements(scope)));
    // The AWS CLI does not ask where a bucket is, which SageMaker's containers do.
    statements.retain(|statement| statement["Action"] != json!([action::s3::GetBucketLocation]));
    let writes = format!("{}/{}-", Instance::OUTPUT, scope.physical(name));
    statements.push(policy::write_objects(scope, bucket, &[writes]));
    let kms_key = draft.kms_key();
    statements.extend(policy::objects_with_keys(draft, true));
    let user = format!("instance-{name}");
    let role = Role::of_rights(&user, &item.rights(), Assumer::Ec2, statements, draft, at);
    let profile = match &item.instance_profile {
        Some(profile) => profile.clone(),
        None => role.arn.replacen(":role/", ":instance-profile/", 1),
    };
    common.needs.extend(role.made);
    let spec = Spec {
        profile_arn: profile,
        image: item.image.clone().unwrap_or_else(|| IMAGE.into()),
        instance_type: item.instance_type.clone().unwrap_or_else(|| INSTANCE_TYPE.into()),
        volume_gb: item.volume_gb,
        // All files are copied, whatever they are.
        channels: common.channels.into_iter().map(Channel::copied).collect(),
        hyperparameters: item.hyperparameters.iter().map(|(k, v)| (k.clone(), v.to_string())).collect(),
        environment: item.environment.clone(),
        output: format!("s3://{bucket}/{}", Instance::OUTPUT),
        max_runtime_s: i32::try_from(item.max_runtime.as_secs()).unwrap_or(i32::MAX),
        metrics: item.metrics.clone(),
        inputs: common.inputs,
        outputs: paths::outputs(&item.outputs),
        network,
        kms_key,
        code: common.code?,
    };
    Some((spec, common.needs))
}
