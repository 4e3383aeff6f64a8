//! `[endpoint.NAME]`: what the user writes, and the lints of hosting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Name;
use crate::desired::{Draft, Kind};
use crate::domain::{HumanDuration, KeyPath, ResourceId, action, codes, fingerprint};
use crate::inputs::{Tree, UseAs};
use crate::limits::{self, Bound};
use crate::resources::autoscaling;
use crate::resources::bucket::Bucket;
use crate::resources::endpoint_config::{EndpointConfig, Spec as ConfigSpec};
use crate::resources::image::{self, PROGRAM, Purpose, SUBMIT_DIRECTORY};
use crate::resources::literal_secret;
use crate::resources::log_group::LogGroup;
use crate::resources::model::{Given, Model, Serving, Spec as ModelSpec};
use crate::resources::references::refuse_references;
use crate::resources::role::{Assumer, Permission, Rights, Role, policy};
use crate::resources::schedule::Schedule;

use super::made::Made;
use super::{Endpoint, Spec};

/// `[endpoint]`: every endpoint by its name.
pub type Section = BTreeMap<Name, Item>;

/// `[endpoint.NAME]`: a trained model behind an HTTPS endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Endpoint")]
pub struct Item {
    /// Its exact name in AWS, where a program has that written in. Another name is another endpoint: the one
    /// before is left until `--prune`. Default `<project>-<environment>-<NAME>`.
    pub(super) name: Option<String>,
    /// The model: a name under `[training]`, whose job makes it, or under `[model]`.
    pub(super) model: Name,
    /// A folder with the serving script and its `requirements.txt`, packed into the model's archive as
    /// `code/`. Without it the archive brings its own code. Default none.
    pub(super) code: Option<PathBuf>,
    /// Pack only files of `code` that match one of these patterns (gitignore syntax). Empty: all but data
    /// sets and, where it has all of the project, notebooks that no script names and, at its top, logs,
    /// configuration and documents; the last stay where a `setup.py`, `-e .` in its requirements or
    /// `pip install .` in a shell script makes a package of it.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// Files of `code` to leave out (gitignore syntax), beside what `.gitignore` files of the project and
    /// its git repository leave out. `!base.h5` takes along what those do.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
    /// The serving script: within `code`, or within the archive's own `code/`. One in a folder
    /// (`models/serve.py`) is imported as a module of a package (`models.serve`), from the top of the
    /// code. Default `inference.py`.
    pub(super) entry: Option<String>,
    /// A framework and its version (`pytorch-2.6`, `sklearn-1.2`; the GPU image where the instance type has
    /// one), or a full registry URI. Default that of the training or model, and `pytorch-2.6` where it ran on
    /// EC2.
    pub(super) image: Option<String>,
    /// Begins with `ml.`. Burstable types (`ml.t2.*`) cannot be scaled.
    #[serde(default = "large")]
    pub(super) instance_type: String,
    /// Why this instance type: `opsctl plan --why` and the report repeat it. Nothing else is done with it.
    pub(super) why: Option<String>,
    /// Instances at the first start. After that `autoscaling` decides, and reaches its minimum at once.
    #[serde(default = "one")]
    pub(super) instance_count: i32,
    /// Disk of each instance, in GiB, for a model that 30 are too small for. Not for instance types with
    /// disks of their own. Default AWS's.
    pub(super) volume_gb: Option<i32>,
    /// How long an instance may take to fetch and unpack the model. Default AWS's.
    pub(super) download_timeout: Option<HumanDuration>,
    /// How long a container may take until it answers `/ping`: large models are loaded, or fetched by the
    /// container itself, in that time. Default AWS's, 4 minutes.
    pub(super) startup_timeout: Option<HumanDuration>,
    /// Environment variables of the container. No secrets.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// A name under `[network]`: its containers are in those subnets of your VPC. Default none.
    pub(super) network: Option<Name>,
    /// No network at all in the container. What it needs is in its image and in the model's archive, and it
    /// installs nothing.
    #[serde(default)]
    pub(super) isolation: bool,
    /// The ARN of a role that you have, in place of the one that opsctl makes: it is used, and never changed
    /// or deleted. Before the first write IAM is asked whether it may do what is needed. Default a role of
    /// its own.
    pub(super) role: Option<String>,
    /// What the role that opsctl makes may do beside what it needs:
    /// `[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::my-files/*"] }]`. Default none.
    #[serde(default)]
    pub(super) permissions: Vec<Permission>,
    /// Without it the number of instances stays as it is. Default none.
    pub(super) autoscaling: Option<autoscaling::Section>,
}

impl Item {
    fn use_as(&self) -> UseAs {
        UseAs::Code { include: self.include.clone(), exclude: self.exclude.clone() }
    }

    fn rights(&self) -> Rights<'_> {
        Rights { role: self.role.as_deref(), permissions: &self.permissions }
    }
}

fn one() -> i32 {
    1
}
fn large() -> String {
    "ml.m5.large".into()
}

/// The script that AWS's inference containers look for.
const INFERENCE: &str = "inference.py";

/// What of it is sent as it is written.
pub(super) const BOUND: &[Bound] = &[
    Bound::value("name", "sagemaker:CreateEndpoint.EndpointName"),
    Bound::value("image", "sagemaker:CreateModel.PrimaryContainer.Image"),
    Bound::map("environment", "sagemaker:CreateModel.PrimaryContainer.Environment", TOOLKIT.len()),
    Bound::instance_type("instance_type", "sagemaker:CreateEndpointConfig.ProductionVariants.*.InstanceType"),
    Bound::value(
        "instance_count",
        "sagemaker:CreateEndpointConfig.ProductionVariants.*.InitialInstanceCount",
    ),
    Bound::value("volume_gb", "sagemaker:CreateEndpointConfig.ProductionVariants.*.VolumeSizeInGB"),
    Bound::seconds(
        "download_timeout",
        "sagemaker:CreateEndpointConfig.ProductionVariants.*.ModelDataDownloadTimeoutInSeconds",
    ),
    Bound::seconds(
        "startup_timeout",
        "sagemaker:CreateEndpointConfig.ProductionVariants.*.ContainerStartupHealthCheckTimeoutInSeconds",
    ),
];

/// Variables that the container's toolkit reads, and that opsctl sets.
const TOOLKIT: [&str; 4] = [PROGRAM, SUBMIT_DIRECTORY, REGION, LOG_LEVEL];
const REGION: &str = "SAGEMAKER_REGION";
const LOG_LEVEL: &str = "SAGEMAKER_CONTAINER_LOG_LEVEL";

/// Adds all that one endpoint consists of.
pub(super) fn add(name: &Name, item: &Item, draft: &mut Draft<'_>) {
    let at = KeyPath::of(["endpoint", name]);
    lint(item, &at, draft);
    let physical = draft.physical::<Endpoint>(name, item.name.as_deref(), &at);
    // Models and configurations have a fingerprint in their names, which nobody has written down.
    let stem = draft.scope.physical(name);
    let asked = Asked { name, item, at, physical, stem };
    let at = &asked.at;

    let code = asked.code(draft);
    let with_code = item.code.is_some() || item.entry.is_some();
    let Some(made) = Made::by(&item.model, with_code, at, draft) else { return };
    let Some(image) = image_of(item, &made, at, draft) else { return };
    lint_entry(item, &image, at, draft);
    lint_program(item, &made, &image, at, draft);
    lint_isolation(item, &made, at, draft);
    let Some(code) = code else { return };
    if let Some((_, tree)) = code.as_ref().filter(|_| installs_elsewhere(&image)) {
        draft.warn_of_own_packages(tree, &at.join("code"));
    }
    let code = code.map(|(serving, _)| serving);
    let bucket = Bucket::name(draft);
    let network = draft.network(item.network.as_ref(), at);
    let (statements, volume_key) = asked.statements(&made, &image, network.is_some(), draft);

    let user = format!("endpoint-{name}");
    let log_group = LogGroup::of_writer(&user, LogGroup::ENDPOINTS, &asked.physical, draft, at);
    let role = Role::of_rights(&user, &item.rights(), Assumer::SageMaker, statements, draft, at);
    let model = ModelSpec {
        role_arn: role.arn,
        environment: asked.environment(&made, &image, draft),
        image,
        trained: made.archive(&bucket),
        given: made.given(),
        code,
        bucket,
        network,
        isolated: item.isolation,
    };
    let model_name = format!("{}-{}", asked.stem, fingerprint::suffix(&model));
    let needs = made.needs().into_iter().chain([Bucket::id(Bucket::MAIN)]).chain(role.made.clone());
    let model = draft.add::<Model>(name, model_name.clone(), model, needs, at.clone());

    let wanted = asked.configuration(model_name, volume_key);
    let config_name = format!("{}-{}", asked.stem, fingerprint::suffix(&wanted));
    let endpoint_config =
        draft.add::<EndpointConfig>(name, config_name.clone(), wanted, [model.clone()], at.clone());
    let needs = [endpoint_config, model, log_group].into_iter().chain(role.made).collect();
    asked.endpoint(config_name, needs, draft);
}

/// An endpoint that is asked for, with its names in AWS.
struct Asked<'a> {
    name: &'a Name,
    item: &'a Item,
    at: KeyPath,
    physical: String,
    /// What the names of its model and of its configuration begin with.
    stem: String,
}

impl Asked<'_> {
    /// The script that serves.
    fn entry(&self) -> &str {
        self.item.entry.as_deref().unwrap_or(INFERENCE)
    }

    /// The endpoint's own code, if it has any. `None` after a problem was reported.
    fn code<'d>(&self, draft: &mut Draft<'d>) -> Option<Option<(Serving, &'d Tree)>> {
        let Some(path) = &self.item.code else { return Some(None) };
        let (entry, use_as) = (self.entry(), self.item.use_as());
        let key = if self.item.entry.is_some() { "entry" } else { "code" };
        let tree = draft.code(path, &use_as, entry, &self.at.join(key))?;
        draft.warn_of_requirements(tree, &self.at.join("code"));
        let digest = tree.code_digest();
        Some(Some((Serving { path: path.clone(), use_as, entry: entry.into(), digest }, tree)))
    }

    /// What the container needs to be allowed; and the key of its volume.
    fn statements(
        &self,
        made: &Made,
        image: &str,
        in_vpc: bool,
        draft: &mut Draft<'_>,
    ) -> (Vec<Value>, Option<String>) {
        let (scope, bucket) = (draft.scope, Bucket::name(draft));
        let group = format!("{}{}", LogGroup::ENDPOINTS, self.physical);
        let models = format!("{}-", Model::folder(&self.stem).trim_end_matches('/'));
        let mut statements = made.statements(scope, &bucket, models);
        statements.extend(policy::pull_image(scope, image));
        statements.push(policy::write_log_streams(scope, &group));
        statements.push(policy::put_metrics("/aws/sagemaker/Endpoints"));
        statements.extend(in_vpc.then(policy::in_vpc));
        let volume_key = draft.kms_key().filter(|_| !limits::has_own_disk(&self.item.instance_type));
        statements.extend(policy::objects_with_keys(draft, false));
        statements.extend(volume_key.iter().flat_map(|key| policy::volume_with_key(key, false)));
        (statements, volume_key)
    }

    /// The configuration that it is made of.
    fn configuration(&self, model: String, kms_key: Option<String>) -> ConfigSpec {
        let item = self.item;
        // Longer than 24 days is refused by the limit of the key.
        let seconds = |time: HumanDuration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        ConfigSpec {
            model,
            instance_type: item.instance_type.clone(),
            instance_count: item.instance_count,
            kms_key,
            volume_gb: item.volume_gb,
            download_timeout_s: item.download_timeout.map(seconds),
            startup_timeout_s: item.startup_timeout.map(seconds),
        }
    }

    /// The variables of the container: the model's, the endpoint's, and those of the toolkit.
    fn environment(&self, made: &Made, image: &str, draft: &mut Draft<'_>) -> BTreeMap<String, String> {
        refuse_references(&self.item.environment, &self.at.join("environment"), draft);
        literal_secret::warn(&self.item.environment, &self.at.join("environment"), draft);
        let mut environment = made.environment();
        environment.extend(self.item.environment.clone());
        if self.item.code.is_some() || self.item.entry.is_some() {
            environment.insert(PROGRAM.into(), program(self.entry(), image));
            environment.insert(SUBMIT_DIRECTORY.into(), "/opt/ml/model/code".into());
        }
        environment.insert(REGION.into(), draft.scope.region.clone());
        environment.insert(LOG_LEVEL.into(), "20".into());
        measure(&environment, &self.at.join("environment"), draft);
        environment
    }

    /// Adds the endpoint itself, with what ends it and what scales it.
    fn endpoint(&self, endpoint_config: String, needs: Vec<ResourceId>, draft: &mut Draft<'_>) {
        let (Self { name, item, at, physical, .. }, id) = (self, Endpoint::id(self.name));
        let (instance_type, instance_count) = (item.instance_type.clone(), item.instance_count);
        let spec = Spec { endpoint_config, instance_type, instance_count };
        // What ends it is there before it.
        let arns = draft.scope.cased("sagemaker", &format!("endpoint/{physical}"));
        let grant = |arn| Schedule::grant(&[action::sagemaker::DeleteEndpoint], arn);
        let grants = arns.into_iter().map(grant).collect();
        let input = json!({ "EndpointName": physical });
        let ends = Schedule::ends(draft, &id, ("sagemaker", "deleteEndpoint"), input, grants);
        let needs = needs.into_iter().chain(ends);
        let endpoint = draft.add::<Endpoint>(name, physical.clone(), spec, needs, at.clone());
        draft.reason(&endpoint, item.why.as_deref());
        if let Some(scaling) = &item.autoscaling {
            scaling.add(name, physical, endpoint, at.join("autoscaling"), draft);
        }
    }
}

/// The image that serves: the endpoint's own, else that of the model, else that of the training's version.
fn image_of(item: &Item, made: &Made, at: &KeyPath, draft: &mut Draft<'_>) -> Option<String> {
    let (named, key) = match (&item.image, made.image()) {
        (Some(image), _) => (Some(image), at.join("image")),
        (None, Some((image, at))) => (Some(image), at),
        (None, None) => (None, at.join("image")),
    };
    let named = named.cloned();
    let image = match (&named, made.trained_in()) {
        (Some(image), _) => image::uri(image, Purpose::Hosting, &item.instance_type, draft.scope),
        (None, Some(uri)) => image::that_serves(uri, &item.instance_type, draft.scope),
        (None, None) => image::uri(image::DEFAULT, Purpose::Hosting, &item.instance_type, draft.scope),
    };
    let image =
        image.map_err(|refused| draft.error(refused.code, key.clone(), refused.message, refused.help));
    image.ok()
}

/// "The maximum length of each key and value in the Environment map is 1024 bytes. The maximum length of all
/// keys and values in the map, combined, is 32 KB."
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html>)
fn measure(environment: &BTreeMap<String, String>, at: &KeyPath, draft: &mut Draft<'_>) {
    let help = "put large values into the model's archive, or into the bucket";
    for (name, value) in environment {
        let size = value.len();
        // More characters than that are refused by the model's own limit.
        if size > 1024 && value.chars().count() <= 1024 {
            let text = format!("the variable {name} has {size} bytes, Amazon SageMaker takes 1,024");
            draft.error(codes::LIMIT, at.join(name), text, help);
        }
    }
    let size: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > 32 << 10 {
        let text =
            format!("the environment has {size} bytes with opsctl's, Amazon SageMaker takes 32,768 in all");
        draft.error(codes::TOO_LARGE, at.clone(), text, help);
    }
}

/// The folders that the section names.
pub(super) fn sources(section: &Section) -> Vec<crate::inputs::Source> {
    let source = |(name, item): (&Name, &Item)| {
        let at = KeyPath::of(["endpoint", name, "code"]);
        Some(crate::inputs::Source {
            path: item.code.clone()?,
            use_as: item.use_as(),
            at,
            no_code: Vec::new(),
        })
    };
    section.iter().filter_map(source).collect()
}

/// Containers that look for one script only, whatever they are told
/// (<https://github.com/aws/sagemaker-tensorflow-serving-container#prepost-processing>).
const OF_ONE_SCRIPT: &[&str] = &["/tensorflow-inference", "/sagemaker-tensorflow-serving"];

fn lint_entry(item: &Item, image: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let Some(entry) = item.entry.as_ref().filter(|entry| *entry != INFERENCE) else { return };
    if !entry.ends_with(".py") {
        let text = format!("`{entry}` is no Python script, and the container imports it as a module");
        draft.error(codes::BAD_VALUE, at.join("entry"), text, "name a file that ends in .py");
    } else if OF_ONE_SCRIPT.iter().any(|repository| image.contains(repository)) {
        let text = format!("TensorFlow's container runs `{INFERENCE}` only");
        draft.error(codes::BAD_VALUE, at.join("entry"), text, format!("rename it to {INFERENCE}"));
    } else if entry.trim_end_matches(".py").contains('.') && !image::brings_program(image) {
        let text = format!("`{entry}` is imported as a module, and a dot in such a name stands for a folder");
        let help = match (entry.rsplit_once('/'), &item.code) {
            (Some((folder, script)), Some(code)) if !script.trim_end_matches(".py").contains('.') => {
                format!("write `code = \"{}\"` and `entry = \"{script}\"`", code.join(folder).display())
            }
            _ => "rename what has the dot".to_owned(),
        };
        draft.error(codes::BAD_VALUE, at.join("entry"), text, help);
    }
}

/// Whether the server of an image runs pip in another folder than that of the code: `torchserve.py` of
/// aws/sagemaker-pytorch-inference-toolkit, which Hugging Face's images have as well.
fn installs_elsewhere(image: &str) -> bool {
    let repositories = ["/pytorch-inference", "/sagemaker-pytorch", "/huggingface-pytorch-inference"];
    repositories.iter().any(|repository| image.contains(repository))
}

/// What tells the container which script it is. AWS's toolkits take the name without `.py` for that of a
/// module, which may be one of a package: `environment.py` and `transformer.py` of sagemaker-inference,
/// `modules.py` of sagemaker-containers.
fn program(entry: &str, image: &str) -> String {
    match image::brings_program(image) {
        true => entry.to_owned(),
        false => entry.replace('/', "."),
    }
}

/// Containers whose server does nothing without a script: they have no handlers of their own
/// (aws/sagemaker-scikit-learn-container `serving.py`).
const WITHOUT_HANDLERS: &str = "/sagemaker-scikit-learn:";

/// Code of an endpoint is for a server that runs code, and some need it.
fn lint_program(item: &Item, made: &Made, image: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let given = [("code", item.code.is_some()), ("entry", item.entry.is_some())];
    if image::is_algorithm(image) {
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            let text = format!("`{key}` is never run: the server of a built-in algorithm has its program");
            draft.error(codes::BAD_VALUE, at.join(*key), text, "remove it");
        }
        return;
    }
    let is_named = item.environment.contains_key(PROGRAM) || made.environment().contains_key(PROGRAM);
    if image.contains(WITHOUT_HANDLERS) && !is_named && !given.iter().any(|(_, given)| *given) {
        let text = "scikit-learn's container serves nothing by itself: it needs a script with `model_fn`";
        let help = "add `code`, the folder of an inference.py, or `entry`, a script in the archive's `code/`";
        draft.error(codes::MISSING_KEY, at.clone(), text, help);
    }
}

/// Without a network nothing is fetched, and nothing installed.
fn lint_isolation(item: &Item, made: &Made, at: &KeyPath, draft: &mut Draft<'_>) {
    if !item.isolation {
        return;
    }
    let key = at.join("isolation");
    if matches!(made.given(), Some(Given::Nothing)) {
        let text = "the container fetches its model over the network, which `isolation` takes away";
        draft.error(codes::BAD_VALUE, key.clone(), text, "give the model an `artifact`, or remove it");
    }
    let requirements = item.code.as_ref().and_then(|path| draft.tree(path, &item.use_as()));
    if requirements.is_some_and(|tree| tree.entry("requirements.txt").is_some()) {
        let text = "the container installs requirements.txt over the network, which `isolation` takes away";
        draft.error(codes::BAD_VALUE, key, text, "use an image that has the packages, or remove it");
    }
}

fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    for (key, patterns) in [("include", &item.include), ("exclude", &item.exclude)] {
        if item.code.is_none() && !patterns.is_empty() {
            let text = format!("`{key}` chooses files of `code`, and there is none");
            draft.error(codes::BAD_VALUE, at.join(key), text, "add `code`, or remove it");
        }
    }
    if item.volume_gb.is_some() && limits::has_own_disk(&item.instance_type) {
        let text = format!("{} has a disk of its own, whose size nobody chooses", item.instance_type);
        draft.error(codes::BAD_VALUE, at.join("volume_gb"), text, "remove it");
    }
    let needs_code = |name: &str| [PROGRAM, SUBMIT_DIRECTORY].contains(&name);
    for name in item.environment.keys().filter(|name| TOOLKIT.contains(&name.as_str())) {
        if needs_code(name) && item.code.is_none() && item.entry.is_none() {
            continue; // an archive with code of its own says itself what to run
        }
        let help = match needs_code(name) {
            true => "name the script by `entry`, and its folder by `code`",
            false => "remove it",
        };
        let text = format!("opsctl itself sets {name}");
        draft.error(codes::SET_BY_OPSCTL, at.join("environment").join(name), text, help);
    }
    if let Some(scaling) = &item.autoscaling {
        scaling.lint(&item.instance_type, at, draft);
    }
}
