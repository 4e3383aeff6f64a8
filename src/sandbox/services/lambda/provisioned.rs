//! Provisioned concurrency (docs/aws/lambda.md#provisioned-concurrency): environments that are initialized
//! before they are needed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::backend::{self, FunctionVersion};
use super::concurrency;
use super::lists::page;
use super::region::{LATEST, LambdaRegion, PROVISIONED, Target, conflict, invalid, key, unqualified};
use super::settled::check_active;
use crate::call::Call;
use crate::clock::StatePace;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::merge;

/// "Starts after a minute or two."
const ALLOCATION: Duration = Duration::from_secs(90);

pub(super) fn put(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    let (name, qualifier) = (target.name.as_str(), target.qualifier.as_deref().unwrap_or(LATEST));
    let found = lambda.find(&target)?;
    check_version(call, &found.configuration)?;
    check_weights(&call.shared, found.alias.as_ref())?;
    check_active(call, &found.configuration)?;
    let version = found.configuration["Version"].as_str().unwrap_or_default();
    check_once(call, &lambda, name, qualifier, version)?;
    let count = call.number("ProvisionedConcurrentExecutions").unwrap_or(1).unsigned_abs();
    concurrency::check_provisioned(&lambda, name, &key(name, qualifier), count)?;
    let wanted = Wanted { name, qualifier, version, from: None, count };
    let document = begin(&call.request_id, &lambda, &wanted)?;
    Ok(Reply::json(202, &shown(document, false)))
}

/// An alias has weights because somebody gave it some, or because it is moving
/// (docs/aws/lambda.md#provisioned-concurrency).
fn check_weights(shared: &SandboxState, alias: Option<&Value>) -> Result<(), Fault> {
    let weighted = alias.is_some_and(|alias| alias.get("RoutingConfig").is_some());
    if weighted && shared.enforces(AwsRule::ProvisionedWeights) {
        return Err(invalid("Alias with weights cannot be used with Provisioned Concurrency"));
    }
    Ok(())
}

fn check_version(call: &Call, configuration: &Value) -> Result<(), Fault> {
    if configuration["Version"] == LATEST && call.shared.enforces(AwsRule::ProvisionedUnpublished) {
        let message = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
        return Err(invalid(message));
    }
    Ok(())
}

/// One configuration per version, whichever names it has.
fn check_once(
    call: &Call,
    lambda: &LambdaRegion,
    name: &str,
    qualifier: &str,
    version: &str,
) -> Result<(), Fault> {
    let others = LambdaRegion::of_function(&lambda.provisioned(), name);
    let taken = others.iter().any(|(other, document)| other != qualifier && document["Version"] == version);
    if taken && call.shared.enforces(AwsRule::ProvisionedOnce) {
        return Err(conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
        ));
    }
    Ok(())
}

/// Where concurrency is wanted, and how much.
struct Wanted<'a> {
    name: &'a str,
    qualifier: &'a str,
    version: &'a str,
    /// The version that an alias comes from.
    from: Option<&'a str>,
    count: u64,
}

/// Writes the configuration as it is at first, and begins to allocate.
fn begin(seed: &str, lambda: &LambdaRegion, wanted: &Wanted<'_>) -> Result<Value, Fault> {
    let Wanted { name, qualifier, version, from, count } = *wanted;
    let document = json!({
        "FunctionArn": lambda.arn(name, Some(qualifier)),
        "RequestedProvisionedConcurrentExecutions": count,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
        "LastModified": lambda.timestamp(),
        "Version": version,
        "From": from,
        "Token": lambda.revision(seed),
    });
    lambda.provisioned().put(&key(name, qualifier), document.clone())?;
    allocate(lambda, name.to_owned(), qualifier.to_owned(), document.clone());
    Ok(document)
}

/// Has the environments made in the background; the end is written unless another attempt has begun since.
fn allocate(lambda: &LambdaRegion, name: String, qualifier: String, document: Value) {
    let lambda = lambda.clone();
    let shared = Arc::clone(&lambda.shared);
    let ready_at = shared.clock.now() + shared.pace.of(ALLOCATION).as_millis() as u64;
    shared.spawn(async move {
        let count = document["RequestedProvisionedConcurrentExecutions"].as_u64().unwrap_or_default();
        let outcome = want(&lambda, &name, document["Version"].as_str().unwrap_or_default(), count).await;
        lambda.shared.clock.until(ready_at).await;
        let end = match outcome {
            Ok(()) => json!({
                "Status": "READY",
                "AvailableProvisionedConcurrentExecutions": count,
                "AllocatedProvisionedConcurrentExecutions": count,
            }),
            Err(reason) => {
                tracing::debug!(function = name, %reason, "provisioned concurrency failed");
                json!({"Status": "FAILED", "StatusReason": format!("FUNCTION_ERROR_INIT_FAILURE: {reason}")})
            }
        };
        let written = lambda.provisioned().update(&key(&name, &qualifier), |entry| {
            let is_newest = entry.doc["Token"] == document["Token"];
            if is_newest {
                merge(&mut entry.doc, end);
            }
            Ok(is_newest && entry.doc["Status"] == "READY")
        });
        let written = written.and_then(|ready| match document["From"].as_str() {
            Some(from) if ready == Some(true) => moved(&lambda, &key(&name, &qualifier), from),
            _ => Ok(()),
        });
        if let Err(fault) = written {
            tracing::warn!(
                function = name,
                message = fault.message,
                "the state of provisioned concurrency is lost"
            );
        }
    });
}

/// The weights of an alias that is moving: all calls still go where they went.
fn moving(from: &str) -> Value {
    json!({"AdditionalVersionWeights": {from: 1.0}})
}

/// Ends a move. One that failed leaves its weights behind.
fn moved(lambda: &LambdaRegion, alias: &str, from: &str) -> Result<(), Fault> {
    let ended = lambda.aliases().update(alias, |entry| {
        if entry.doc["RoutingConfig"] == moving(from) {
            merge(&mut entry.doc, json!({"RoutingConfig": null}));
        }
        Ok(())
    });
    ended.map(|_| ())
}

/// Asks for a number of environments of a version; one that is gone needs none.
async fn want(lambda: &LambdaRegion, name: &str, version: &str, count: u64) -> Result<(), String> {
    let Ok(configuration) = lambda.version(name, version) else { return Ok(()) };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let version = FunctionVersion::new(lambda, &configuration, count);
    backend::of(&lambda.shared).provision(Arc::clone(&lambda.shared), version, count).await
}

/// Environments that nobody wants any more end in the background.
fn release(lambda: &LambdaRegion, name: &str, version: &str) {
    let (lambda, name, version) = (lambda.clone(), name.to_owned(), version.to_owned());
    let shared = Arc::clone(&lambda.shared);
    shared.spawn(async move {
        if let Err(reason) = want(&lambda, &name, &version, 0).await {
            tracing::debug!(function = name, %reason, "environments were not released");
        }
    });
}

/// After a start, no environment is there. What is under way is made again, and what was ready, too, if this
/// sandbox keeps serving; one inside a command makes it when it is invoked, so that other commands need not
/// wait.
pub(super) fn resume(shared: &Arc<SandboxState>) {
    for (region, key, document) in shared.everywhere(PROVISIONED) {
        let Some((name, qualifier)) = key.split_once(':') else { continue };
        let again = match document["Status"].as_str() {
            Some("FAILED") => false,
            Some("READY") => shared.pace == StatePace::Realistic,
            _ => true,
        };
        if again {
            let lambda = LambdaRegion { shared: Arc::clone(shared), region };
            allocate(&lambda, name.to_owned(), qualifier.to_owned(), document);
        }
    }
}

/// The provisioned concurrency of a version or alias once it is there, for who scales it.
pub fn provisioned(shared: &Arc<SandboxState>, region: &str, name: &str, qualifier: &str) -> Option<u64> {
    let lambda = LambdaRegion { shared: Arc::clone(shared), region: region.to_owned() };
    let document = lambda.provisioned().get(&key(name, qualifier))?;
    let ready = document["Status"] == "READY";
    document["RequestedProvisionedConcurrentExecutions"].as_u64().filter(|_| ready)
}

/// Changes provisioned concurrency that is there already.
///
/// # Errors
/// What the control plane would refuse: none is configured, or the account has no more.
pub fn provision(
    shared: &Arc<SandboxState>,
    region: &str,
    name: &str,
    qualifier: &str,
    count: u64,
) -> Result<(), Fault> {
    let lambda = LambdaRegion { shared: Arc::clone(shared), region: region.to_owned() };
    let key = key(name, qualifier);
    let document = lambda.provisioned().get(&key).ok_or_else(not_configured)?;
    check_weights(shared, lambda.aliases().get(&key).as_ref())?;
    concurrency::check_provisioned(&lambda, name, &key, count)?;
    let version = document["Version"].as_str().unwrap_or_default();
    begin("auto scaling", &lambda, &Wanted { name, qualifier, version, from: None, count }).map(|_| ())
}

fn not_configured() -> Fault {
    let message = "No Provisioned Concurrency Config found for this function";
    Fault::new(404, "ProvisionedConcurrencyConfigNotFoundException", message)
}

pub(super) fn get(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    lambda.find(&target)?;
    let document =
        lambda.provisioned().get(&key(&target.name, target.qualifier.as_deref().unwrap_or(LATEST)));
    Ok(Reply::json(200, &shown(document.ok_or_else(not_configured)?, false)))
}

pub(super) fn list(call: &Call) -> Result<Reply, Fault> {
    let (lambda, name) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&name)?;
    let all = LambdaRegion::of_function(&lambda.provisioned(), &name).into_iter();
    let all = all.map(|(qualifier, document)| (qualifier, shown(document, true))).collect();
    page(call, "ProvisionedConcurrencyConfigs", all, 50)
}

/// Without what is ours; lists alone show the ARN.
fn shown(document: Value, with_arn: bool) -> Value {
    let mut document = document;
    if let Some(members) = document.as_object_mut() {
        members.retain(|name, _| !["Version", "From", "Token"].contains(&name.as_str()));
        if !with_arn {
            members.remove("FunctionArn");
        }
    }
    document
}

/// Deleting what is not configured is no error.
pub(super) fn delete(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    lambda.find(&target)?;
    forget(&lambda, &target.name, target.qualifier.as_deref().unwrap_or(LATEST))?;
    Ok(Reply::empty())
}

/// Removes the configuration of a version or alias, if there is one.
pub(super) fn forget(lambda: &LambdaRegion, name: &str, qualifier: &str) -> Result<(), Fault> {
    if let Some(document) = lambda.provisioned().remove(&key(name, qualifier))? {
        release(lambda, name, document["Version"].as_str().unwrap_or_default());
    }
    Ok(())
}

/// Whether the provisioned concurrency of an alias, if it has any, could move with it.
pub(super) fn may_follow(
    call: &Call,
    lambda: &LambdaRegion,
    name: &str,
    alias: &str,
    moved: &Value,
) -> Result<(), Fault> {
    if !lambda.provisioned().has(&key(name, alias)) {
        return Ok(());
    }
    let version = moved["FunctionVersion"].as_str().unwrap_or_default();
    check_version(call, &lambda.version(name, version)?)?;
    check_once(call, lambda, name, alias, version)
}

/// Provisioned concurrency follows its alias: allocated on the new version, deallocated from the old one.
/// Until the new version has it, the alias has weights that Lambda sets
/// (docs/aws/lambda.md#provisioned-concurrency).
pub(super) fn follow(
    call: &Call,
    lambda: &LambdaRegion,
    name: &str,
    alias: &str,
    moved: &Value,
) -> Result<(), Fault> {
    let Some(before) = lambda.provisioned().get(&key(name, alias)) else { return Ok(()) };
    let version = moved["FunctionVersion"].as_str().unwrap_or_default();
    let count = before["RequestedProvisionedConcurrentExecutions"].as_u64().unwrap_or_default();
    let old = before["Version"].as_str().unwrap_or_default();
    let from = call.shared.enforces(AwsRule::AliasShifts).then_some(old);
    if let Some(from) = from {
        lambda.aliases().update(&key(name, alias), |entry| {
            entry.doc["RoutingConfig"] = moving(from);
            Ok(())
        })?;
    }
    begin(&call.request_id, lambda, &Wanted { name, qualifier: alias, version, from, count })?;
    release(lambda, name, old);
    Ok(())
}

/// What one version has provisioned, under whichever name.
pub(super) fn of_version(lambda: &LambdaRegion, name: &str, version: &str) -> u32 {
    let all = LambdaRegion::of_function(&lambda.provisioned(), name).into_iter();
    all.filter(|(_, document)| document["Version"] == version)
        .filter_map(|(_, document)| document["RequestedProvisionedConcurrentExecutions"].as_u64())
        .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
        .sum()
}
