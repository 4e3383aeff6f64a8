//! Aliases, which point to one version, or to two by weight (docs/aws/lambda.md#versions-and-aliases).

use serde_json::{Value, json};

use super::lists::page;
use super::region::{LATEST, LambdaRegion, check_revision, conflict, invalid, key, not_found, unqualified};
use super::{permissions, provisioned, urls};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::rules::AwsRule;

pub(super) fn create_alias(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    let name = call.text("Name");
    let arn = lambda.arn(&function, Some(name));
    let mut alias = json!({
        "AliasArn": arn,
        "Name": name,
        "FunctionVersion": call.text("FunctionVersion"),
        "Description": call.text("Description"),
        "RevisionId": lambda.revision(&call.request_id),
    });
    route(call, &mut alias);
    check(call, &lambda, &function, &alias)?;
    if !lambda.aliases().insert_new(&key(&function, name), alias.clone())? {
        return Err(conflict(format!("Alias already exists: {arn}")));
    }
    Ok(Reply::json(201, &alias))
}

/// An update without `RoutingConfig` leaves the weights as they are, which is how they linger
/// (docs/aws/lambda.md#provisioned-concurrency).
fn route(call: &Call, alias: &mut Value) {
    let weights = &call.input["RoutingConfig"]["AdditionalVersionWeights"];
    match (&call.input["RoutingConfig"], weights.as_object()) {
        (Value::Null, _) => {}
        (_, Some(some)) if !some.is_empty() => {
            alias["RoutingConfig"] = json!({"AdditionalVersionWeights": weights});
        }
        _ => {
            alias.as_object_mut().and_then(|alias| alias.remove("RoutingConfig"));
        }
    }
}

fn check(call: &Call, lambda: &LambdaRegion, function: &str, alias: &Value) -> Result<(), Fault> {
    let version = alias["FunctionVersion"].as_str().unwrap_or_default();
    let main = lambda.version(function, version)?;
    let weights: Vec<(&String, &Value)> =
        alias["RoutingConfig"]["AdditionalVersionWeights"].as_object().into_iter().flatten().collect();
    let [(other, weight)] = weights[..] else {
        return match weights.len() {
            0 => Ok(()),
            count => Err(invalid(format!(
                "Number of items in AdditionalVersionWeights cannot be greater than 1. Number of items: {count}"
            ))),
        };
    };
    let broken = if version == LATEST || other == LATEST {
        Some("$LATEST is not supported for an alias pointing to more than 1 version".to_owned())
    } else if other == version {
        Some(format!(
            "Invalid function version {version}. Function version {version} is already included in routing \
             configuration."
        ))
    } else if !weight.as_f64().is_some_and(|weight| (0.0..=1.0).contains(&weight)) {
        Some(format!("The weight of version {other} must be a number from 0.0 to 1.0"))
    } else if lambda.version(function, other)?["Role"] != main["Role"] {
        Some("The versions of an alias must have the same execution role.".to_owned())
    } else {
        None
    };
    match broken {
        Some(message) if call.shared.enforces(AwsRule::AliasWeights) => Err(invalid(message)),
        _ => Ok(()),
    }
}

pub(super) fn get_alias(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&function)?;
    let name = call.text("Name");
    let alias = lambda.aliases().get(&key(&function, name));
    Ok(Reply::json(200, &alias.ok_or_else(|| missing(&lambda, &function, name))?))
}

fn missing(lambda: &LambdaRegion, function: &str, name: &str) -> Fault {
    not_found(format!("Cannot find alias arn: {}", lambda.arn(function, Some(name))))
}

pub(super) fn list_aliases(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&function)?;
    let version = call.maybe("FunctionVersion");
    let mut aliases = LambdaRegion::of_function(&lambda.aliases(), &function);
    aliases.retain(|(_, alias)| version.is_none_or(|version| versions_of(alias).contains(&version)));
    page(call, "Aliases", aliases, 10_000)
}

pub(super) fn update_alias(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&function)?;
    let name = call.text("Name");
    let before =
        lambda.aliases().get(&key(&function, name)).ok_or_else(|| missing(&lambda, &function, name))?;
    check_revision(call, &before)?;
    let mut after = before.clone();
    for member in ["FunctionVersion", "Description"] {
        if let Some(value) = call.maybe(member) {
            after[member] = Value::from(value);
        }
    }
    route(call, &mut after);
    check(call, &lambda, &function, &after)?;
    after["RevisionId"] = Value::from(lambda.revision(&call.request_id));
    if after["FunctionVersion"] != before["FunctionVersion"] {
        provisioned::may_follow(call, &lambda, &function, name, &after)?;
    }
    lambda.aliases().put(&key(&function, name), after.clone())?;
    if after["FunctionVersion"] != before["FunctionVersion"] {
        provisioned::follow(call, &lambda, &function, name, &after)?;
    }
    Ok(Reply::json(200, &after))
}

/// An alias that is not there is deleted already.
pub(super) fn delete_alias(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&function)?;
    delete(&lambda, &function, call.text("Name"))?;
    Ok(Reply::empty())
}

fn delete(lambda: &LambdaRegion, function: &str, name: &str) -> Result<(), Fault> {
    provisioned::forget(lambda, function, name)?;
    permissions::forget(lambda, function, name)?;
    urls::forget(lambda, function, name)?;
    lambda.aliases().remove(&key(function, name)).map(|_| ())
}

pub(super) fn delete_all(lambda: &LambdaRegion, function: &str) -> Result<(), Fault> {
    let aliases = LambdaRegion::of_function(&lambda.aliases(), function);
    aliases.iter().try_for_each(|(name, _)| delete(lambda, function, name))
}

/// Names of the aliases that point to a version.
pub(super) fn using(lambda: &LambdaRegion, function: &str, version: &str) -> Vec<String> {
    let aliases = LambdaRegion::of_function(&lambda.aliases(), function).into_iter();
    aliases.filter(|(_, alias)| versions_of(alias).contains(&version)).map(|(name, _)| name).collect()
}

/// The main version, and the weighted one.
fn versions_of(alias: &Value) -> Vec<&str> {
    let weighted = alias["RoutingConfig"]["AdditionalVersionWeights"].as_object().into_iter().flatten();
    alias["FunctionVersion"]
        .as_str()
        .into_iter()
        .chain(weighted.map(|(version, _)| version.as_str()))
        .collect()
}
