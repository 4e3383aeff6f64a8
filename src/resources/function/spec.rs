use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::packages::{self, Packages};
use super::section::{self, Item};
use super::url::{self, Url};
use super::{code, layers, lint, machine, references};
use crate::config::{Name, Network};
use crate::desired::{Draft, KeyUse, Kind, Log, Node, Seen};
use crate::domain::usage::{Memory, counted};
use crate::domain::{
    Action, Attributes, Changes, Facts, FieldChange, HumanDuration, KeyPath, KindName, Needs, Scope, Usage,
    Verb, action, attributes, changes, codes,
};
use crate::inputs::{Source, Tree, UseAs};
use crate::limits::Bound;
use crate::resources::bucket::Bucket;
use crate::resources::concurrency::Concurrency;
use crate::resources::encryption::KEY;
use crate::resources::log_group::LogGroup;
use crate::resources::role::{Assumer, Role, policy};
use crate::resources::used;

/// The kind.
pub struct Function;

/// As its section asks for it.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Encrypts the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What of it is compared.
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
    /// The address of the alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<url::LiveUrl>,
}

/// What `$LATEST` or a version is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub role_arn: String,
    pub code_sha256: String,
    #[serde(rename = "config")]
    pub configuration: Configuration,
    /// What is not at Lambda's default.
    pub more: BTreeMap<Setting, String>,
}

/// What others can set on a function, and no key of the config does: each of it changes how the function
/// runs, what it costs, or where its lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    DeadLetters,
    FileSystems,
    LogFormat,
    LogGroup,
    SnapStart,
    Tracing,
}

impl Setting {
    #[cfg(feature = "sdk")]
    pub(super) const ALL: &[Self] = &[
        Self::DeadLetters,
        Self::FileSystems,
        Self::LogFormat,
        Self::LogGroup,
        Self::SnapStart,
        Self::Tracing,
    ];

    /// In a plan.
    fn words(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead letters",
            Self::FileSystems => "file systems",
            Self::LogFormat => "log format",
            Self::LogGroup => "log group",
            Self::SnapStart => "snap start",
            Self::Tracing => "tracing",
        }
    }
}

fn usual_storage() -> i32 {
    section::USUAL_STORAGE
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
    pub(super) const RESERVED: &'static str = "reserved concurrency";
    pub(super) const URL: &'static str = "url";

    /// With this begin the keys of code that is too large to be sent directly. Others may share the bucket.
    #[cfg(feature = "sdk")]
    pub(super) fn folder(scope: &Scope) -> String {
        format!("functions/{}", scope.prefix())
    }
}

impl Kind for Function {
    const NAME: KindName = KindName::Function;
    const SECTION: Option<&'static str> = Some("function");
    const INVOKED: Option<Action> = Some(action::lambda::InvokeFunction);
    const REPORTED: &'static [Action] = &[action::lambda::ListVersionsByFunction];
    const GRANTS_KEY: bool = true;
    // Without `Decrypt` nobody sees the variables.
    const KEY_USE: Option<KeyUse> = Some(KeyUse {
        service: "lambda",
        changes: &[action::kms::Decrypt, action::kms::Encrypt],
        looks: &[action::kms::Decrypt],
    });
    const RUNS_CODE: bool = true;
    const LOG: Option<fn(&str) -> Log> = Some(|physical| {
        let group = format!("{}{physical}", LogGroup::FUNCTIONS);
        Log::Streams { group, prefix: None }
    });
    type Section = BTreeMap<Name, Item>;
    type Spec = Spec;
    type State = State;

    fn sources(section: &Self::Section) -> Vec<Source> {
        let source = |(name, item): (&Name, &Item)| {
            let at = KeyPath::of(["function", name, "source"]);
            Some(Source { path: item.source.clone()?, use_as: item.use_as(), at, no_code: Vec::new() })
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
                Bound::value("url", "lambda:CreateFunctionUrlConfig.AuthType")
                    .written(|url| Some(if url == "public" { "NONE" } else { "AWS_IAM" }.to_owned())),
                Bound::value("ephemeral_storage_mb", "lambda:CreateFunction.EphemeralStorage.Size"),
                Bound::value("layers.*", "lambda:CreateFunction.Layers.*")
                    .written(|arn| arn.as_str().and_then(layers::whole)),
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
        let (latest, url) = (Some(live.clone()), want.url.map(url::LiveUrl::wanted));
        State { live: Some(live), latest, reserved: want.reserved, weighted: false, url }
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
        let short = |digest: &str| {
            let digest = digest.strip_prefix(code::PACKED).unwrap_or(digest);
            digest.get(..10).unwrap_or(digest).to_owned()
        };
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
            .network(&have.network, &config.network, Needs::Update)
            .kms_key(&have.kms_key, &config.kms_key, Needs::Update)
            .field("role", &live.role_arn, &want.role_arn, Needs::Update)
            // Values may be private to the user: only that they differ is told.
            .when(
                have.environment != config.environment,
                "environment",
                "other values",
                "these",
                Needs::Update,
            );
        let set = |changes: Changes, (setting, value): (&Setting, &String)| {
            changes.field(setting.words(), value, "default", Needs::Update)
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
            .field(Self::URL, url::found_word(seen.url.as_ref()), url::wanted_word(want.url), Needs::Update)
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

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let arn = scope.arn("lambda", &format!("function:{physical}"));
        vec![format!("{arn}:*"), arn]
    }

    fn uses(physical: &str, seen: &State) -> Vec<(KindName, String)> {
        let log = (KindName::LogGroup, format!("{}{physical}", LogGroup::FUNCTIONS));
        let of = |live: &Live| {
            let other_log =
                live.more.get(&Setting::LogGroup).map(|group| (KindName::LogGroup, group.clone()));
            let read = used::in_values(live.configuration.environment.values());
            read.chain([used::role(&live.role_arn)]).chain(other_log).collect::<Vec<_>>()
        };
        seen.live.iter().chain(&seen.latest).flat_map(of).chain([log]).collect()
    }

    fn named_in<'t>(text: &'t str, scope: &Scope) -> Option<Cow<'t, str>> {
        let by_role = || Role::user(scope, text)?.strip_prefix("function-");
        let by_log = LogGroup::writer(LogGroup::FUNCTIONS, text);
        by_log.map(Cow::Borrowed).or_else(|| Some(scope.physical(by_role()?).into()))
    }

    fn facts(seen: &State) -> Facts {
        let url = seen.url.as_ref().map(|url| url.address.clone());
        Facts { url: url.filter(|url| !url.is_empty()), ..Facts::default() }
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
            (KEY, config.kms_key.clone().unwrap_or_default()),
            ("Calls", config.environment.get("ENDPOINT_NAME").cloned().unwrap_or_default()),
            ("URL", state.url.as_ref().map(|url| url.address.clone()).unwrap_or_default()),
            (
                "Who may call it",
                state.url.as_ref().map(|url| url::found_word(Some(url)).into()).unwrap_or_default(),
            ),
            ("Reserved concurrency", state.reserved.map(|count| count.to_string()).unwrap_or_default()),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::tag::GetResources,
            action::lambda::GetFunction,
            action::lambda::GetFunctionConfiguration,
            action::lambda::GetAlias,
            action::lambda::GetFunctionUrlConfig,
            action::lambda::GetPolicy,
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
            action::lambda::CreateFunctionUrlConfig,
            action::lambda::UpdateFunctionUrlConfig,
            action::lambda::DeleteFunctionUrlConfig,
            action::lambda::AddPermission,
            action::lambda::RemovePermission,
            action::s3::GetObject,
            action::s3::PutObject,
        ]
    }

    fn calls_for(want: &Spec) -> Vec<Action> {
        // Whoever may do these can open a function to everybody.
        let opens = [
            action::lambda::AddPermission,
            action::lambda::CreateFunctionUrlConfig,
            action::lambda::UpdateFunctionUrlConfig,
        ];
        let calls = Self::calls().iter().copied();
        calls.filter(|call| want.url.is_some() || !opens.contains(call)).collect()
    }

    fn also_needs(want: &Spec) -> Vec<(Action, String)> {
        // "you must have permission to call GetLayerVersion on the layer version"
        // (https://docs.aws.amazon.com/lambda/latest/dg/permissions-user-function.html#permissions-user-layer)
        let layers = want.configuration.layers.iter();
        let layers = layers.map(|layer| (action::lambda::GetLayerVersion, layer.clone()));
        // What its maker needs beside its role.
        // (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions)
        let looks =
            [action::ec2::DescribeSecurityGroups, action::ec2::DescribeSubnets, action::ec2::DescribeVpcs];
        let looks = want.configuration.network.iter().flat_map(|_| looks);
        layers.chain(looks.map(|look| (look, "*".to_owned()))).collect()
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
    lint::lint(item, &at, draft);
    let endpoint = draft.find(&[KindName::Endpoint], &item.endpoint, "endpoint", at.join("endpoint"));
    let code = sent(item, zips, &at, draft);
    let (Some(endpoint), Some((code_sha256, packages))) = (endpoint, code) else { return };
    let scope = draft.scope;
    let physical = draft.physical::<Function>(name, item.name.as_deref(), &at);
    let user = format!("function-{name}");
    let group = format!("{}{physical}", LogGroup::FUNCTIONS);
    let (mut environment, named) = references::filled(&item.environment, &at.join("environment"), draft);
    let mut invoked = vec![endpoint.clone()];
    invoked.extend(named.into_iter().filter(|named| named.id != endpoint.id));
    let arns = |node: &Node| scope.cased("sagemaker", &format!("endpoint/{}", node.physical));
    let endpoints = invoked.iter().flat_map(arns).collect::<Vec<_>>();
    let invoke = policy::each(&[action::sagemaker::InvokeEndpoint], &endpoints);
    let network = draft.network(item.network.as_ref(), &at);
    let statements = [invoke, policy::write_log_streams(scope, &group)].into_iter();
    let statements = statements.chain(network.is_some().then(policy::function_in_vpc)).collect();
    let log_group = LogGroup::of_writer(&user, LogGroup::FUNCTIONS, &physical, draft, &at);
    let role = Role::of_rights(&user, &item.rights(), Assumer::Lambda, statements, draft, &at);
    environment.insert(lint::ENDPOINT_NAME.into(), endpoint.physical.clone());
    lint::size(&environment, &at, draft);
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
            network,
            kms_key: draft.kms_key(),
        },
        packages,
        reserved: item.reserved_concurrency,
        url: item.url,
        bucket: Bucket::name(draft),
    };
    let needs = [log_group].into_iter().chain(invoked.into_iter().map(|node| node.id)).chain(role.made);
    let function = draft.add::<Function>(name, physical.clone(), spec, needs, at.clone());
    if item.provisioned_concurrency != 0 {
        Concurrency::add(item.provisioned_concurrency, name, &physical, function, &at, draft);
    }
}

/// The digest of what is sent as the function's code, and the packages in it. `None` after a problem was
/// reported.
fn sent(
    item: &Item,
    zips: &mut Zips,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) -> Option<(String, Option<Packages>)> {
    let source = at.join("source");
    let tree = match &item.source {
        None => None,
        Some(path) => {
            // `handler.lambda_handler` is in `handler.py`.
            let file = item.handler.rsplit_once('.').map_or(item.handler.as_str(), |(module, _)| module);
            let file = format!("{}.py", file.replace('.', "/"));
            let tree = draft.code(path, &item.use_as(), &file, &at.join("handler"))?;
            lint::refuse_no_handler(item, tree, &file, at, draft);
            Some(tree)
        }
    };
    if let (Some(tree), Some(path)) = (tree, &item.source) {
        machine::warn_of_foreign(tree, path, &item.architecture, &source, draft);
    }
    // Many functions are of one folder, most of none.
    let zip = zips.entry((item.source.clone(), item.use_as()));
    let mut sha256 = zip.or_insert_with(|| code::sha256(&code::zip(tree))).clone();
    let unzipped = tree.map_or(0, Tree::bytes);
    if unzipped > UNZIPPED {
        let text = format!("the code has {} MB, Lambda takes 250 MB with its packages", unzipped / 1_000_000);
        draft.error(codes::TOO_LARGE, source.clone(), text, "leave large files out with `exclude`");
    }
    let packages =
        tree.and_then(|tree| packages::wanted(tree, &item.runtime, &item.architecture, &source, draft));
    if let Some(packages) = &packages {
        sha256 = code::digest(&sha256, &packages.digest);
    }
    Some((sha256, packages))
}

fn listed(layers: &[String]) -> String {
    if layers.is_empty() { "none".to_owned() } else { layers.join(", ") }
}
