//! Scheduled actions (docs/aws/autoscaling.md#scheduled-actions): kept, shown, and not run.

use serde_json::json;

use super::target::Target;
use super::{SCHEDULED, TARGETS, invalid, uuid};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::SandboxState;

/// What a call may change of an action that is there.
const MEMBERS: [&str; 5] = ["Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction"];

pub(super) fn put(call: &Call) -> Answer {
    let target = Target::of(call)?;
    if !call.table(TARGETS).has(&target.key()) && call.shared.enforces(AwsRule::PolicyNeedsTarget) {
        return Err(target.missing());
    }
    let name = call.text("ScheduledActionName");
    let key = target.policy_key(name);
    let known = call.table(SCHEDULED).get(&key);
    let mut doc = known.unwrap_or_else(|| {
        let id = uuid(&format!("{key}{}{}", call.region, call.now()));
        let Target { namespace, resource, dimension, .. } = &target;
        let rest = format!("scheduledAction:{id}:resource/{namespace}/{resource}:scheduledActionName/{name}");
        json!({
            "ScheduledActionName": name,
            "ScheduledActionARN": call.shared.arn("autoscaling", &call.region, &rest),
            "ServiceNamespace": namespace,
            "ResourceId": resource,
            "ScalableDimension": dimension,
            "CreationTime": call.timestamp(),
        })
    });
    for member in MEMBERS {
        if let Some(given) = call.input.get(member).filter(|value| !value.is_null()) {
            doc[member] = given.clone();
        }
    }
    let schedule = doc["Schedule"].as_str().unwrap_or_default();
    let known =
        ["at(", "rate(", "cron("].iter().any(|form| schedule.starts_with(form)) && schedule.ends_with(')');
    if !known {
        return Err(invalid("Schedule must be at(…), rate(…) or cron(…)"));
    }
    let [least, most] = ["MinCapacity", "MaxCapacity"].map(|side| doc["ScalableTargetAction"][side].as_i64());
    match (least, most) {
        (None, None) => return Err(invalid("MinCapacity or MaxCapacity is required")),
        (Some(least), Some(most)) if least > most => {
            return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
        }
        _ => {}
    }
    call.table(SCHEDULED).put(&key, doc)?;
    Ok(json!({}))
}

pub(super) fn delete(call: &Call) -> Answer {
    let target = Target::of(call)?;
    let name = call.text("ScheduledActionName");
    if call.table(SCHEDULED).remove(&target.policy_key(name))?.is_some() {
        return Ok(json!({}));
    }
    let Target { namespace, resource, dimension, .. } = target;
    let message = format!(
        "No scheduled action found for service namespace: {namespace}, resource ID: {resource}, scalable \
         dimension: {dimension}, scheduled action name: {name}"
    );
    Err(Fault::new(400, "ObjectNotFoundException", message))
}

/// A target takes its actions with it.
pub(super) fn forget(shared: &SandboxState, region: &str, target: &Target) -> Result<(), Fault> {
    let table = shared.table(SCHEDULED, region);
    for (key, _) in table.list(&target.policy_key("")) {
        table.remove(&key)?;
    }
    Ok(())
}
