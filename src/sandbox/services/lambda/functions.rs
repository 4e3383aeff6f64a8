//! Functions: create, read, update, delete. The states are those of docs/aws/lambda.md#states.

use serde_json::{Value, json};

use super::backend::{self, FunctionVersion};
use super::lists::listed;
use super::region::{
    LATEST, LambdaRegion, Target, check_revision, conflict, fingerprint, invalid, is_version, key,
    unqualified,
};
use super::settled::check_settled;
use super::{aliases, code, provisioned, settings, urls, versions};
use crate::authority::{Denied, Request, authorize};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::{Reply, values};
use crate::rules::AwsRule;
use crate::store::Entry;
use crate::tags;

/// How long AWS takes, in seconds.
const CREATION: u64 = 4;
const UPDATE: u64 = 3;

pub(super) async fn create_function(call: Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(&call), Target::of(&call)?);
    let name = target.name.as_str();
    if lambda.functions().has(name) {
        return Err(exists(name));
    }
    let tags = tags::from_map(&call.input["Tags"]);
    tags::check(&tags).map_err(invalid)?;
    let package = code::receive(&call, &call.input["Code"]).await?;
    let configuration = settings::new(&call, &lambda, name, &package)?;

    let document = json!({"Configuration": configuration, "Last": 0});
    let entry = Entry::planned(document, lambda.then(CREATION, &call.request_id, settled()));
    if !lambda.functions().insert_new(name, entry)? {
        return Err(exists(name));
    }
    let arn = lambda.arn(name, None);
    tags::forget(&call.shared, &arn)?;
    tags::add(&call.shared, &arn, tags, "InvalidParameterValueException")?;
    if call.flag("Publish") {
        return Ok(Reply::json(201, &versions::publish(&call, &lambda, name)?));
    }
    Ok(Reply::json(201, &configuration))
}

/// How creations and updates end.
fn settled() -> Value {
    json!({
        "State": "Active", "StateReason": null, "StateReasonCode": null,
        "LastUpdateStatus": "Successful", "LastUpdateStatusReason": null, "LastUpdateStatusReasonCode": null,
    })
}

fn exists(name: &str) -> Fault {
    conflict(format!("Function already exist: {name}"))
}

pub(super) fn get_function(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    let configuration = lambda.find(&target)?.configuration;
    let sha256 = configuration["CodeSha256"].as_str().unwrap_or_default();
    let mut output = json!({
        "Code": {"RepositoryType": "S3", "Location": code::location(&call.shared, sha256)},
        "Configuration": configuration,
    });
    let arn = lambda.arn(&target.name, None);
    let tags = tags::of(&call.shared, &arn);
    match may_list_tags(call, &arn) {
        Err(Denied(message)) => {
            output["TagsError"] = json!({"ErrorCode": "AccessDeniedException", "Message": message});
        }
        Ok(()) if tags.is_empty() => {}
        Ok(()) => output["Tags"] = json!(tags),
    }
    if let Some(reserved) = lambda.function(&target.name)?["Reserved"].as_u64() {
        output["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Ok(Reply::json(200, &output))
}

/// Lambda answers without tags, and says why beside them, to whoever may not list them
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_TagsError.html>).
fn may_list_tags(call: &Call, arn: &str) -> Result<(), Denied> {
    let request = Request {
        principal: &call.principal,
        service: "lambda",
        operation: "ListTags",
        region: &call.region,
        input: &json!({"Resource": arn}),
    };
    authorize(&call.shared, &request)
}

pub(super) fn get_function_configuration(call: &Call) -> Result<Reply, Fault> {
    let found = LambdaRegion::of(call).find(&Target::of(call)?)?;
    Ok(Reply::json(200, &found.configuration))
}

pub(super) fn list_functions(call: &Call) -> Result<Reply, Fault> {
    let lambda = LambdaRegion::of(call);
    let mut all = Vec::new();
    for (name, mut document) in lambda.functions().list("") {
        if call.maybe("FunctionVersion") == Some("ALL") {
            all.extend(versions::all(&lambda, &name)?);
        } else {
            all.push((name, document["Configuration"].take()));
        }
    }
    listed(call, "Functions", all)
}

pub(super) async fn update_function_code(call: Call) -> Result<Reply, Fault> {
    let (lambda, name) = (LambdaRegion::of(&call), unqualified(&call)?);
    check_settled(&call, &lambda.version(&name, LATEST)?)?;
    let package = code::receive(&call, &call.input).await?;
    let architectures = call.input.get("Architectures").filter(|value| !value.is_null());
    let updated = update(&call, &lambda, &name, |configuration| {
        settings::set_code(configuration, &package);
        if let Some(architectures) = architectures {
            configuration["Architectures"] = architectures.clone();
        }
    })?;
    if call.flag("Publish") && !call.flag("DryRun") {
        return Ok(Reply::json(200, &versions::publish(&call, &lambda, &name)?));
    }
    Ok(Reply::json(200, &updated))
}

pub(super) fn update_function_configuration(call: &Call) -> Result<Reply, Fault> {
    let (lambda, name) = (LambdaRegion::of(call), unqualified(call)?);
    check_settled(call, &lambda.version(&name, LATEST)?)?;
    let given = settings::given(call)?;
    let updated = update(call, &lambda, &name, |configuration| {
        settings::apply(configuration, given);
        settings::set_layers(configuration, call);
        settings::set_network(configuration, call);
    })?;
    Ok(Reply::json(200, &updated))
}

/// Changes `$LATEST` and begins an update, unless the call is a dry run.
fn update(
    call: &Call,
    lambda: &LambdaRegion,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> Result<Value, Fault> {
    let changed = lambda.functions().update(name, |entry| {
        let before = &entry.doc["Configuration"];
        check_settled(call, before)?;
        check_revision(call, before)?;
        let (before, mut after) = (before.clone(), before.clone());
        change(&mut after);
        if call.flag("DryRun") {
            return Ok((before, after));
        }
        settings::stamp(&mut after, call, lambda);
        after["LastUpdateStatus"] = Value::from("InProgress");
        after["LastUpdateStatusReason"] = Value::from("The function is being created.");
        after["LastUpdateStatusReasonCode"] = Value::from("Creating");
        entry.doc["Configuration"] = after.clone();
        entry.timeline = lambda.then(UPDATE, &call.request_id, settled());
        Ok((before, after))
    })?;
    let (before, after) = changed.ok_or_else(|| lambda.missing(name, None))?;
    if !call.flag("DryRun") && fingerprint(&before) != fingerprint(&after) {
        discard(lambda, &before);
    }
    Ok(after)
}

fn discard(lambda: &LambdaRegion, configuration: &Value) {
    backend::of(&lambda.shared).discard(&lambda.shared, &FunctionVersion::new(lambda, configuration, 0));
}

pub(super) fn delete_function(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    let name = target.name.as_str();
    let latest = lambda.version(name, LATEST)?;
    match target.qualifier.as_deref() {
        None => {
            // The function's own document goes last, so that a kill leaves something that can be deleted
            // again.
            aliases::delete_all(&lambda, name)?;
            urls::forget(&lambda, name, LATEST)?;
            for (number, _) in LambdaRegion::of_function(&lambda.versions(), name) {
                delete_version(&lambda, name, &number)?;
            }
            lambda.functions().remove(name)?;
            tags::forget(&call.shared, &lambda.arn(name, None))?;
            discard(&lambda, &latest);
        }
        Some(LATEST) => {
            return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(number) if is_version(number) => {
            let used = aliases::using(&lambda, name, number);
            if !used.is_empty() && call.shared.enforces(AwsRule::VersionReferenced) {
                let arn = lambda.arn(name, Some(number));
                return Err(conflict(format!("{arn} is referenced by aliases: {}", used.join(", "))));
            }
            delete_version(&lambda, name, number)?;
        }
        Some(_) => return Err(invalid("Deletion of aliases is not currently supported.")),
    }
    Ok(Reply::empty())
}

/// A version that is not there is deleted already.
fn delete_version(lambda: &LambdaRegion, name: &str, number: &str) -> Result<(), Fault> {
    provisioned::forget(lambda, name, number)?;
    if let Some(version) = lambda.versions().remove(&key(name, number))? {
        discard(lambda, &version["Configuration"]);
    }
    Ok(())
}

pub(super) fn tag_resource(call: &Call) -> Result<Reply, Fault> {
    let arn = tagged(call)?;
    tags::add(&call.shared, &arn, tags::from_map(&call.input["Tags"]), "InvalidParameterValueException")?;
    Ok(Reply::empty())
}

pub(super) fn untag_resource(call: &Call) -> Result<Reply, Fault> {
    let arn = tagged(call)?;
    tags::remove(&call.shared, &arn, values(call, "tagKeys"))?;
    Ok(Reply::empty())
}

pub(super) fn list_tags(call: &Call) -> Result<Reply, Fault> {
    let arn = tagged(call)?;
    Ok(Reply::json(200, &json!({"Tags": tags::of(&call.shared, &arn)})))
}

fn tagged(call: &Call) -> Result<String, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::named(call, call.text("Resource"))?);
    if target.qualifier.is_some() {
        let message =
            "Tags on function aliases and versions are not supported. Please specify a function ARN.";
        return Err(invalid(message));
    }
    let latest = lambda.version(&target.name, LATEST)?;
    if call.operation != "ListTags" {
        check_settled(call, &latest)?;
    }
    Ok(lambda.arn(&target.name, None))
}
