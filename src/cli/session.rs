//! What most commands begin with: the config file, the target, and a session that is closed on every path.

use std::path::Path;
use std::sync::Arc;

use aws_smithy_http_client::tls::TlsContext;

use super::args::{Format, Global, endpoint, is_region};
use super::environment::{Environment, Lifetime, find_config, home};
use super::error::Failure;
use super::exit::Exit;
use super::files;
use super::hidden;
use super::hints::Hints;
use super::sandbox;
use crate::aws::{self, Clients, PollPace, Target, TargetOptions};
use crate::config::project::Config;
use crate::config::{Document, section};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, KindName, Severity, codes, places, shown};
use crate::engine::Patience;
use crate::limits;
use crate::run::{Connection, Folders, Project, Session};

/// Reads and parses the config file.
pub fn document(global: &Global) -> Result<Document, Failure> {
    let file = find_config(global.config.as_deref())?;
    let bytes = files::read(&file, files::SMALL).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Failure::new(codes::NOT_A_CONFIG, Exit::Config, message, "check the path")
    })?;
    Document::read(&file, bytes).map_err(|failed| {
        let (document, problem) = *failed;
        Failure::config(document, Diagnostics(vec![problem]))
    })
}

/// Does `work` with the place that the flags, the environment and the config mean. A sandbox in this process
/// ends with it, on every path: its state is written out.
async fn with_target<T>(
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
    lifetime: Lifetime,
    work: impl AsyncFnOnce(Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // The SDK reads the variables whatever it is told, and panics of some.
    let given = global.endpoint_url.as_deref().and_then(|url| endpoint(url).err());
    let given = given.map(|why| ("--endpoint-url".to_owned(), why));
    if let Some((name, why)) = given.as_ref().or(env.bad_endpoint.as_ref()) {
        let message = format!("{name} {why}");
        let without = if name.starts_with('-') { "leave out" } else { "unset" };
        let help = format!("give it a URL (http://HOST:PORT or https://HOST), or {without} {name}");
        return Err(Failure::new(codes::USAGE, Exit::Usage, message, help));
    }
    if let Some((name, why)) = env.bad_proxy.filter(|_| !global.sandbox) {
        let help = format!(
            "write {name}=http://HOST:PORT, with USER:PASSWORD@ before the host if need be, or unset it"
        );
        return Err(Failure::new(codes::USAGE, Exit::Usage, format!("{name} {why}"), help));
    }
    if !global.sandbox {
        check_profile(global, env).await?;
    }
    let (sandbox, address) = match global.sandbox {
        true => {
            let file = config.map(|c| c.document.file.as_path());
            sandbox::attach(file, lifetime, global.quiet, env).await?
        }
        false => (None, None),
    };
    let done = async {
        let (target, warning) = target(global, env, config, address).await?;
        let connection = Connection {
            target,
            sandbox: global.sandbox.then_some(sandbox.is_some()),
            profile: global.profile.clone(),
            who: env.who.clone(),
            cancel: env.cancel.clone(),
            timeout: global.timeout.map(|t| t.0),
            patience: patience(global, env),
            player: global.sandbox.then(sandbox::player).flatten(),
            warning,
            price_cache: env.cache.as_ref().map(|cache| cache.join("prices.json")),
        };
        work(connection).await
    };
    let done = done.await;
    if let Some(sandbox) = sandbox {
        sandbox.stop().await;
    }
    done
}

/// Whether the lease is waited for, and how a person hears of it.
fn patience(global: &Global, env: &Environment) -> Option<Patience> {
    let limit = global.wait.as_ref()?.map(|limit| limit.0);
    let (screen, is_told) = (env.screen.clone(), !global.quiet && global.output == Format::Human);
    let tell = move |holder: &str| {
        if is_told {
            screen.write(&format!("Waiting for the lease, which {} holds.\n", shown::line(holder)));
        }
    };
    Some(Patience { limit, tell: Arc::new(tell) })
}

/// Where that is. The problem is a region that may be newer than opsctl.
async fn target(
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
    sandbox: Option<String>,
) -> Result<(Target, Option<Diagnostic>), Failure> {
    let of_config = config.and_then(|c| c.project.region.clone());
    let region = env.region.clone().filter(|_| counts(global, of_config.as_deref())).or(of_config.clone());
    let choice = TargetOptions {
        profile: global.profile.clone(),
        region: global.region.clone().or(region),
        endpoint_url: global.endpoint_url.clone(),
        sandbox,
        proxies: env.proxies.clone(),
        trust: env.ca_bundle.as_deref().filter(|_| !global.sandbox).map(trust).transpose()?,
    };
    let target = aws::connect(&choice).await;
    if let Some(misread) = &target.misread {
        let help = "the modes are standard and adaptive, and an attempt is made at least once";
        return Err(Failure::new(codes::USAGE, Exit::Usage, misread.clone(), help));
    }
    let Some(region) = target.sdk.region().map(ToString::to_string) else {
        return Ok((target, None));
    };
    let (partition, _) = places::partition(&region);
    if global.sandbox && partition != "aws" {
        let message = format!(
            "{region} is a region of {partition}, and the account of the sandbox is of aws: an account has one"
        );
        let help = "try it with another region (`--region us-east-1`)";
        return Err(Failure::new(codes::UNKNOWN_REGION, Exit::Config, message, help));
    }
    let origin = match origin_of_region(global, env, of_config.as_deref()) {
        Some(origin) => origin,
        // It was checked where it is written, in the config.
        None if choice.region.is_some() => return Ok((target, None)),
        None => "it comes from the profile",
    };
    // It becomes part of host names, wherever it is. What is not AWS may have regions of its own.
    if !is_region(&region) {
        let message = format!("`{region}` is not an AWS region");
        let help = format!("{origin}; regions look like us-east-1");
        return Err(Failure::new(codes::USAGE, Exit::Usage, message, help));
    }
    match limits::region(&region, &KeyPath::default()).filter(|_| target.address.is_none()) {
        Some(wrong) if wrong.severity == Severity::Error => Err(not_a_region(wrong, origin)),
        newer => Ok((target, newer)),
    }
}

/// Where the region comes from that is used in place of the config's.
pub fn origin_of_region(global: &Global, env: &Environment, of_config: Option<&str>) -> Option<&'static str> {
    match &global.region {
        Some(_) => Some("it comes from --region"),
        None if env.region.is_some() && counts(global, of_config) => {
            Some("it comes from AWS_REGION or AWS_DEFAULT_REGION")
        }
        None => None,
    }
}

/// Whether the region of the environment does. What the config says is tried in the sandbox as it is written,
/// the same on every machine: a shell's variables are for an account.
fn counts(global: &Global, of_config: Option<&str>) -> bool {
    !global.sandbox || of_config.is_none()
}

/// The failure of a region that no file has.
pub fn not_a_region(wrong: Diagnostic, origin: &str) -> Failure {
    let help = format!("{origin}; {}", wrong.help);
    Failure::new(wrong.code, Exit::Usage, wrong.message, help)
}

/// The profile of AWS's configuration files. Of one that is not there the SDK only says that it found no
/// credentials at all, and with an endpoint that is none it goes to AWS.
async fn check_profile(global: &Global, env: &Environment) -> Result<(), Failure> {
    let said = |message: String, help: String| Failure::new(codes::CREDENTIALS, Exit::Denied, message, help);
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
    if let Some(why) = url.and_then(|url| endpoint(&url).err()) {
        let message = format!("the profile's `endpoint_url` {why}");
        let help = "write http://HOST:PORT or https://HOST into AWS's configuration file";
        return Err(Failure::new(codes::USAGE, Exit::Usage, message, help));
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
    let pem = files::read(file, files::SMALL).map_err(|e| e.to_string());
    pem.and_then(|pem| aws::trust(&pem)).map_err(|error| {
        let message = format!("AWS_CA_BUNDLE names {}, which cannot be used: {error}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Usage, message, "name a file with certificates in PEM format")
    })
}

/// Does `work` with clients that need no config, and with how fast their AWS may be asked.
pub async fn with_clients<T>(
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
    work: impl AsyncFnOnce(Clients, PollPace) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_target(global, env, config, Lifetime::OfCommand, async |Connection { mut target, .. }| {
        if target.sdk.region().is_none() {
            // IAM and STS are the same in every region.
            target.sdk = target.sdk.into_builder().region(aws_config::Region::new("us-east-1")).build();
        }
        work(Clients::new(&target), target.pace).await
    })
    .await
}

/// Reads the config, connects, does `work` with the session, and closes it on every path.
pub async fn with_session<T>(
    global: &Global,
    env: &Environment,
    folders: Folders,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_session_in(Lifetime::OfCommand, global, env, folders, work).await
}

/// The same, with a sandbox that lives as long as this.
pub async fn with_session_in<T>(
    lifetime: Lifetime,
    global: &Global,
    env: &Environment,
    folders: Folders,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let document = document(global)?;
    let project = Project::read(&document, &global.env, folders);
    // Whoever reads the folders leaves their checksums beside the config.
    hidden::keep(&home(&document.file).join(".opsctl"));
    let project = project?;
    let config = project.config.clone();
    with_target(global, env, Some(&config), lifetime, async |connection| {
        let mut session = Session::open(project, connection).await?;
        if global.sandbox {
            let mut unlike = sandbox::unlike_aws(&session.desired);
            session.config.lint.silence(&mut unlike);
            session.warnings.extend(unlike.0);
        }
        let done = work(&mut session).await;
        if let Some(why) = session.context.aws.fence.left() {
            let text = format!(
                "The lease was not given back ({why}). Others wait until it expires, 90 s at most: \
                 `opsctl lease show` shows it, `opsctl lease break` takes it away.\n"
            );
            env.screen.write(&Hints::of(global).fill(&text));
        }
        done
    })
    .await
}

/// The one name that is meant of what the section of this kind defines: the given one, or the only one there
/// is.
pub fn only<'a>(session: &'a Session, kind: KindName, given: Option<&'a str>) -> Result<&'a str, Failure> {
    let section = session.kind(kind).section().expect("what a person names has a section");
    let (names, words) = (session.names(kind), kind.words());
    // `opsctl status` shows KIND/NAME.
    let given =
        given.map(|name| name.strip_prefix(section).and_then(|n| n.strip_prefix('/')).unwrap_or(name));
    let help = if names.is_empty() {
        format!("the config has no [{section}.NAME]")
    } else {
        format!("the config has: {}", names.join(", "))
    };
    let fail = |message: String| Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help.clone());
    match (given, names.as_slice()) {
        (Some(name), _) if names.contains(&name) => Ok(name),
        (Some(name), _) => Err(match section::nearest(name, names.iter().copied()) {
            Some(near) => fail(format!("there is no {words} `{name}`; did you mean `{near}`?")),
            None => fail(format!("there is no {words} `{name}`")),
        }),
        (None, [one]) => Ok(one),
        (None, []) => Err(fail(format!("there is no {words}"))),
        (None, _) => Err(fail(format!("there are several {words}s: name one"))),
    }
}
