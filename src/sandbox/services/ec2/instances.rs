//! Describing, stopping, starting and terminating instances.

use serde_json::{Value, json};

use super::filter::Filters;
use super::state::{self, Cause, State};
use super::{INSTANCES, arn, backend, invalid_id, listed, page, reservation};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::store::Entry;
use crate::tags;

const FILTERS: &[&str] = &[
    "tag:",
    "tag-key",
    "instance-id",
    "instance-state-name",
    "instance-type",
    "image-id",
    "client-token",
    "iam-instance-profile.arn",
    "reservation-id",
    "availability-zone",
    "subnet-id",
    "vpc-id",
];

pub(super) fn missing(ids: &[&str]) -> Fault {
    let message = match ids {
        [id] => format!("The instance ID '{id}' does not exist"),
        ids => format!("The instance IDs '{}' do not exist", ids.join(", ")),
    };
    Fault::new(400, "InvalidInstanceID.NotFound", message)
}

/// Just after a launch, reads do not find the instance (docs/aws/errors-and-retries.md#new-instances).
fn is_visible(call: &Call, instance: &Value) -> bool {
    !call.shared.enforces(AwsRule::InstanceVisibility)
        || instance["VisibleAt"].as_u64().is_none_or(|at| at <= call.now())
}

/// The instance with this id, if reads find it by now.
pub(super) fn visible(call: &Call, id: &str) -> Result<Value, Fault> {
    if !id.starts_with("i-") || !id[2..].bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid_id("InvalidInstanceID.Malformed", id));
    }
    let instance = call.table(INSTANCES).get(id).filter(|instance| is_visible(call, instance));
    instance.ok_or_else(|| missing(&[id]))
}

fn ids(call: &Call) -> Vec<&str> {
    call.list("InstanceId").iter().filter_map(Value::as_str).collect()
}

/// The instances that the call names; when some are missing, all of these are told at once.
fn named(call: &Call) -> Result<Vec<(String, Value)>, Fault> {
    let (mut found, mut gone) = (Vec::new(), Vec::new());
    for id in ids(call) {
        match visible(call, id) {
            Ok(instance) => found.push((id.to_owned(), instance)),
            Err(fault) if fault.code == "InvalidInstanceID.NotFound" => gone.push(id),
            Err(malformed) => return Err(malformed),
        }
    }
    if gone.is_empty() { Ok(found) } else { Err(missing(&gone)) }
}

/// The instances that the call asks for, by id and by filters, in the order of their launch.
fn asked(call: &Call, known_filters: &[&str]) -> Result<Vec<(String, Value)>, Fault> {
    super::forget_gone(&call.shared, &call.region)?;
    let filters = Filters::of(call, known_filters)?;
    let mut found = if call.list("InstanceId").is_empty() {
        let mut all = call.table(INSTANCES).list("");
        all.retain(|(_, instance)| is_visible(call, instance));
        all
    } else if call.number("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Fault::new(400, "InvalidParameterCombination", message));
    } else {
        named(call)?
    };
    found.retain(|(id, instance)| filters.admit(|filter| values(call, id, instance, filter)));
    let order = |instance: &Value| {
        let shown = &instance["Shown"];
        (
            instance["Launched"].as_u64(),
            instance["ReservationId"].to_string(),
            shown["amiLaunchIndex"].as_u64(),
        )
    };
    found.sort_by_key(|(_, instance)| order(instance));
    Ok(found)
}

fn values(call: &Call, id: &str, instance: &Value, filter: &str) -> Vec<String> {
    let shown = &instance["Shown"];
    let text = |value: &Value| value.as_str().map(str::to_owned).into_iter().collect();
    let tags = || tags::of(&call.shared, &arn(&call.shared, &call.region, "instance", id));
    match filter {
        "instance-id" => vec![id.to_owned()],
        "instance-state-name" => text(&shown["instanceState"]["name"]),
        "instance-type" => text(&shown["instanceType"]),
        "image-id" => text(&shown["imageId"]),
        "client-token" => text(&shown["clientToken"]),
        "iam-instance-profile.arn" => text(&shown["iamInstanceProfile"]["arn"]),
        "reservation-id" => text(&instance["ReservationId"]),
        "availability-zone" => text(&shown["placement"]["availabilityZone"]),
        "subnet-id" => text(&shown["subnetId"]),
        "vpc-id" => text(&shown["vpcId"]),
        "tag-key" => tags().into_keys().collect(),
        tag => tags().remove(tag.trim_start_matches("tag:")).into_iter().collect(),
    }
}

pub(super) fn describe_instances(call: &Call) -> Answer {
    let found = asked(call, FILTERS)?.into_iter().map(|(id, instance)| (id.clone(), (id, instance)));
    let page = page(call, found.collect())?;
    let by_launch = page.items.chunk_by(|(_, one), (_, next)| one["ReservationId"] == next["ReservationId"]);
    let reservations: Vec<Value> =
        by_launch.map(|instances| reservation(&call.shared, &call.region, instances)).collect();
    Ok(json!({"reservationSet": reservations, "nextToken": page.next}))
}

/// Only running instances, unless all are asked for (docs/aws/ec2.md#reading-state).
pub(super) fn describe_instance_status(call: &Call) -> Answer {
    let mut found = asked(call, &["instance-state-name", "availability-zone"])?;
    let all = call.flag("IncludeAllInstances");
    found.retain(|(_, instance)| all || State::of(instance) == State::Running);
    let status = |(id, instance): (String, Value)| {
        let running = State::of(&instance) == State::Running;
        let check = json!({"status": if running { "ok" } else { "not-applicable" }});
        let shown = json!({
            "instanceId": id,
            "availabilityZone": instance["Shown"]["placement"]["availabilityZone"],
            "instanceState": instance["Shown"]["instanceState"],
            "instanceStatus": check,
            "systemStatus": check,
        });
        (id, shown)
    };
    listed(call, "instanceStatusSet", found.into_iter().map(status).collect())
}

/// Changes all instances of a call, or none; answers with the states before and now.
fn change(
    call: &Call,
    allowed: impl Fn(&str, &Value) -> Result<(), Fault>,
    change: impl Fn(&mut Entry),
) -> Answer {
    let named = named(call)?;
    named.iter().try_for_each(|(id, instance)| allowed(id, instance))?;
    super::dry_run(call)?;
    let mut changes = Vec::new();
    for (id, _) in named {
        let states = call.table(INSTANCES).update(&id, |entry| {
            let before = State::of(&entry.doc);
            change(entry);
            if backend::of(&call.shared).runs(&id) {
                state::hold(entry);
            }
            Ok((before, State::of(&entry.doc)))
        })?;
        let (before, now) = states.ok_or_else(|| missing(&[&id]))?;
        if before.takes_capacity() && !now.takes_capacity() {
            backend::of(&call.shared).power_off(&call.shared, &call.region, &id);
        }
        changes.push(json!({"instanceId": id, "previousState": before.shown(), "currentState": now.shown()}));
    }
    Ok(json!({"instancesSet": changes}))
}

/// Idempotent; one wrong id fails the whole call (docs/aws/ec2.md#terminating).
pub(super) fn terminate_instances(call: &Call) -> Answer {
    let allowed = |id: &str, instance: &Value| {
        if instance["Protected"] != true {
            return Ok(());
        }
        let message = format!(
            "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
        );
        Err(Fault::new(400, "OperationNotPermitted", message))
    };
    change(call, allowed, |entry| state::terminate(&call.shared, entry, Cause::User))
}

fn wrong_state(id: &str, action: &str) -> Fault {
    let message = format!("The instance '{id}' is not in a state from which it can be {action}.");
    Fault::new(400, "IncorrectInstanceState", message)
}

/// Not from pending (docs/aws/ec2.md#instance-states); one that is stopped already stays so.
pub(super) fn stop_instances(call: &Call) -> Answer {
    let allowed = |id: &str, instance: &Value| match State::of(instance) {
        State::Running | State::Stopping | State::Stopped => Ok(()),
        _ => Err(wrong_state(id, "stopped")),
    };
    change(call, allowed, |entry| {
        if State::of(&entry.doc) == State::Running {
            state::stop(&call.shared, entry, Cause::User);
        }
    })
}

pub(super) fn start_instances(call: &Call) -> Answer {
    let allowed = |id: &str, instance: &Value| match State::of(instance) {
        State::Stopped | State::Pending | State::Running => Ok(()),
        _ => Err(wrong_state(id, "started")),
    };
    change(call, allowed, |entry| {
        if State::of(&entry.doc) == State::Stopped {
            state::start(&call.shared, entry);
        }
    })
}
