use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{Name, Network};
use crate::desired::{Draft, Kind, Log, Seen};
use crate::domain::usage::{Instances, Purpose, Runs, Storage, counted};
use crate::domain::{
    Action, Attributes, Facts, FieldChange, HumanDuration, KeyPath, KindName, Needs, Owner, Phase,
    ResourceId, Scope, Status, Usage, Verb, action, attributes, changes, codes, console,
};
use crate::limits::Bound;
use crate::resources::bucket::Bucket;
use crate::resources::encryption::KEY;
use crate::resources::role::{Assumer, Permission, Rights, Role, policy};
use crate::resources::schedule::Schedule;
use crate::resources::used;

/// The kind.
pub struct Notebook;

/// `[notebook.NAME]`: a SageMaker notebook instance that may read the project's bucket.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Notebook")]
pub struct Item {
    /// Its exact name in AWS, where a program has that written in. Another name is another notebook: the one
    /// before is left until `--prune`. Default `<project>-<environment>-<NAME>`.
    name: Option<String>,
    /// Begins with `ml.`. The 4 GiB of `ml.t3.medium` are too little for image data sets.
    #[serde(default = "xlarge")]
    instance_type: String,
    /// Why this instance type: `opsctl plan --why` and the report repeat it. Nothing else is done with it.
    why: Option<String>,
    /// Disk, in GiB. It grows in place; to shrink it, make a new notebook.
    #[serde(default = "five")]
    volume_gb: i32,
    /// The operating system and JupyterLab version.
    #[serde(default = "al2023")]
    platform: String,
    /// Stopped after this long without a busy kernel, at least 60 s. `"never"` keeps it running, and billed.
    #[serde(default = "one_hour")]
    idle_stop: Idle,
    /// A name under `[network]`: the notebook is in the first of its subnets, and keeps its own way to the
    /// internet. AWS changes it only in a new notebook. Default none.
    network: Option<Name>,
    /// The ARN of a role that you have, in place of the one that opsctl makes: it is used, and never changed
    /// or deleted. Before the first write IAM is asked whether it may do what is needed. Default a role of
    /// its own.
    role: Option<String>,
    /// What the role that opsctl makes may do beside what it needs:
    /// `[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::my-files/*"] }]`. Default none.
    #[serde(default)]
    permissions: Vec<Permission>,
}

impl Item {
    fn rights(&self) -> Rights<'_> {
        Rights { role: self.role.as_deref(), permissions: &self.permissions }
    }
}

/// How long a notebook may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    After(HumanDuration),
    Never,
}

impl Serialize for Idle {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After(time) => time.serialize(s),
            Self::Never => s.serialize_str("never"),
        }
    }
}

impl JsonSchema for Idle {
    fn schema_name() -> Cow<'static, str> {
        "Idle".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<HumanDuration>(), { "const": "never" }] })
    }
}

impl<'de> Deserialize<'de> for Idle {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match String::deserialize(d)?.as_str() {
            "never" => Ok(Self::Never),
            text => text.parse().map(Self::After).map_err(serde::de::Error::custom),
        }
    }
}

/// What the case needed: the 4 GiB of ml.t3.medium were too little.
fn xlarge() -> String {
    "ml.t3.xlarge".into()
}
fn five() -> i32 {
    5
}
fn al2023() -> String {
    "notebook-al2023-v1".into()
}
fn one_hour() -> Idle {
    Idle::After(HumanDuration::hours(1))
}

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub role_arn: String,
    pub instance_type: String,
    pub volume_gb: i32,
    pub platform: String,
    /// The script that runs at each start.
    pub on_start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Encrypts its volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub role_arn: String,
    pub instance_type: String,
    pub volume_gb: i32,
    pub platform: Option<String>,
    /// "2" when the instance metadata needs a session token.
    pub metadata_version: Option<String>,
    pub on_start: Option<String>,
    /// Whether its lifecycle configuration also has a script that runs at its creation: ours has none.
    #[serde(default)]
    pub on_create: bool,
    /// It ran when an update stopped it, and that update did not end.
    #[serde(default)]
    pub interrupted: bool,
    #[serde(default)]
    pub network: Option<Network>,
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Whether the notebook runs that script: it can be taken off, or given another.
    pub attached: bool,
}

impl Notebook {
    /// The log group of all notebooks; streams are `<notebook>/<hook>`.
    pub(super) const LOG_GROUP: &'static str = "/aws/sagemaker/NotebookInstances";

    /// What is left when the notebook is gone: its lifecycle configuration, if its script says that it is
    /// ours.
    pub fn left_over(script: String) -> Option<Seen<State>> {
        script.starts_with(OURS).then(|| {
            let state = State {
                role_arn: String::new(),
                instance_type: String::new(),
                volume_gb: 0,
                platform: None,
                metadata_version: None,
                on_start: Some(script),
                on_create: false,
                interrupted: false,
                network: None,
                kms_key: None,
                attached: false,
            };
            Seen::new(Owner::Ours, Status::new("LifecycleConfigLeft", Phase::Leaving), state)
        })
    }
}

impl Kind for Notebook {
    const NAME: KindName = KindName::Notebook;
    const IGNORES_CAPITALS: bool = true;
    const SECTION: Option<&'static str> = Some("notebook");
    const STOPS: bool = true;
    const GRANTS_KEY: bool = true;
    const TAKES_ALONG: Option<&'static str> = Some("all that is on its disk");
    const STARTS: bool = true;
    const LOG: Option<fn(&str) -> Log> =
        Some(|physical| Log::Streams { group: Self::LOG_GROUP.into(), prefix: Some(format!("{physical}/")) });
    type Section = BTreeMap<Name, Item>;
    type Spec = Spec;
    type State = State;

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        for (name, item) in section {
            let at = KeyPath::of(["notebook", name]);
            lint(item, &at, draft);
            let user = format!("notebook-{name}");
            let physical = draft.physical::<Self>(name, item.name.as_deref(), &at);
            let bucket = Bucket::name(draft);
            let scope = draft.scope;
            let mut statements = policy::read_objects(scope, &bucket, &[String::new()]);
            statements.push(policy::write_objects(scope, &bucket, &["notebooks/".into()]));
            statements.push(policy::write_logs(scope, Self::LOG_GROUP));
            let itself = scope.cased("sagemaker", &format!("notebook-instance/{physical}"));
            // For the idle stop, which runs on the notebook.
            statements.push(policy::each(
                &[action::sagemaker::StopNotebookInstance, action::sagemaker::DescribeNotebookInstance],
                &itself,
            ));
            let network = draft.first_of_network(item.network.as_ref(), &at);
            statements.extend(network.is_some().then(policy::in_vpc));
            let kms_key = draft.kms_key();
            statements.extend(policy::objects_with_keys(draft, true));
            if let Some(key) = &kms_key {
                statements.extend(policy::volume_with_key(key, false));
            }
            let role = Role::of_rights(&user, &item.rights(), Assumer::SageMaker, statements, draft, &at);
            let spec = Spec {
                network,
                kms_key,
                role_arn: role.arn,
                instance_type: item.instance_type.clone(),
                volume_gb: item.volume_gb,
                platform: item.platform.clone(),
                on_start: on_start(item.idle_stop),
            };
            // Its disk is kept: somebody's work may be on it.
            let grant = |arn| Schedule::grant(&[action::sagemaker::StopNotebookInstance], arn);
            let grants = itself.into_iter().map(grant).collect();
            let input = json!({ "NotebookInstanceName": physical });
            let call = ("sagemaker", "stopNotebookInstance");
            let ends = Schedule::ends(draft, &Self::id(name), call, input, grants);
            let needs = [Bucket::id(Bucket::MAIN)].into_iter().chain(role.made).chain(ends);
            let notebook = draft.add::<Self>(name, physical, spec, needs, at);
            draft.reason(&notebook, item.why.as_deref());
        }
    }

    fn bound() -> &'static [Bound] {
        const {
            &[
                Bound::value("name", "sagemaker:CreateNotebookInstance.NotebookInstanceName"),
                Bound::instance_type("instance_type", "sagemaker:CreateNotebookInstance.InstanceType"),
                Bound::value("volume_gb", "sagemaker:CreateNotebookInstance.VolumeSizeInGB"),
                Bound::value("platform", "sagemaker:CreateNotebookInstance.PlatformIdentifier"),
            ]
        }
    }

    fn wanted(want: &Spec) -> State {
        State {
            role_arn: want.role_arn.clone(),
            instance_type: want.instance_type.clone(),
            volume_gb: want.volume_gb,
            platform: Some(want.platform.clone()),
            metadata_version: Some("2".to_owned()),
            on_start: Some(want.on_start.clone()),
            on_create: false,
            interrupted: false,
            network: want.network.clone(),
            kms_key: want.kms_key.clone(),
            attached: true,
        }
    }

    fn usage(want: &Spec) -> Usage {
        bills(&want.instance_type, 1, want.volume_gb, &want.on_start)
    }

    fn used(Seen { status, state, .. }: &Seen<State>) -> Usage {
        // A stopped one keeps its disk alone; of one that is gone a script may be left, which is free.
        let count = match status.phase {
            Phase::Ready | Phase::Busy => 1,
            Phase::Stopped | Phase::Failed => 0,
            Phase::Leaving => return Usage::default(),
        };
        let script = state.on_start.as_deref().filter(|_| state.attached).unwrap_or_default();
        bills(&state.instance_type, count, state.volume_gb, script)
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        // AWS grows a volume, never shrinks it.
        let volume = if want.volume_gb < seen.volume_gb { Needs::Replace } else { Needs::Update };
        let script = seen.on_start.as_deref();
        changes()
            .field("instance_type", &seen.instance_type, &want.instance_type, Needs::Update)
            .field("volume_gb", seen.volume_gb, want.volume_gb, volume)
            // Emulators leave these two out; AWS always answers them.
            .field(
                "platform",
                seen.platform.as_ref().unwrap_or(&want.platform),
                &want.platform,
                Needs::Update,
            )
            .field("metadata", seen.metadata_version.as_deref().unwrap_or("2"), "2", Needs::Update)
            .field("role", &seen.role_arn, &want.role_arn, Needs::Update)
            .network(&seen.network, &want.network, Needs::Replace)
            .kms_key(&seen.kms_key, &want.kms_key, Needs::Replace)
            .when(script != Some(&want.on_start), "idle_stop", "another script", "this", Needs::Update)
            .when(seen.on_create, "script at creation", "one", "none", Needs::Update)
            .when(!seen.attached, "lifecycle configuration", "none or another", "its own", Needs::Update)
            .when(seen.interrupted, RESTART, "stopped by an update that did not end", "runs", Needs::Update)
            .done()
    }

    fn summary(want: &Spec) -> String {
        format!("{}, {} GiB", want.instance_type, want.volume_gb)
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        Some(match verb {
            Verb::Create => HumanDuration::minutes(4),
            Verb::Update => HumanDuration::minutes(7),
            Verb::Delete | Verb::Release => HumanDuration::minutes(3),
        })
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("notebook-instances", physical, region))
    }

    fn next(id: &ResourceId) -> Option<(&'static str, String)> {
        Some(("work in it", format!("`opsctl open {id}`")))
    }

    fn uses(_: &str, seen: &State) -> Vec<(KindName, String)> {
        used::in_values(&seen.on_start).chain([used::role(&seen.role_arn)]).collect()
    }

    fn named_in<'t>(text: &'t str, _: &Scope) -> Option<Cow<'t, str>> {
        // Its role may stop it.
        text.split_once(":notebook-instance/").map(|(_, name)| name.into())
    }

    fn facts(seen: &State) -> Facts {
        Facts { instance_type: Some(seen.instance_type.clone()), ..Facts::default() }
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let of = |what: &str| scope.cased("sagemaker", &format!("{what}/{physical}"));
        [of("notebook-instance"), of("notebook-instance-lifecycle-config")].concat()
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            (attributes::INSTANCE_TYPE, state.instance_type.clone()),
            ("Disk", format!("{} GB", state.volume_gb)),
            ("Platform", state.platform.clone().unwrap_or_default()),
            (KEY, state.kms_key.clone().unwrap_or_default()),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::tag::GetResources,
            action::sagemaker::ListNotebookInstances,
            action::sagemaker::ListNotebookInstanceLifecycleConfigs,
            action::sagemaker::DescribeNotebookInstance,
            action::sagemaker::DescribeNotebookInstanceLifecycleConfig,
            action::sagemaker::ListTags,
            action::sagemaker::AddTags,
            action::sagemaker::DeleteTags,
            action::sagemaker::CreateNotebookInstanceLifecycleConfig,
            action::sagemaker::UpdateNotebookInstanceLifecycleConfig,
            action::sagemaker::CreateNotebookInstance,
            action::sagemaker::UpdateNotebookInstance,
            action::sagemaker::StopNotebookInstance,
            action::sagemaker::StartNotebookInstance,
            action::sagemaker::CreatePresignedNotebookInstanceUrl,
            action::sagemaker::DeleteNotebookInstance,
            action::sagemaker::DeleteNotebookInstanceLifecycleConfig,
            action::logs::DescribeLogStreams,
            action::logs::DeleteLogStream,
        ]
    }
}

/// The change that finishes an update which did not end.
pub const RESTART: &str = "restart";

/// The first line of every script that opsctl writes.
const OURS: &str = "#!/bin/bash\n# opsctl: ";

fn bills(instance_type: &str, count: u64, volume_gb: i32, script: &str) -> Usage {
    let (purpose, instance_type) = (Purpose::Notebook, instance_type.to_owned());
    let stops_itself = script.starts_with(OURS) && script != on_start(Idle::Never);
    Usage {
        instances: Some(Instances { purpose, instance_type, count }),
        runs: if stops_itself { Runs::UntilIdle } else { Runs::Always },
        stored: vec![(Storage::MlVolume, counted(volume_gb) << 30)],
        ..Usage::default()
    }
}

/// The lifecycle script of this idle time; AWS runs it as root at each start, for at most five minutes.
fn on_start(idle: Idle) -> String {
    match idle {
        Idle::After(time) => {
            include_str!("on_start.sh").replace("{{idle_seconds}}", &time.as_secs().to_string())
        }
        Idle::Never => "#!/bin/bash\n# opsctl: this notebook is never stopped by itself.\n".into(),
    }
}

fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let instance_type = item.instance_type.as_str();
    let key = at.join("instance_type");
    if ["ml.t2.medium", "ml.t3.medium"].contains(&instance_type) {
        let text =
            format!("`{instance_type}` has 4 GiB of memory, which may be too little for image data sets");
        draft.warn(codes::SMALL_NOTEBOOK, key, text, "ml.t3.xlarge has 16 GiB");
    }
    if let Idle::After(time) = item.idle_stop
        && time < HumanDuration::seconds(60)
    {
        let text =
            format!("`idle_stop` is {time}, so the notebook would be stopped as soon as it is looked at");
        draft.error(codes::LIMIT, at.join("idle_stop"), text, "write \"1h\", for example, or \"never\"");
    }
    if ["notebook-al1-", "notebook-al2-"].iter().any(|closed| item.platform.starts_with(closed)) {
        let text = format!("AWS has closed the platform `{}`", item.platform);
        draft.error(
            codes::CLOSED_PLATFORM,
            at.join("platform"),
            text,
            "write \"notebook-al2023-v1\", or leave it out",
        );
    }
}
