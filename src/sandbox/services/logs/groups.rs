//! Log groups, their retention and tags, and log streams.

use opsctl_iam::arn::Arn;
use serde_json::{Value, json};

use super::events;
use super::{GROUPS, STREAMS, group_named, invalid, missing_group, missing_stream, stream_key};
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::root::remove_own;
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags::{self, Tags};

pub(super) fn create_log_group(call: &Call) -> Answer {
    let name = call.text("logGroupName");
    let tags = tags::from_map(&call.input["tags"]);
    tags::check(&tags).map_err(invalid)?;
    let mut group = new_group(&call.shared, &call.region, name);
    if let Some(key) = call.maybe("kmsKeyId") {
        check_key(call, name, key)?;
        group["kmsKeyId"] = key.into();
    }
    if !call.table(GROUPS).insert_new(name, group)? {
        let message = "The specified log group already exists";
        return Err(Fault::new(400, "ResourceAlreadyExistsException", message));
    }
    tags::add(&call.shared, &group_arn(&call.shared, &call.region, name), tags, "InvalidParameterException")?;
    Ok(json!({}))
}

pub(super) fn delete_log_group(call: &Call) -> Answer {
    let name = call.text("logGroupName");
    call.table(GROUPS).remove(name)?.ok_or_else(missing_group)?;
    for (key, _) in call.table(STREAMS).list(&stream_key(name, "")) {
        call.table(STREAMS).remove(&key)?;
    }
    remove_own(&call.shared.root, &events::group_folder(&call.shared, &call.region, name))?;
    tags::forget(&call.shared, &group_arn(&call.shared, &call.region, name))?;
    Ok(json!({}))
}

pub(super) fn associate_kms_key(call: &Call) -> Answer {
    let (group, key) = (call.text("logGroupName"), call.text("kmsKeyId"));
    check_key(call, group, key)?;
    set(call, json!({"kmsKeyId": key}))
}

pub(super) fn disassociate_kms_key(call: &Call) -> Answer {
    set(call, json!({"kmsKeyId": null}))
}

/// An alias is no key here, nor is one of another region
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html>).
fn check_key(call: &Call, group: &str, key: &str) -> Result<(), Fault> {
    let is_right =
        |arn: Arn<'_>| arn.service == "kms" && arn.region == call.region && arn.resource.starts_with("key/");
    if Arn::parse(key).is_some_and(is_right) { Ok(()) } else { Err(no_key(call, group)) }
}

fn no_key(call: &Call, group: &str) -> Fault {
    let arn = group_arn(&call.shared, &call.region, group);
    invalid(format!(
        "The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'"
    ))
}

pub(super) fn put_retention_policy(call: &Call) -> Answer {
    set_retention(call, call.number("retentionInDays"))
}

pub(super) fn delete_retention_policy(call: &Call) -> Answer {
    set_retention(call, None)
}

/// Without a policy, events never expire (docs/aws/cloudwatch-logs.md#retention).
fn set_retention(call: &Call, days: Option<i64>) -> Answer {
    set(call, json!({"retentionInDays": days}))
}

fn set(call: &Call, members: Value) -> Answer {
    let set = call.table(GROUPS).update(call.text("logGroupName"), |entry| {
        merge(&mut entry.doc, members);
        Ok(json!({}))
    });
    set?.ok_or_else(missing_group)
}

pub(super) fn describe_log_groups(call: &Call) -> Answer {
    let (prefix, pattern) = (call.maybe("logGroupNamePrefix"), call.maybe("logGroupNamePattern"));
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let mut groups = call.table(GROUPS).list(prefix.unwrap_or_default());
    groups.retain(|(name, _)| pattern.is_none_or(|pattern| name.contains(pattern)));
    listed(call, "logGroups", groups)
}

/// A page of at most 50, as AWS has it for groups and streams.
fn listed(call: &Call, member: &str, items: Vec<(String, Value)>) -> Answer {
    let limit = call.number("limit").unwrap_or(50);
    let page = call
        .page(items, "nextToken", usize::try_from(limit).unwrap_or(50))
        .ok_or_else(|| invalid("The specified nextToken is invalid."))?;
    Ok(json!({member: page.items, "nextToken": page.next}))
}

pub(super) fn create_log_stream(call: &Call) -> Answer {
    let (group, stream) = (call.text("logGroupName"), call.text("logStreamName"));
    if !call.table(GROUPS).has(group) {
        return Err(missing_group());
    }
    let document = new_stream(&call.shared, &call.region, group, stream);
    if !call.table(STREAMS).insert_new(&stream_key(group, stream), document)? {
        let message = "The specified log stream already exists";
        return Err(Fault::new(400, "ResourceAlreadyExistsException", message));
    }
    Ok(json!({}))
}

pub(super) fn delete_log_stream(call: &Call) -> Answer {
    let (group, stream) = (call.text("logGroupName"), call.text("logStreamName"));
    if !call.table(GROUPS).has(group) {
        return Err(missing_group());
    }
    call.table(STREAMS).remove(&stream_key(group, stream))?.ok_or_else(missing_stream)?;
    remove_own(&call.shared.root, &events::stream_file(&call.shared, &call.region, group, stream))?;
    Ok(json!({}))
}

pub(super) fn describe_log_streams(call: &Call) -> Answer {
    let group = group_named(call)?;
    let prefix = call.maybe("logStreamNamePrefix");
    let by_time = call.maybe("orderBy") == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut streams = call.table(STREAMS).list(&stream_key(&group, prefix.unwrap_or_default()));
    if by_time {
        streams.sort_by_key(|(_, stream)| stream["lastEventTimestamp"].as_u64());
    }
    if call.flag("descending") {
        streams.reverse();
    }
    listed(call, "logStreams", streams)
}

pub(super) fn tag_resource(call: &Call) -> Answer {
    let arn = tagged_group(call)?;
    tags::add(&call.shared, arn, tags::from_map(&call.input["tags"]), "InvalidParameterException")?;
    Ok(json!({}))
}

pub(super) fn untag_resource(call: &Call) -> Answer {
    let arn = tagged_group(call)?;
    tags::remove(&call.shared, arn, call.list("tagKeys").iter().filter_map(Value::as_str))?;
    Ok(json!({}))
}

pub(super) fn list_tags_for_resource(call: &Call) -> Answer {
    let tags: Tags = tags::of(&call.shared, tagged_group(call)?);
    Ok(json!({"tags": tags}))
}

/// The ARN to tag, of a group that exists. Unlike the `arn` of DescribeLogGroups it does not end in `:*`
/// (docs/aws/cloudwatch-logs.md#arns-of-groups).
fn tagged_group(call: &Call) -> Result<&str, Fault> {
    let arn = call.text("resourceArn");
    let known = arn.split_once(":log-group:").is_some_and(|(_, name)| call.table(GROUPS).has(name));
    if known { Ok(arn) } else { Err(missing_group()) }
}

/// The ARN of a group, without the `:*` of its streams.
pub(super) fn group_arn(shared: &SandboxState, region: &str, name: &str) -> String {
    shared.arn("logs", region, &format!("log-group:{name}"))
}

pub(super) fn new_group(shared: &SandboxState, region: &str, name: &str) -> Value {
    let arn = group_arn(shared, region, name);
    json!({
        "logGroupName": name,
        "creationTime": shared.clock.now(),
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    })
}

pub(super) fn new_stream(shared: &SandboxState, region: &str, group: &str, stream: &str) -> Value {
    json!({
        "logStreamName": stream,
        "creationTime": shared.clock.now(),
        "arn": format!("{}:log-stream:{stream}", group_arn(shared, region, group)),
        "uploadSequenceToken": "0",
        "storedBytes": 0,
    })
}

/// Notes in a stream's document that events with these timestamps came.
pub(super) fn note_events(stream: &mut Value, first: Millis, last: Millis, now: Millis) {
    let earliest = stream["firstEventTimestamp"].as_u64().map_or(first, |known| known.min(first));
    let latest = stream["lastEventTimestamp"].as_u64().map_or(last, |known| known.max(last));
    stream["firstEventTimestamp"] = json!(earliest);
    stream["lastEventTimestamp"] = json!(latest);
    stream["lastIngestionTime"] = json!(now);
}
