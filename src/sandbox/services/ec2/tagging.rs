//! Tags of instances and volumes, by EC2's own operations.

use serde_json::{Value, json};

use super::filter::Filters;
use super::{INSTANCES, arn, instances, invalid, listed};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::tags;

/// Checks that a resource is there and visible, and gives its ARN.
fn resource(call: &Call, id: &str) -> Result<String, Fault> {
    let kind = match id.split_once('-') {
        Some(("i", _)) => {
            instances::visible(call, id)?;
            "instance"
        }
        Some(("vol", _)) => {
            let all = call.table(INSTANCES).list("");
            if !all.iter().any(|(_, instance)| instance["VolumeId"] == id) {
                let message = format!("The volume '{id}' does not exist.");
                return Err(Fault::new(400, "InvalidVolume.NotFound", message));
            }
            "volume"
        }
        _ => return Err(Fault::new(400, "InvalidID", format!("The ID '{id}' is not valid"))),
    };
    Ok(arn(&call.shared, &call.region, kind, id))
}

fn resources(call: &Call) -> Result<Vec<String>, Fault> {
    call.list("ResourceId").iter().filter_map(Value::as_str).map(|id| resource(call, id)).collect()
}

pub(super) fn create_tags(call: &Call) -> Answer {
    let arns = resources(call)?;
    let wanted = tags::from_list(call.list("Tag"));
    tags::check(&wanted).map_err(invalid)?;
    super::dry_run(call)?;
    for arn in arns {
        tags::add(&call.shared, &arn, wanted.clone(), "TagLimitExceeded")?;
    }
    Ok(json!({"return": true}))
}

/// Without tags, all are deleted; a tag with a value only where the value is this one
/// (docs/aws/tagging.md#replacing-and-adding).
pub(super) fn delete_tags(call: &Call) -> Answer {
    let arns = resources(call)?;
    super::dry_run(call)?;
    let named = call.list("Tag");
    for arn in arns {
        let held = tags::of(&call.shared, &arn);
        let goes = |(key, value): &(&String, &String)| {
            named.is_empty()
                || named.iter().any(|tag| {
                    tag["Key"] == **key && tag["Value"].as_str().is_none_or(|wanted| wanted == value.as_str())
                })
        };
        let keys: Vec<&str> = held.iter().filter(goes).map(|(key, _)| key.as_str()).collect();
        tags::remove(&call.shared, &arn, keys)?;
    }
    Ok(json!({"return": true}))
}

pub(super) fn describe_tags(call: &Call) -> Answer {
    super::forget_gone(&call.shared, &call.region)?;
    let filters = Filters::of(call, &["resource-id", "resource-type", "key", "value", "tag:"])?;
    let prefix = call.arn("");
    let mut found = Vec::new();
    for (arn, held) in tags::all(&call.shared) {
        let Some((kind, id)) = arn.strip_prefix(&prefix).and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        for (key, value) in &held {
            let admitted = filters.admit(|filter| match filter {
                "resource-id" => vec![id.to_owned()],
                "resource-type" => vec![kind.to_owned()],
                "key" => vec![key.clone()],
                "value" => vec![value.clone()],
                tag => (tag == format!("tag:{key}")).then(|| value.clone()).into_iter().collect(),
            });
            if admitted {
                let shown = json!({"resourceId": id, "resourceType": kind, "key": key, "value": value});
                found.push((format!("{id}/{key}"), shown));
            }
        }
    }
    listed(call, "tagSet", found)
}
