//! What every run begins with: the project, the account and region it is deployed to, and what should be
//! there.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use aws_sdk_ec2::operation::describe_regions::DescribeRegionsOutput;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::played::Player;
use super::{Host, key, latest, remote, strays, whoami};
use crate::aws::{Clients, OpError, OpErrorKind, SdkResultExt, Target};
use crate::config::{Config, Document};
use crate::cost::Prices;
use crate::desired::{self, AnyKind, Desired, kind_of};
use crate::domain::{Diagnostic, Diagnostics, KindName, ResourceId, Scope, action, places};
use crate::engine::lease::LeaseHolder;
use crate::engine::{Cancel, Event, Events, Patience, Registry, RunContext};
use crate::inputs::{self, Inputs};
use crate::resources::{kinds, registry};

/// What a run needs of the folders that the config names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    /// All, read whole: what is made from them is named after their digest.
    Read,
    /// All, but data files are not read until they are sent or compared.
    Listed,
    /// What is there is read, for the names; what cannot be read is a warning. The run takes away or looks,
    /// and must do so too when the folders are gone.
    Spared,
    /// None.
    Unneeded,
}

impl Folders {
    /// Whether names are made of them, to be compared with what is there.
    fn compare(self) -> bool {
        matches!(self, Self::Read | Self::Spared)
    }

    fn judge(self, mut problems: Diagnostics) -> Diagnostics {
        if matches!(self, Self::Spared | Self::Unneeded) {
            problems.spare_files();
        }
        problems
    }
}

/// A config and its folders, read and found valid, before the first call to AWS.
pub struct Project {
    pub config: Config,
    kinds: Vec<Box<dyn AnyKind>>,
    inputs: Inputs,
    folders: Folders,
    /// For what can be made again.
    cache: PathBuf,
}

impl Project {
    /// Reads the config's environment and, as far as needed, the folders.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the document that shows where.
    pub fn read(document: &Document, environment: &str, folders: Folders) -> Result<Self, OpenError> {
        let kinds = kinds();
        let (config, mut problems) = Config::read(document, environment, &sections(&kinds));
        let cache = inputs::home(config.document.folder()).join(".opsctl/cache");
        inputs::clear_of_pipes(&cache);
        let sources = desired::sources(&config, &kinds);
        let mut inputs = match folders {
            Folders::Listed | Folders::Unneeded => Inputs::walk(config.document.folder(), sources),
            Folders::Read | Folders::Spared => Inputs::read_cached(config.document.folder(), sources, &cache),
        };
        if folders == Folders::Spared {
            inputs.spare();
        }
        // Everything that can be known without AWS is reported before the first call.
        let offline = Scope::new(&config.project.name, &config.environment, Scope::NO_ACCOUNT, "us-east-1");
        problems.extend(folders.judge(desired::build(&config, &offline, &inputs, &kinds).1).0);
        if problems.has_errors() {
            return Err(OpenError::invalid(config, problems));
        }
        Ok(Self { config, kinds, inputs, folders, cache })
    }

    /// What should exist in an account and region that nobody has asked AWS for.
    pub fn desired_in(&self, account: &str, region: &str) -> Desired {
        let scope = Scope::new(&self.config.project.name, &self.config.environment, account, region);
        desired::build(&self.config, &scope, &self.inputs, &self.kinds).0
    }
}

/// The target of a session, and who runs it.
pub struct Connection {
    pub target: Target,
    /// Set if it is the sandbox, whose account belongs to nobody; `Some(true)` when it runs in this process
    /// and ends with it.
    pub sandbox: Option<bool>,
    /// The profile that was named, for commands that a person may run next.
    pub profile: Option<String>,
    pub who: LeaseHolder,
    pub cancel: Cancel,
    /// Upper bound of any one wait.
    pub timeout: Option<std::time::Duration>,
    /// Whether the lease is waited for.
    pub patience: Option<Patience>,
    /// Who runs containers there, where that is not AWS: every run is held against what it can.
    pub player: Option<Arc<dyn Player>>,
    /// A warning about the target.
    pub warning: Option<Diagnostic>,
    /// The file in which AWS's prices are kept for some days.
    pub price_cache: Option<PathBuf>,
}

impl Connection {
    /// To this target, for a program that neither interrupts nor limits it.
    pub fn to(target: Target) -> Self {
        let (sandbox, profile, timeout, patience, warning) = (None, None, None, None, None);
        let (who, cancel, player, price_cache) = (LeaseHolder::default(), Cancel::default(), None, None);
        Self { target, sandbox, profile, who, cancel, timeout, patience, player, warning, price_cache }
    }
}

/// Why there is no session.
#[derive(Debug)]
pub enum OpenError {
    /// The config is wrong: all of it, in the document that shows where.
    Invalid(Box<(Document, Diagnostics)>),
    NoRegion,
    WrongAccount {
        /// That of the credentials.
        account: String,
        /// That of the config.
        wanted: String,
    },
    /// The account has not enabled it, so nothing there knows its keys: what was said of them.
    RegionOff {
        region: String,
        error: Box<OpError>,
    },
    Op(OpError),
}

impl OpenError {
    fn invalid(config: Config, mut problems: Diagnostics) -> Self {
        config.lint.silence(&mut problems);
        Self::Invalid(Box::new((config.document, problems)))
    }
}

impl From<OpError> for OpenError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// A config, its target, and what should be there.
pub struct Session {
    pub config: Config,
    pub kinds: Vec<Box<dyn AnyKind>>,
    pub registry: Registry,
    pub desired: Desired,
    pub warnings: Diagnostics,
    pub context: RunContext,
    /// Receives what happens, once somebody takes it.
    pub events: Option<UnboundedReceiver<Event>>,
    /// Who the lease is for.
    pub who: LeaseHolder,
    /// The account and region, for people.
    pub place: String,
    /// The profile and the endpoint that were named.
    pub profile: Option<String>,
    pub endpoint: Option<String>,
    pub host: Host,
    /// See [`Connection::player`].
    pub(super) player: Option<Arc<dyn Player>>,
    /// How many seconds AWS's clock is ahead of this machine's.
    ahead: i64,
    /// See [`Connection::price_cache`]; none for what is not AWS.
    pub price_cache: Option<PathBuf>,
    /// What [`super::prices::load`] has found.
    pub(super) prices: OnceLock<Prices>,
}

impl Session {
    /// Asks AWS for the account of the credentials, and computes what should exist there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(project: Project, connection: Connection) -> Result<Self, OpenError> {
        let (Project { config, kinds, mut inputs, folders, cache }, target) = (project, connection.target);
        let Some(region) = target.sdk.region().map(ToString::to_string) else {
            return Err(OpenError::NoRegion);
        };
        let aws = Clients::new(&target);
        let (account, ahead) = account_of(&aws, &region).await?;
        expect_account(&config, &account, connection.sandbox)?;
        let (host, place) = at(connection.sandbox, &target, &account, &region);
        let scope = Scope::new(&config.project.name, &config.environment, &account, &region);
        read_elsewhere(&aws, &region, &config, (&kinds, folders), &mut inputs).await?;
        let (mut desired, problems) = desired::build(&config, &scope, &inputs, &kinds);
        let mut problems = folders.judge(problems);
        problems.extend(connection.warning);
        problems.0.retain(|problem| connection.sandbox.is_none() || !problem.code.is_of_account());
        config.lint.silence(&mut problems);
        if problems.has_errors() {
            return Err(OpenError::invalid(config, problems));
        }
        let ((sender, receiver), registry) = (unbounded_channel(), registry());
        let mut context = RunContext {
            aws,
            scope,
            tags: desired.tags.clone(),
            inputs,
            cache,
            wanted: Vec::new(),
            events: Events::to(sender),
            cancel: connection.cancel,
            pace: target.pace,
            lag: target.pace.lag(),
            timeout: connection.timeout,
            patience: connection.patience,
            began: OnceLock::new(),
        };
        let spared = folders == Folders::Spared;
        if folders.compare() && Box::pin(strays::find(&desired, spared, &mut context)).await? {
            (desired, _) = desired::build(&config, &context.scope, &context.inputs, &kinds);
        }
        Box::pin(latest::take(&mut desired, &registry, &context)).await?;
        context.wanted = desired.nodes.iter().map(|n| (n.id.kind, n.physical.clone())).collect();
        Ok(Self {
            config,
            kinds,
            registry,
            desired,
            warnings: problems,
            context,
            events: Some(receiver),
            who: connection.who,
            place,
            profile: connection.profile,
            endpoint: target.endpoint,
            host,
            player: connection.player,
            ahead,
            price_cache: connection.price_cache.filter(|_| host == Host::Aws),
            prices: OnceLock::new(),
        })
    }

    /// The prices that were looked up, else those that opsctl carries.
    pub fn prices(&self) -> Prices {
        self.prices.get().cloned().unwrap_or_else(|| Prices::of(&self.context.scope.region))
    }

    /// Whether it is AWS itself, and not the sandbox or another endpoint.
    pub fn is_aws(&self) -> bool {
        self.host == Host::Aws
    }

    /// Whether it is a sandbox, in this process or in another one of this machine.
    pub fn is_sandbox(&self) -> bool {
        matches!(self.host, Host::Sandbox | Host::InProcess)
    }

    /// Seconds since 1970 by AWS's clock, which has dated what is there; that of this machine may be wrong.
    pub fn now(&self) -> i64 {
        here().saturating_add(self.ahead)
    }

    /// The kind of this name.
    pub fn kind(&self, name: KindName) -> &dyn AnyKind {
        kind_of(&self.kinds, name)
    }

    /// The names that the section of a kind defines.
    pub fn names(&self, kind: KindName) -> Vec<&str> {
        let table = self.kind(kind).section().and_then(|section| self.config.section(section)?.as_object());
        table.map(|table| table.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// What a resource of the config is called in AWS.
    pub fn physical(&self, id: &ResourceId) -> String {
        let node = self.desired.node(id);
        node.map_or_else(|| self.context.scope.physical(&id.name), |node| node.physical.clone())
    }

    /// Why this, which is named after files, is the latest there is instead of what the config has.
    pub fn is_only_latest(&self, id: &ResourceId) -> Option<&str> {
        let why = self.desired.unread.get(id)?;
        self.kind(id.kind).fingerprinted().then_some(why)
    }

    /// The project's bucket.
    pub fn bucket(&self) -> &str {
        self.context.wanted(KindName::Bucket).next().unwrap_or_default()
    }
}

/// What has to be seen in AWS before it is known what is wanted: data that is elsewhere, and a key by its
/// alias.
async fn read_elsewhere(
    aws: &Clients,
    region: &str,
    config: &Config,
    (kinds, folders): (&[Box<dyn AnyKind>], Folders),
    inputs: &mut Inputs,
) -> Result<(), OpError> {
    if folders.compare() {
        inputs.found(Box::pin(remote::list(aws, region, desired::remotes(config, kinds))).await?);
    }
    if let Some(alias) = config.encryption.alias() {
        inputs.found_key(Box::pin(key::find(aws, alias)).await?);
    }
    Ok(())
}

/// The config may name the account that it is for. The sandbox plays any.
fn expect_account(config: &Config, account: &str, sandbox: Option<bool>) -> Result<(), OpenError> {
    if sandbox.is_some() {
        return Ok(());
    }
    match config.project.account.as_ref().filter(|wanted| *wanted != account) {
        Some(wanted) => Err(OpenError::WrongAccount { account: account.to_owned(), wanted: wanted.clone() }),
        None => Ok(()),
    }
}

/// What it is, and where that is for a person.
fn at(sandbox: Option<bool>, target: &Target, account: &str, region: &str) -> (Host, String) {
    (host_of(sandbox, target), place_of(sandbox, target, account, region))
}

fn host_of(sandbox: Option<bool>, target: &Target) -> Host {
    match (sandbox, &target.address) {
        (Some(true), _) => Host::InProcess,
        (Some(false), _) => Host::Sandbox,
        (None, Some(_)) => Host::Other,
        (None, None) => Host::Aws,
    }
}

/// Where it is, for a person.
fn place_of(sandbox: Option<bool>, target: &Target, account: &str, region: &str) -> String {
    match (sandbox, &target.address) {
        (Some(_), _) => format!("SANDBOX, {region}"),
        (None, Some(address)) => format!("account {account}, {region}, {address}"),
        (None, None) => format!("account {account}, {region}"),
    }
}

/// The account of the credentials, and how many seconds AWS's clock is ahead.
async fn account_of(aws: &Clients, region: &str) -> Result<(String, i64), OpenError> {
    match whoami(aws).await {
        Ok(caller) => Ok((caller.account, caller.at.map_or(0, |at| at.saturating_sub(here())))),
        Err(error) if error.kind == OpErrorKind::Credentials && is_off(aws, region).await => {
            Err(OpenError::RegionOff { region: region.to_owned(), error: Box::new(error) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Seconds since 1970 by this machine's clock.
fn here() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

/// Whether the account has not enabled the region: asked where every account is known. Only the partition
/// `aws` has such regions
/// (<https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>).
async fn is_off(aws: &Clients, region: &str) -> bool {
    const EVERYWHERE: &str = "us-east-1";
    if region == EVERYWHERE || places::partition(region).0 != "aws" {
        return false;
    }
    let call = aws.ec2_in(EVERYWHERE).describe_regions().all_regions(true).region_names(region);
    let found = call.send().await.op(action::ec2::DescribeRegions);
    let status = |found: &DescribeRegionsOutput| {
        let region = found.regions().first()?;
        region.opt_in_status().map(str::to_owned)
    };
    found.is_ok_and(|found| status(&found).as_deref() == Some("not-opted-in"))
}

/// The sections that some kind reads.
pub fn sections(kinds: &[Box<dyn AnyKind>]) -> Vec<&'static str> {
    let mut keys: Vec<_> = kinds.iter().filter_map(|k| k.section()).collect();
    keys.dedup();
    keys
}
