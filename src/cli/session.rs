//! What most commands begin with: the config file, the place to deploy to, the desired graph.

use std::path::Path;

use aws_smithy_http_client::tls::TlsContext;
use tokio::sync::mpsc::unbounded_channel;

use super::args::{Global, endpoint, is_region};
use super::environment::{Environment, find_config, home};
use super::error::Failure;
use super::exit::Exit;
use super::hidden;
use super::hints::quoted;
use super::sandbox::{self, Sandbox};
use crate::aws::{self, Choice, Clients, Outcomes, Pace, Target};
use crate::config::project::Config;
use crate::config::{Document, section};
use crate::desired::{self, AnyKind, Desired};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, Scope, Severity, codes};
use crate::engine::lease::Who;
use crate::engine::{Event, Events, Registry, World};
use crate::inputs::Inputs;
use crate::limits;
use crate::resources::{kinds, registry};

/// Reads and parses the config file.
pub fn document(global: &Global) -> Result<Document, Failure> {
    let file = find_config(global.config.as_deref())?;
    let bytes = std::fs::read(&file).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Failure::said(codes::NOT_A_CONFIG, Exit::Config, message, "check the path")
    })?;
    Document::read(&file, bytes).map_err(|failed| {
        let (document, problem) = *failed;
        Failure::config(document, Diagnostics(vec![problem]))
    })
}

/// The sections that some kind reads.
pub fn sections(kinds: &[Box<dyn AnyKind>]) -> Vec<&'static str> {
    let mut keys: Vec<_> = kinds.iter().filter_map(|k| k.section_key()).collect();
    keys.dedup();
    keys
}

/// The place that the flags, the environment and the config mean; with the sandbox, where it is in this
/// process. The problem is a region that may be newer than opsctl.
async fn connect(
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
) -> Result<(Target, Option<Sandbox>, Option<Diagnostic>), Failure> {
    // The SDK reads them whatever it is told, and panics of some.
    if let Some((name, why)) = &env.bad_endpoint {
        let message = format!("{name} {why}");
        let help = format!("give it a URL (http://HOST:PORT or https://HOST), or unset {name}");
        return Err(Failure::said(codes::USAGE, Exit::Usage, message, help));
    }
    if !global.sandbox {
        check_profile(global, env).await?;
    }
    let (sandbox, address) = match global.sandbox {
        true => sandbox::attach(config.map(|c| c.document.file.as_path()), global.quiet, env).await?,
        false => (None, None),
    };
    let region = global.region.clone();
    // In the sandbox the account's surroundings do not count: it is the same everywhere.
    let region = if global.sandbox { region } else { region.or_else(|| env.region.clone()) };
    let choice = Choice {
        profile: global.profile.clone(),
        region: region.or_else(|| config.and_then(|c| c.project.region.clone())),
        endpoint_url: global.endpoint_url.clone(),
        sandbox: address,
        trust: env.ca_bundle.as_deref().filter(|_| !global.sandbox).map(trust).transpose()?,
    };
    let target = aws::connect(&choice).await;
    let Some(region) = target.sdk.region().map(ToString::to_string) else {
        return Ok((target, sandbox, None));
    };
    let origin = match () {
        () if global.region.is_some() => "it comes from --region",
        () if !global.sandbox && env.region.is_some() => "it comes from AWS_REGION or AWS_DEFAULT_REGION",
        // It was checked where it is written.
        () if choice.region.is_some() => return Ok((target, sandbox, None)),
        () => "it comes from the profile",
    };
    // It becomes part of host names, wherever it is. What is not AWS may have regions of its own.
    if !is_region(&region) {
        let message = format!("`{region}` is not an AWS region");
        let help = format!("{origin}; one reads like us-east-1");
        return Err(Failure::said(codes::USAGE, Exit::Usage, message, help));
    }
    match limits::region(&region, &KeyPath::default()).filter(|_| target.address.is_none()) {
        Some(wrong) if wrong.severity == Severity::Error => {
            let help = format!("{origin}; {}", wrong.help);
            Err(Failure::said(wrong.code, Exit::Usage, wrong.message, help))
        }
        newer => Ok((target, sandbox, newer)),
    }
}

/// The profile of AWS's configuration files. Of one that is not there the SDK only says that it found no
/// credentials at all, and with an endpoint that is none it goes to AWS.
async fn check_profile(global: &Global, env: &Environment) -> Result<(), Failure> {
    let said = |message: String, help: String| Failure::said(codes::CREDENTIALS, Exit::Denied, message, help);
    let named = global.profile.as_deref().or(env.profile.as_deref());
    let found = match (aws::profiles(global.profile.as_deref()).await, named) {
        (Ok(found), _) => found,
        // Keys in the environment need no file.
        (Err(_), None) => return Ok(()),
        (Err(error), Some(_)) => {
            let message = format!("the AWS configuration cannot be read: {error}");
            return Err(said(message, "correct the file".to_owned()));
        }
    };
    let url = found.endpoint_url.filter(|_| env.profiles_endpoint && global.endpoint_url.is_none());
    if let Some(url) = url.filter(|url| endpoint(url).is_err()) {
        let message = format!("the profile's `endpoint_url` is not a URL: {url}");
        let help = "write http://HOST:PORT or https://HOST into AWS's configuration file";
        return Err(Failure::said(codes::USAGE, Exit::Usage, message, help));
    }
    let profiles = found.names;
    let Some(profile) = named.filter(|named| profiles.iter().all(|known| known != named)) else {
        return Ok(());
    };
    let help = match section::nearest(profile, profiles.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if profiles.is_empty() => {
            "no AWS configuration file has one; `aws configure` or `aws configure sso` writes one".to_owned()
        }
        None => format!("there are: {}", profiles.join(", ")),
    };
    Err(said(format!("there is no AWS profile `{profile}`"), help))
}

fn trust(file: &Path) -> Result<TlsContext, Failure> {
    let pem = std::fs::read(file).map_err(|e| e.to_string());
    pem.and_then(|pem| aws::trust(&pem)).map_err(|error| {
        let message = format!("AWS_CA_BUNDLE names {}, which cannot be used: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Usage, message, "name a file with certificates in PEM format")
    })
}

/// Clients for commands that need no config, and how fast their AWS may be asked.
pub async fn clients(
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
) -> Result<(Clients, Pace, Option<Sandbox>), Failure> {
    let (mut target, sandbox, _) = connect(global, env, config).await?;
    if target.sdk.region().is_none() {
        // IAM and STS are the same in every region.
        target.sdk = target.sdk.into_builder().region(aws_config::Region::new("us-east-1")).build();
    }
    Ok((Clients::new(&target), target.pace, sandbox))
}

/// What a command needs of the folders that the config names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    /// All, read whole: what is made from them is named after their digest.
    Read,
    /// All, but data files are not read until they are sent or compared.
    Listed,
    /// What is there is read, for the names; what cannot be read is a warning. The command takes away or
    /// looks, and must do so too when the folders are gone.
    Spared,
    /// None.
    Unneeded,
}

/// A config, where it goes, and what should be there.
pub struct Session {
    pub config: Config,
    pub kinds: Vec<Box<dyn AnyKind>>,
    pub registry: Registry,
    pub desired: Desired,
    pub warnings: Diagnostics,
    pub world: World,
    /// Receives what happens, once somebody takes it.
    pub events: Option<tokio::sync::mpsc::UnboundedReceiver<Event>>,
    /// Who the lease is for.
    pub who: Who,
    /// Where everything goes, in the words of a person.
    pub place: String,
    /// The same as options of the AWS CLI.
    pub aws_options: String,
    /// Kept alive for as long as the session.
    sandbox: Option<Sandbox>,
}

impl Session {
    /// Reads the config and connects. `edit` may set leaves from the command line.
    pub async fn open(
        global: &Global,
        env: &Environment,
        edit: impl FnOnce(&mut Document) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        Self::open_with(global, env, edit, Folders::Read).await
    }

    pub async fn open_with(
        global: &Global,
        env: &Environment,
        edit: impl FnOnce(&mut Document) -> Result<(), Failure>,
        folders: Folders,
    ) -> Result<Self, Failure> {
        let kinds = kinds();
        let mut document = document(global)?;
        edit(&mut document)?;
        let (config, mut problems) = Config::read(&document, &global.env, &sections(&kinds));
        let cache = home(&config.document.file).join(".opsctl/cache");
        let sources = desired::sources(&config, &kinds);
        let inputs = match folders {
            Folders::Listed | Folders::Unneeded => Inputs::walk(config.document.folder(), sources),
            Folders::Read | Folders::Spared => Inputs::read_cached(config.document.folder(), sources, &cache),
        };
        let judged = |mut problems: Diagnostics| {
            if matches!(folders, Folders::Spared | Folders::Unneeded) {
                problems.spare_files();
            }
            problems
        };
        hidden::keep(&home(&config.document.file).join(".opsctl"));
        // Everything that can be known without AWS is told before the first call.
        let offline = Scope::new(&config.project.name, &config.environment, Scope::NO_ACCOUNT, "us-east-1");
        problems.extend(judged(desired::build(&config, &offline, &inputs, &kinds).1).0);
        if problems.has_errors() {
            return Err(Failure::config(config.document, problems));
        }

        let (target, sandbox, newer) = connect(global, env, Some(&config)).await?;
        let Some(region) = target.sdk.region().map(ToString::to_string) else {
            let help = "set `region` under [project], or AWS_REGION, or --region";
            return Err(Failure::said(codes::NO_REGION, Exit::Config, "no region is set", help));
        };
        let aws = Clients::new(&target);
        let identity = aws.sts.get_caller_identity().send().await.op("sts:GetCallerIdentity")?;
        let account = identity.account().unwrap_or_default().to_owned();
        if let Some(wanted) = config.project.account.as_ref().filter(|wanted| **wanted != account) {
            // The sandbox has one account, and it is nobody's.
            if !global.sandbox {
                let message =
                    format!("the credentials belong to account {account}, the project is in {wanted}");
                let help = "use another profile, or change `[project] account`";
                return Err(Failure::said(codes::WRONG_ACCOUNT, Exit::Denied, message, help));
            }
        }
        let place = match (global.sandbox, &target.address) {
            (true, _) => format!("SANDBOX, {region}"),
            (false, Some(address)) => format!("account {account}, {region}, {address}"),
            (false, None) => format!("account {account}, {region}"),
        };
        let options = [("profile", &global.profile), ("endpoint-url", &target.endpoint)];
        let options = options.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let options = options.map(|(name, value)| format!(" --{name} {}", quoted(value)));
        let aws_options = format!(" --region {region}{}", options.collect::<String>());
        let scope = Scope::new(&config.project.name, &config.environment, &account, &region);
        let (desired, problems) = desired::build(&config, &scope, &inputs, &kinds);
        let mut problems = judged(problems);
        problems.extend(newer);
        if problems.has_errors() {
            return Err(Failure::config(config.document, problems));
        }
        let (sender, receiver) = unbounded_channel();
        let world = World {
            aws,
            scope,
            inputs,
            cache,
            wanted: desired.nodes.iter().map(|n| (n.id.kind, n.physical.clone())).collect(),
            events: Events::to(sender),
            cancel: env.cancel.clone(),
            pace: target.pace,
            lag: target.pace.lag(),
            timeout: global.timeout.map(|t| t.0),
        };
        let registry = registry();
        let events = Some(receiver);
        Ok(Self {
            config,
            kinds,
            registry,
            desired,
            warnings: problems,
            world,
            events,
            who: env.who.clone(),
            place,
            aws_options,
            sandbox,
        })
    }

    /// Whether AWS is in this process, and ends with it.
    pub fn is_all_here(&self) -> bool {
        self.sandbox.is_some()
    }

    /// Writes the sandbox's state out and ends it.
    pub async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
    }

    /// The names that a section of the config defines.
    pub fn names(&self, section: &str) -> Vec<&str> {
        let table = self.config.section(section).and_then(|s| s.as_object());
        table.map(|t| t.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The one name that is meant: the given one, or the only one there is.
    pub fn only<'a>(&'a self, section: &str, given: Option<&'a str>) -> Result<&'a str, Failure> {
        let names = self.names(section);
        let help = if names.is_empty() {
            format!("the config has no [{section}.NAME]")
        } else {
            format!("the config has: {}", names.join(", "))
        };
        let fail = |message: String| Failure::said(codes::UNKNOWN_NAME, Exit::Usage, message, help.clone());
        match (given, names.as_slice()) {
            (Some(name), _) if names.contains(&name) => Ok(name),
            (Some(name), _) => Err(match section::nearest(name, names.iter().copied()) {
                Some(near) => fail(format!("there is no {section} `{name}`; did you mean `{near}`?")),
                None => fail(format!("there is no {section} `{name}`")),
            }),
            (None, [one]) => Ok(one),
            (None, []) => Err(fail(format!("there is no {section}"))),
            (None, _) => Err(fail(format!("there are several {section}s: name one"))),
        }
    }
}
