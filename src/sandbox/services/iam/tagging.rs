//! Tags of roles, policies and instance profiles: the same for all, given how the ARN is found.

use serde_json::{Value, json};

use super::{listed, wanted_tags};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::tags;

/// Finds the ARN of what a call is about; refuses when it is not there or may not be changed.
type Find = fn(&Call) -> Result<String, Fault>;

pub(super) fn tag(call: &Call, find: Find) -> Answer {
    let arn = find(call)?;
    tags::add(&call.shared, &arn, wanted_tags(call)?, "LimitExceeded")?;
    Ok(json!({}))
}

pub(super) fn untag(call: &Call, find: Find) -> Answer {
    let arn = find(call)?;
    tags::remove(&call.shared, &arn, call.list("TagKeys").iter().filter_map(Value::as_str))?;
    Ok(json!({}))
}

pub(super) fn list(call: &Call, find: Find) -> Answer {
    let tags = tags::of(&call.shared, &find(call)?);
    let tags = tags.into_iter().map(|(key, value)| (key.clone(), json!({"Key": key, "Value": value})));
    listed(call, "Tags", tags.collect())
}
