//! Published versions (docs/aws/lambda.md#versions-and-aliases).

use serde_json::{Value, json};

use super::lists::listed;
use super::region::{LATEST, LambdaRegion, check_revision, fingerprint, invalid, key, unqualified};
use super::settled::check_settled;
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::store::Entry;

/// How long a new version is Pending on AWS, in seconds.
const PUBLICATION: u64 = 2;

pub(super) fn publish_version(call: &Call) -> Result<Reply, Fault> {
    let (lambda, name) = (LambdaRegion::of(call), unqualified(call)?);
    let latest = lambda.version(&name, LATEST)?;
    check_settled(call, &latest)?;
    check_revision(call, &latest)?;
    let current = latest["CodeSha256"].as_str().unwrap_or_default();
    if let Some(given) = call.maybe("CodeSha256").filter(|given| !given.is_empty() && *given != current) {
        return Err(invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try \
             again with the CodeSHA256 in $LATEST."
        )));
    }
    Ok(Reply::json(201, &publish(call, &lambda, &name)?))
}

/// Publishes `$LATEST`, unless the last version is the same: then that one is the answer.
pub(super) fn publish(call: &Call, lambda: &LambdaRegion, name: &str) -> Result<Value, Fault> {
    let unchanged = |number: &str, document: &Value| {
        document["Published"]["Version"] == number
            && document["Published"]["Fingerprint"] == fingerprint(&document["Configuration"])
    };
    let document = lambda.function(name)?;
    let last = document["Published"]["Version"].as_str().unwrap_or_default();
    if unchanged(last, &document) && lambda.versions().has(&key(name, last)) {
        return qualified(lambda, name, last);
    }
    // The number is taken first: one that a kill leaves unused is never seen.
    let taken = lambda.functions().update(name, |entry| {
        let number = entry.doc["Last"].as_u64().unwrap_or(0) + 1;
        entry.doc["Last"] = Value::from(number);
        Ok((number.to_string(), entry.doc["Configuration"].clone()))
    })?;
    let (number, mut configuration) = taken.ok_or_else(|| lambda.missing(name, None))?;
    let published = json!({"Version": number, "Fingerprint": fingerprint(&configuration)});

    configuration["Version"] = Value::from(number.as_str());
    configuration["FunctionArn"] = Value::from(lambda.arn(name, Some(&number)));
    configuration["RevisionId"] = Value::from(lambda.revision(&format!("{}{number}", call.request_id)));
    configuration["State"] = Value::from("Pending");
    configuration["StateReason"] = Value::from("The function is being created.");
    configuration["StateReasonCode"] = Value::from("Creating");
    configuration["LastUpdateStatus"] = Value::from("Successful");
    if let Some(members) = configuration.as_object_mut() {
        members.retain(|name, _| !name.starts_with("LastUpdateStatusReason"));
    }
    if call.operation == "PublishVersion"
        && let Some(description) = call.maybe("Description")
    {
        configuration["Description"] = Value::from(description);
    }
    let active = json!({"State": "Active", "StateReason": null, "StateReasonCode": null});
    let plan = lambda.then(PUBLICATION, &call.request_id, active);
    lambda
        .versions()
        .put(&key(name, &number), Entry::planned(json!({"Configuration": configuration}), plan))?;
    lambda.functions().update(name, |entry| {
        entry.doc["Published"] = published;
        Ok(())
    })?;
    Ok(configuration)
}

fn qualified(lambda: &LambdaRegion, name: &str, number: &str) -> Result<Value, Fault> {
    let mut configuration = lambda.version(name, number)?;
    configuration["FunctionArn"] = Value::from(lambda.arn(name, Some(number)));
    Ok(configuration)
}

/// `$LATEST` and all published versions, the oldest first: number and configuration.
pub(super) fn all(lambda: &LambdaRegion, name: &str) -> Result<Vec<(String, Value)>, Fault> {
    let mut numbers: Vec<String> =
        LambdaRegion::of_function(&lambda.versions(), name).into_iter().map(|(number, _)| number).collect();
    numbers.sort_by_key(|number| number.parse::<u64>().unwrap_or(u64::MAX));
    numbers.insert(0, LATEST.to_owned());
    let named = |number: String| Ok((key(name, &number), qualified(lambda, name, &number)?));
    numbers.into_iter().map(named).collect()
}

pub(super) fn list_versions_by_function(call: &Call) -> Result<Reply, Fault> {
    let (lambda, name) = (LambdaRegion::of(call), unqualified(call)?);
    listed(call, "Versions", all(&lambda, &name)?)
}
