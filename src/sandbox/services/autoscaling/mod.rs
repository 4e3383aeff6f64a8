//! Application Auto Scaling: targets, policies and activities (docs/aws/autoscaling.md). [`watch()`] follows
//! the metrics and calls [`Target::scale`].

mod policy;
mod scheduled;
mod target;
mod tracking;
mod watch;

use serde_json::{Value, json};

pub use target::Target;
pub use watch::watch;

use target::{INSTANCES, Kind, SERVERLESS};

use crate::call::{Answer, Call};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::rules::AwsRule;
use crate::services::{iam, sagemaker};
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags;

const INVALID: &str = "ValidationException";
const TARGETS: &str = "application-autoscaling.target";
const POLICIES: &str = "application-autoscaling.policy";
const SCHEDULED: &str = "application-autoscaling.scheduled-action";
const ACTIVITIES: &str = "application-autoscaling.activity";

const POLICY_NAME: Constraint = Constraint::ANY.at("PolicyName").required().length(1, 256);
const PAGE: Constraint = Constraint::ANY.at("MaxResults").range(1, 50);
const ARN: Constraint = Constraint::ANY
    .at("ResourceARN")
    .required()
    .length(1, 1_011)
    .pattern("arn:.+:application-autoscaling:.+:[0-9]+:scalable-target/[a-zA-Z0-9-]+");

/// The operations.
pub const API: Api = Api {
    name: "application-autoscaling",
    signing_name: "application-autoscaling",
    target: "AnyScaleFrontendService",
    invalid: INVALID,
    faults: FaultCodes {
        throttle: (400, "ThrottlingException"),
        internal: (500, "InternalServiceException"),
    },
    operations: &[
        op(
            "RegisterScalableTarget",
            &[
                Constraint::ANY.at("MinCapacity").range(0, i64::MAX),
                Constraint::ANY.at("MaxCapacity").range(0, i64::MAX),
            ],
            register,
        ),
        op("DeregisterScalableTarget", &[], deregister),
        op("DescribeScalableTargets", &[PAGE], |call| {
            describe(call, TARGETS, "ScalableTargets", &[("ResourceIds", "ResourceId")])
        }),
        op("PutScalingPolicy", &[], policy::put),
        op("DeleteScalingPolicy", &[POLICY_NAME], policy::delete),
        op("DescribeScalingPolicies", &[PAGE], |call| {
            describe(call, POLICIES, "ScalingPolicies", &[("PolicyNames", "PolicyName")])
        }),
        op("PutScheduledAction", &[], scheduled::put),
        op("DeleteScheduledAction", &[], scheduled::delete),
        op("DescribeScheduledActions", &[PAGE], |call| {
            describe(call, SCHEDULED, "ScheduledActions", &[("ScheduledActionNames", "ScheduledActionName")])
        }),
        op("DescribeScalingActivities", &[PAGE], |call| describe(call, ACTIVITIES, "ScalingActivities", &[])),
        op("TagResource", &[ARN], tag),
        op("UntagResource", &[ARN], untag),
        op("ListTagsForResource", &[ARN], list_tags),
    ],
};

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, INVALID, message)
}

/// The targets of endpoints, for SageMaker.
pub struct EndpointTargets;

impl sagemaker::Scaling for EndpointTargets {
    fn scales(&self, shared: &SandboxState, region: &str, endpoint: &str, variant: &str) -> bool {
        let resource = format!("endpoint/{endpoint}/variant/{variant}");
        [INSTANCES, SERVERLESS]
            .into_iter()
            .filter_map(|dimension| Target::new("sagemaker", &resource, dimension))
            .any(|target| shared.table(TARGETS, region).has(&target.key()))
    }

    fn endpoint_deleted(&self, shared: &SandboxState, region: &str, endpoint: &str) -> Result<(), Fault> {
        for (target, _) in targets(shared, region) {
            if matches!(&target.kind, Kind::Variant { endpoint: known, .. } if known == endpoint) {
                remove(shared, region, &target)?;
            }
        }
        Ok(())
    }
}

/// The targets of a region, with their documents: what a scaling loop looks at.
pub fn targets(shared: &SandboxState, region: &str) -> Vec<(Target, Value)> {
    let all = shared.table(TARGETS, region).list("");
    all.into_iter().filter_map(|(_, doc)| Some((target_of(&doc)?, doc))).collect()
}

/// The policies of a target: `TargetTrackingScalingPolicyConfiguration`, `Alarms`, `PolicyName`.
pub fn policies(shared: &SandboxState, region: &str, target: &Target) -> Vec<Value> {
    shared.table(POLICIES, region).list(&target.policy_key("")).into_iter().map(|(_, doc)| doc).collect()
}

fn target_of(doc: &Value) -> Option<Target> {
    let [namespace, resource, dimension] =
        ["ServiceNamespace", "ResourceId", "ScalableDimension"].map(|name| doc[name].as_str());
    Target::new(namespace?, resource?, dimension?)
}

/// Removes a target with its policies, and so with their alarms. `false`: there is none.
fn remove(shared: &SandboxState, region: &str, target: &Target) -> Result<bool, Fault> {
    let Some(doc) = shared.table(TARGETS, region).remove(&target.key())? else { return Ok(false) };
    tags::forget(shared, doc["ScalableTargetARN"].as_str().unwrap_or_default())?;
    for (key, _) in shared.table(POLICIES, region).list(&target.policy_key("")) {
        policy::remove(shared, region, &key)?;
    }
    scheduled::forget(shared, region, target)?;
    Ok(true)
}

fn register(call: &Call) -> Answer {
    let target = Target::of(call)?;
    target.check(&call.shared, &call.region)?;
    let table = call.table(TARGETS);
    let known = table.get(&target.key());
    // Later calls change only what they name.
    let bound = |name: &str| call.number(name).or_else(|| known.as_ref()?[name].as_i64());
    let (Some(least), Some(most)) = (bound("MinCapacity"), bound("MaxCapacity")) else {
        return Err(invalid("MinCapacity and MaxCapacity are required to register a new scalable target"));
    };
    if least > most {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    if least < 1 && target.dimension == INSTANCES && call.shared.enforces(AwsRule::ScalableTargetMinimum) {
        return Err(invalid("Minimum capacity must be at least 1 for the variant of a real-time endpoint"));
    }
    let given = tags::from_map(&call.input["Tags"]);
    tags::check(&given).map_err(invalid)?;

    let role = iam::ensure_service_linked_role(call, &target.service())?;
    let id = uuid(&format!("{}{}{}", target.key(), call.region, call.now())).replace('-', "");
    let mut doc = known.clone().unwrap_or_else(|| {
        json!({
            "ServiceNamespace": target.namespace,
            "ResourceId": target.resource,
            "ScalableDimension": target.dimension,
            "RoleARN": role,
            "CreationTime": call.timestamp(),
            "ScalableTargetARN": call.arn(&format!("scalable-target/{id}")),
            "SuspendedState": {
                "DynamicScalingInSuspended": false,
                "DynamicScalingOutSuspended": false,
                "ScheduledScalingSuspended": false,
            },
        })
    });
    doc["MinCapacity"] = least.into();
    doc["MaxCapacity"] = most.into();
    if let Some(suspended) = call.input.get("SuspendedState") {
        merge(&mut doc["SuspendedState"], suspended.clone());
    }
    let arn = doc["ScalableTargetARN"].as_str().unwrap_or_default().to_owned();
    table.put(&target.key(), doc)?;
    tags::add(&call.shared, &arn, given, INVALID)?;
    clamp(call, &target, least.unsigned_abs(), most.unsigned_abs())?;
    Ok(json!({"ScalableTargetARN": arn}))
}

/// The live capacity is moved into the range (docs/aws/autoscaling.md#registering-a-target).
fn clamp(call: &Call, target: &Target, least: u64, most: u64) -> Result<(), Fault> {
    let Some(capacity) = target.capacity(&call.shared, &call.region) else { return Ok(()) };
    let within = capacity.clamp(least, most);
    if within == capacity || !call.shared.enforces(AwsRule::CapacityWithinRange) {
        return Ok(());
    }
    let (side, limit) = if within > capacity { ("minimum", least) } else { ("maximum", most) };
    let cause = format!("{side} capacity was set to {limit}");
    match target.scale(&call.shared, &call.region, within, &cause) {
        // The registration stands; the activity says why the capacity did not follow.
        Err(fault) if fault.status < 500 => Ok(()),
        done => done,
    }
}

fn deregister(call: &Call) -> Answer {
    let target = Target::of(call)?;
    if remove(&call.shared, &call.region, &target)? { Ok(json!({})) } else { Err(target.missing()) }
}

/// `Describe…`: the documents of the namespace that the filters let through. `lists` are filters by a list.
fn describe(call: &Call, table: &'static str, list: &str, lists: &[(&str, &str)]) -> Answer {
    if call.maybe("ScalableDimension").is_some()
        && call.maybe("ResourceId").is_none()
        && call.list("ResourceIds").is_empty()
    {
        return Err(invalid("If you specify a scalable dimension, you must also specify a resource ID"));
    }
    if table == ACTIVITIES {
        for (target, _) in targets(&call.shared, &call.region) {
            target.settle(&call.shared, &call.region)?;
        }
    }
    let mut found = call.table(table).list(&format!("{}/", call.text("ServiceNamespace")));
    found.retain(|(_, doc)| {
        ["ResourceId", "ScalableDimension"]
            .iter()
            .all(|member| call.maybe(member).is_none_or(|wanted| doc[*member] == wanted))
            && lists.iter().all(|(filter, member)| {
                call.list(filter).is_empty() || call.list(filter).contains(&doc[*member])
            })
    });
    if table == ACTIVITIES {
        // The newest first.
        found.sort_by(|(_, one), (_, other)| {
            let at = |doc: &Value| doc["StartTime"].as_f64().unwrap_or(0.0);
            at(other).total_cmp(&at(one))
        });
    }
    // What begins with `_` is the sandbox's own.
    for (_, doc) in &mut found {
        if let Some(members) = doc.as_object_mut() {
            members.retain(|name, _| !name.starts_with('_'));
        }
    }
    // Of policies a page is 10 at most, whatever is asked for.
    let most = if table == POLICIES { 10 } else { 50 };
    let size = call.number("MaxResults").map_or(most, |size| (size as usize).min(most));
    let page = call.page(found, "NextToken", size).ok_or_else(|| {
        Fault::new(400, "InvalidNextTokenException", "The specified NextToken is not valid")
    })?;
    let mut answer = json!({(list): page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

/// The ARN of a tag operation, of a target that exists.
fn tagged(call: &Call) -> Result<&str, Fault> {
    let arn = call.text("ResourceARN");
    if call.table(TARGETS).list("").iter().any(|(_, doc)| doc["ScalableTargetARN"] == arn) {
        return Ok(arn);
    }
    let message = format!("The specified resource doesn't exist: {arn}");
    Err(Fault::new(400, "ResourceNotFoundException", message).with("ResourceName", arn))
}

fn tag(call: &Call) -> Answer {
    tags::add(&call.shared, tagged(call)?, tags::from_map(&call.input["Tags"]), INVALID)?;
    Ok(json!({}))
}

fn untag(call: &Call) -> Answer {
    tags::remove(&call.shared, tagged(call)?, call.list("TagKeys").iter().filter_map(Value::as_str))?;
    Ok(json!({}))
}

fn list_tags(call: &Call) -> Answer {
    Ok(json!({"Tags": tags::of(&call.shared, tagged(call)?)}))
}

/// An id in the form of a UUID, the same for the same seed.
fn uuid(seed: &str) -> String {
    let hex = blake3::hash(seed.as_bytes()).to_hex();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}
