use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::packages::{self, Packages};
use super::{code, machine, references};
use crate::config::Name;
use crate::desired::{Draft, Kind, Log, Node, Seen};
use crate::domain::usage::{Memory, counted};
use crate::domain::{
    Action, Attributes, Changes, FieldChange, HumanDuration, KeyPath, KindName, Needs, Scope, Usage, Verb,
    action, attributes, changes, codes, many,
};
use crate::inputs::{Source, Tree, UseAs};
use crate::limits::{Bound, LAMBDA_RESERVED};
use crate::resources::bucket::Bucket;
use crate::resources::concurrency::Concurrency;
use crate::resources::log_group::LogGroup;
use crate::resources::role::{Assumer, Permission, Rights, Role, policy};

pub struct Function;

/// `[function.NAME]`: a Lambda function in front of an endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Function")]
pub struct Item {
    /// A name under `[endpoint]`. The function has it in `ENDPOINT_NAME` and may invoke no other.
    endpoint: Name,
    /// A folder with your own code; without it opsctl's own handler runs. Its `requirements.txt` (or
    /// `requirements.lock`) is installed for Lambda's machine while it is packed, by pip or uv. Default none.
    source: Option<PathBuf>,
    /// Pack only files of `source` that match one of these patterns (gitignore syntax). Empty: all but data
    /// sets and, at the top of the project, its documents and configuration.
    #[serde(default)]
    include: Vec<String>,
    /// Files of `source` to leave out (gitignore syntax).
    #[serde(default)]
    exclude: Vec<String>,
    /// `<file>.<function>` within `source`.
    #[serde(default = "template_handler")]
    handler: String,
    /// `python3.11` to `python3.14`.
    #[serde(default = "python")]
    runtime: String,
    /// `x86_64`, or `arm64`, which costs less. Compiled packages in `source` must be built for it.
    #[serde(default = "intel")]
    architecture: String,
    /// Memory in MB; CPU time grows with it.
    #[serde(default = "smallest")]
    memory_mb: i32,
    /// When Lambda ends a call. An endpoint may take 60 s, and opsctl's handler waits 75 s for it.
    #[serde(default = "ninety_seconds")]
    timeout: HumanDuration,
    /// How many environments of the alias `live` are always warm, and billed. 0: none.
    #[serde(default = "two")]
    provisioned_concurrency: i32,
    /// Files below `/tmp` of an environment, in MB.
    #[serde(default = "usual_storage")]
    ephemeral_storage_mb: i32,
    /// ARNs of layer versions, whose files are below `/opt`. At most five.
    #[serde(default)]
    layers: Vec<String>,
    /// How many calls may run at once, taken from the account's limit: no more, and nobody else's. 0 switches
    /// the function off. Default none: as many as the account has left.
    reserved_concurrency: Option<i32>,
    /// Environment variables. `${endpoint.NAME}` is the exact name of an endpoint, which the function may
    /// then invoke too; `${bucket}` that of the project's bucket. No secrets.
    #[serde(default)]
    environment: BTreeMap<String, String>,
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
    fn use_as(&self) -> UseAs {
        UseAs::Code { include: self.include.clone(), exclude: self.exclude.clone() }
    }

    fn rights(&self) -> Rights<'_> {
        Rights { role: self.role.as_deref(), permissions: &self.permissions }
    }
}

fn template_handler() -> String {
    code::TEMPLATE_HANDLER.into()
}
fn python() -> String {
    "python3.13".into()
}
fn intel() -> String {
    Function::USUAL_ARCHITECTURE.into()
}
fn smallest() -> i32 {
    128
}
fn two() -> i32 {
    2
}
fn usual_storage() -> i32 {
    Function::USUAL_STORAGE
}
fn ninety_seconds() -> HumanDuration {
    HumanDuration::seconds(90)
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub role_arn: String,
    pub source: Option<PathBuf>,
    /// What of it is packed; the checksum is of that.
    #[serde(skip)]
    pub use_as: UseAs,
    /// Base64 of the zip's SHA-256, as Lambda computes it; with packages, which are installed while it is
    /// packed, the digest of what it is packed from.
    pub code_sha256: String,
    #[serde(rename = "config")]
    pub configuration: Configuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<i32>,
    /// Where code goes that is too large to be sent directly.
    #[serde(skip)]
    pub bucket: String,
}

/// What a version fixes besides its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    pub handler: String,
    pub runtime: String,
    pub architecture: String,
    pub memory_mb: i32,
    pub timeout_s: i32,
    pub environment: BTreeMap<String, String>,
    #[serde(default = "usual_storage")]
    pub storage_mb: i32,
    #[serde(default)]
    pub layers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What the alias serves; absent while a run was killed before it.
    pub live: Option<Live>,
    /// What is not published yet: the next version would be made from it.
    pub latest: Option<Live>,
    /// Executions reserved for the function; 0 switches it off.
    pub reserved: Option<i32>,
    /// Weights that an interrupted roll-out left on the alias.
    pub weighted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub role_arn: String,
    pub code_sha256: String,
    #[serde(rename = "config")]
    pub configuration: Configuration,
    /// Attributes without a key in the config that are not at Lambda's default: name and value.
    pub more: BTreeMap<String, String>,
}

impl Configuration {
    fn usage(&self) -> Usage {
        let memory = Memory { mb: counted(self.memory_mb), is_arm: self.architecture == "arm64" };
        Usage { memory: Some(memory), ..Usage::by_use("requests") }
    }
}

impl Function {
    /// The alias that callers invoke and that provisioned concurrency sits on.
    pub const ALIAS: &'static str = Concurrency::ALIAS;
    /// Lambda's own default.
    pub(super) const USUAL_ARCHITECTURE: &'static str = "x86_64";
    pub(super) const RESERVED: &'static str = "reserved concurrency";
    /// MB of `/tmp`, of which Lambda bills nothing.
    pub(super) const USUAL_STORAGE: i32 = 512;

    /// With this begin the keys of code that is too large to be sent directly. Others may share the bucket.
    #[cfg(feature = "sdk")]
    pub(super) fn folder(scope: &Scope) -> String {
        format!("functions/{}", scope.prefix())
    }
}

/// Runtimes that Lambda still lets one create (docs/aws/lambda.md#runtimes).
const RUNTIMES: [&str; 4] = ["python3.14", "python3.13", "python3.12", "python3.11"];
/// What it calls deprecated: of the first it still makes functions, of the others no more.
const OLD_RUNTIMES: [&str; 6] =
    ["python3.10", "python3.9", "python3.8", "python3.7", "python3.6", "python2.7"];
/// The variable that holds the name of a function's endpoint.
const ENDPOINT_NAME: &str = "ENDPOINT_NAME";
impl Kind for Function {
    const NAME: KindName = KindName::Function;
    const SECTION: Option<&'static str> = Some("function");
    const INVOKED: bool = true;
    type Section = BTreeMap<Name, Item>;
    type Spec = Spec;
    type State = State;

    fn sources(section: &Self::Section) -> Vec<Source> {
        let source = |(name, item): (&Name, &Item)| {
            let at = KeyPath::of(["function", name, "source"]);
            Some(Source { path: item.source.clone()?, use_as: item.use_as(), at })
        };
        section.iter().filter_map(source).collect()
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        let mut zips = Zips::new();
        for (name, item) in section {
            add(name, item, &mut zips, draft);
        }
    }

    fn bound() -> &'static [Bound] {
        const {
            &[
                Bound::value("handler", "lambda:CreateFunction.Handler"),
                Bound::value("runtime", "lambda:CreateFunction.Runtime").called("runtime"),
                Bound::value("architecture", "lambda:CreateFunction.Architectures.*").called("architecture"),
                Bound::value("memory_mb", "lambda:CreateFunction.MemorySize"),
                Bound::seconds("timeout", "lambda:CreateFunction.Timeout"),
                Bound::map("environment", "lambda:CreateFunction.Environment.Variables", 1),
                Bound::value("ephemeral_storage_mb", "lambda:CreateFunction.EphemeralStorage.Size"),
                Bound::value("layers.*", "lambda:CreateFunction.Layers.*"),
                Bound::value(
                    "reserved_concurrency",
                    "lambda:PutFunctionConcurrency.ReservedConcurrentExecutions",
                ),
            ]
        }
    }

    fn wanted(want: &Spec) -> State {
        let live = Live {
            role_arn: want.role_arn.clone(),
            code_sha256: want.code_sha256.clone(),
            configuration: want.configuration.clone(),
            more: BTreeMap::new(),
        };
        State { live: Some(live.clone()), latest: Some(live), reserved: want.reserved, weighted: false }
    }

    fn usage(want: &Spec) -> Usage {
        want.configuration.usage()
    }

    fn used(Seen { state, .. }: &Seen<State>) -> Usage {
        state.live.as_ref().map_or_else(Usage::default, |live| live.configuration.usage())
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let Some(live) = &seen.live else {
            return changes().field("alias", "none", Function::ALIAS, Needs::Update).done();
        };
        let (have, config) = (&live.configuration, &want.configuration);
        let short = |sha: &str| sha.get(..10).unwrap_or(sha).to_owned();
        let differs = changes()
            .field("code", short(&live.code_sha256), short(&want.code_sha256), Needs::Update)
            .field("handler", &have.handler, &config.handler, Needs::Update)
            .field("runtime", &have.runtime, &config.runtime, Needs::Update)
            .field("architecture", &have.architecture, &config.architecture, Needs::Update)
            .field("memory_mb", have.memory_mb, config.memory_mb, Needs::Update)
            .field(
                "timeout",
                HumanDuration::seconds(have.timeout_s as u64),
                HumanDuration::seconds(config.timeout_s as u64),
                Needs::Update,
            )
            .field("ephemeral_storage_mb", have.storage_mb, config.storage_mb, Needs::Update)
            .field("layers", listed(&have.layers), listed(&config.layers), Needs::Update)
            .field("role", &live.role_arn, &want.role_arn, Needs::Update)
            // Values may be private to the user: only that they differ is told.
            .when(
                have.environment != config.environment,
                "environment",
                "other values",
                "these",
                Needs::Update,
            );
        let set = |changes: Changes, (name, value): (&String, &String)| {
            changes.field(name, value, "default", Needs::Update)
        };
        let differs = live.more.iter().fold(differs, set).when(
            seen.weighted,
            "alias weights",
            "some",
            "none",
            Needs::Update,
        );
        let wanted = Self::wanted(want);
        // While the alias differs too, that is the one thing to say.
        let strayed = seen.live == wanted.live && seen.latest.is_some() && seen.latest != wanted.latest;
        let number = |n: Option<i32>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
        differs
            .when(strayed, "$LATEST", "another code or configuration", "as the alias", Needs::Update)
            .field(Self::RESERVED, number(seen.reserved), number(want.reserved), Needs::Update)
            .done()
    }

    fn summary(want: &Spec) -> String {
        format!("{}, {} MB", want.configuration.runtime, want.configuration.memory_mb)
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        (verb != Verb::Delete).then_some(HumanDuration::seconds(15))
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(format!("lambda/home?region={region}#/functions/{physical}"))
    }

    fn log(physical: &str) -> Option<Log> {
        Some(Log::Streams { group: format!("{}{physical}", LogGroup::FUNCTIONS), prefix: None })
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let arn = scope.arn("lambda", &format!("function:{physical}"));
        vec![format!("{arn}:*"), arn]
    }

    fn attributes(state: &State) -> Attributes {
        let Some(live) = &state.live else { return Vec::new() };
        let config = &live.configuration;
        attributes::listed([
            ("Runtime", format!("{}, {}", config.runtime, config.architecture)),
            ("Handler", config.handler.clone()),
            ("Memory", format!("{} MB", config.memory_mb)),
            ("Timeout", attributes::seconds(config.timeout_s)),
            ("Layers", config.layers.join(", ")),
            ("Calls", config.environment.get("ENDPOINT_NAME").cloned().unwrap_or_default()),
            ("Reserved concurrency", state.reserved.map(|count| count.to_string()).unwrap_or_default()),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::tag::GetResources,
            action::lambda::GetFunction,
            action::lambda::GetFunctionConfiguration,
            action::lambda::GetAlias,
            action::lambda::CreateFunction,
            action::lambda::ListTags,
            action::lambda::TagResource,
            action::lambda::UntagResource,
            action::lambda::UpdateFunctionCode,
            action::lambda::UpdateFunctionConfiguration,
            action::lambda::PublishVersion,
            action::lambda::CreateAlias,
            action::lambda::UpdateAlias,
            action::lambda::DeleteFunction,
            action::lambda::DeleteFunctionConcurrency,
            action::lambda::PutFunctionConcurrency,
            action::s3::GetObject,
            action::s3::PutObject,
        ]
    }
}

/// Digests of the zips, by their source.
type Zips = BTreeMap<(Option<PathBuf>, UseAs), String>;

/// Bytes of a function's files with its layers
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const UNZIPPED: u64 = 250 << 20;

/// Adds the function, its role and log group, and its provisioned concurrency.
fn add(name: &Name, item: &Item, zips: &mut Zips, draft: &mut Draft<'_>) {
    let at = KeyPath::of(["function", name]);
    lint(item, &at, draft);
    let endpoint = draft.find(&[KindName::Endpoint], &item.endpoint, "endpoint", at.join("endpoint"));
    let tree = match &item.source {
        None => Some(None),
        Some(path) => {
            // `handler.lambda_handler` is in `handler.py`.
            let file = item.handler.rsplit_once('.').map_or(item.handler.as_str(), |(module, _)| module);
            let file = format!("{}.py", file.replace('.', "/"));
            draft.code(path, &item.use_as(), &file, &at.join("handler")).map(Some)
        }
    };
    let (Some(endpoint), Some(tree)) = (endpoint, tree) else { return };
    if let (Some(tree), Some(path)) = (tree, &item.source) {
        machine::warn_of_foreign(tree, path, &item.architecture, &at.join("source"), draft);
    }
    // Many functions are of one folder, most of none.
    let packed =
        zips.entry((item.source.clone(), item.use_as())).or_insert_with(|| code::sha256(&code::zip(tree)));
    let mut code_sha256 = packed.clone();
    let unzipped = tree.map_or(0, Tree::bytes);
    if unzipped > UNZIPPED {
        let text = format!("the code has {} MB, Lambda takes 250 MB with its packages", unzipped / 1_000_000);
        draft.error(codes::TOO_LARGE, at.join("source"), text, "leave large files out with `exclude`");
    }
    let packages = tree.and_then(|tree| {
        packages::wanted(tree, &item.runtime, &item.architecture, &at.join("source"), draft)
    });
    if let Some(packages) = &packages {
        code_sha256 = code::digest(&code_sha256, &packages.digest);
    }
    let scope = draft.scope;
    let physical = scope.physical(name);
    let user = format!("function-{name}");
    let group = format!("{}{physical}", LogGroup::FUNCTIONS);
    let (environment, named) = references::filled(&item.environment, &at.join("environment"), draft);
    let mut invoked = vec![endpoint.clone()];
    invoked.extend(named.into_iter().filter(|named| named.id != endpoint.id));
    let arn = |node: &Node| scope.arn("sagemaker", &format!("endpoint/{}", node.physical.to_lowercase()));
    let statements = vec![
        policy::each(&[action::sagemaker::InvokeEndpoint], &invoked.iter().map(arn).collect::<Vec<_>>()),
        policy::write_log_streams(scope, &group),
    ];
    let log_group = LogGroup::of_writer(&user, LogGroup::FUNCTIONS, &physical, draft, &at);
    let role = Role::of_rights(&user, &item.rights(), Assumer::Lambda, statements, draft, &at);
    let mut environment = environment;
    environment.insert(ENDPOINT_NAME.into(), endpoint.physical.clone());
    // Lambda measures them as JSON: "exceeded the 4KB limit. String measured: {...}".
    let size = serde_json::to_string(&environment).expect("text is plain data").len();
    if size > 4_096 {
        let text =
            format!("the environment has {size} bytes with `{ENDPOINT_NAME}`, Lambda allows 4,096 in all");
        draft.error(codes::TOO_LARGE, at.join("environment"), text, "put large values into the bucket");
    }
    let spec = Spec {
        role_arn: role.arn,
        source: item.source.clone(),
        use_as: item.use_as(),
        code_sha256,
        configuration: Configuration {
            handler: item.handler.clone(),
            runtime: item.runtime.clone(),
            architecture: item.architecture.clone(),
            memory_mb: item.memory_mb,
            timeout_s: item.timeout.as_secs() as i32,
            environment,
            storage_mb: item.ephemeral_storage_mb,
            layers: item.layers.clone(),
        },
        packages,
        reserved: item.reserved_concurrency,
        bucket: Bucket::name(draft),
    };
    let needs = [log_group].into_iter().chain(invoked.into_iter().map(|node| node.id)).chain(role.made);
    let function = draft.add::<Function>(name, physical.clone(), spec, needs, at.clone());
    if item.provisioned_concurrency != 0 {
        Concurrency::add(item.provisioned_concurrency, name, &physical, function, &at, draft);
    }
}

fn listed(layers: &[String]) -> String {
    if layers.is_empty() { "none".to_owned() } else { layers.join(", ") }
}

/// Layers and concurrency, as Lambda takes them.
fn lint_more(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    // https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
    if item.layers.len() > 5 {
        let text = format!("there are {} layers, Lambda takes 5", item.layers.len());
        draft.error(codes::LIMIT, at.join("layers"), text, "put their files into fewer layers");
    }
    let Some(reserved) = item.reserved_concurrency else { return };
    if reserved < item.provisioned_concurrency {
        let text = format!(
            "`provisioned_concurrency` is {}, and only {} may run at once",
            item.provisioned_concurrency,
            many(i64::from(reserved), "call")
        );
        let help = "raise it, or lower `provisioned_concurrency`";
        draft.error(codes::BAD_RANGE, at.join("reserved_concurrency"), text, help);
    }
}

fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    lint_more(item, at, draft);
    if item.provisioned_concurrency != 0 {
        Concurrency::lint(item.provisioned_concurrency, at, draft);
    }
    if !RUNTIMES.contains(&item.runtime.as_str()) {
        let key = at.join("runtime");
        let help = format!("one of {}", RUNTIMES.join(", "));
        if OLD_RUNTIMES.contains(&item.runtime.as_str()) {
            let text = match item.runtime == OLD_RUNTIMES[0] {
                true => format!("the runtime {} is deprecated", item.runtime),
                false => {
                    format!("Lambda refuses to create a function with {}, which it has closed", item.runtime)
                }
            };
            draft.warn(codes::OLD_RUNTIME, key, text, help);
        } else if !item.runtime.starts_with("python") {
            let text = format!("the function's handler is Python, and `{}` is not", item.runtime);
            draft.error(codes::BAD_VALUE, key, text, help);
        }
    }
    if item.timeout < HumanDuration::seconds(60) {
        let text =
            format!("the function gives up after {}, the endpoint may answer after up to 60s", item.timeout);
        draft.warn(codes::SHORT_TIMEOUT, at.join("timeout"), text, "write \"90s\"");
    }
    for (key, patterns) in [("include", &item.include), ("exclude", &item.exclude)] {
        if item.source.is_none() && !patterns.is_empty() {
            let text = format!("`{key}` chooses files of `source`, and there is none");
            draft.error(codes::BAD_VALUE, at.join(key), text, "add `source`, or remove it");
        }
    }
    for name in item.environment.keys() {
        let key = at.join("environment").join(name);
        if LAMBDA_RESERVED.contains(&name.as_str()) {
            let text = format!("Lambda keeps the variable {name} for itself");
            draft.error(codes::ENTRY_NAME, key, text, "give it another name");
        } else if name == ENDPOINT_NAME {
            let text = format!("opsctl itself sets {name}, to the endpoint that `endpoint` names");
            draft.error(codes::SET_BY_OPSCTL, key, text, "remove it");
        }
    }
    if !item.handler.contains('.') {
        let text = format!("`{}` names no function", item.handler);
        draft.error(
            codes::BAD_VALUE,
            at.join("handler"),
            text,
            "write <file>.<function>, like \"handler.lambda_handler\"",
        );
    } else if item.source.is_none() && item.handler != code::TEMPLATE_HANDLER {
        let text = format!(
            "`{}` is not in opsctl's own code, which the function has without `source`",
            item.handler
        );
        draft.error(codes::BAD_VALUE, at.join("handler"), text, "add `source`, or remove `handler`");
    }
}
