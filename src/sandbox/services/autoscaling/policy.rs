//! Scaling policies, and the two alarms that AWS makes for each that tracks a target
//! (docs/aws/autoscaling.md#target-tracking).

use serde_json::{Value, json};

use super::target::Target;
use super::{POLICIES, TARGETS, invalid, uuid};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::cloudwatch;
use crate::state::SandboxState;
use crate::store::merge;

pub(super) const TRACKING: &str = "TargetTrackingScalingPolicyConfiguration";
const STEPS: &str = "StepScalingPolicyConfiguration";

pub(super) fn put(call: &Call) -> Answer {
    let target = Target::of(call)?;
    if !call.table(TARGETS).has(&target.key()) && call.shared.enforces(AwsRule::PolicyNeedsTarget) {
        return Err(target.missing());
    }
    let name = call.text("PolicyName");
    let key = target.policy_key(name);
    let known = call.table(POLICIES).get(&key);
    let mut doc = known.clone().unwrap_or_else(|| new_policy(call, &target, name));
    if let Some(policy_type) = call.maybe("PolicyType") {
        if known.is_some() && doc["PolicyType"] != policy_type {
            return Err(invalid("The type of a scaling policy cannot be changed"));
        }
        doc["PolicyType"] = policy_type.into();
    }
    let configuration = match doc["PolicyType"].as_str() {
        Some("TargetTrackingScaling") => TRACKING,
        Some("StepScaling") => STEPS,
        _ => return Err(invalid(format!("The policy type is not supported for {}", target.namespace))),
    };
    match call.input.get(configuration) {
        Some(given) => doc[configuration] = given.clone(),
        None if known.is_none() => return Err(invalid(format!("{configuration} is required"))),
        None => {}
    }
    if configuration == TRACKING {
        check_tracking(&target, &doc[TRACKING])?;
        // The caller makes the alarms of a step policy.
        put_alarms(call, &target, &mut doc)?;
    }
    let answer = json!({"PolicyARN": doc["PolicyARN"], "Alarms": doc["Alarms"]});
    call.table(POLICIES).put(&key, doc)?;
    Ok(answer)
}

fn new_policy(call: &Call, target: &Target, name: &str) -> Value {
    let id = uuid(&format!("{}{}{}", target.policy_key(name), call.region, call.now()));
    let Target { namespace, resource, dimension, .. } = target;
    let rest = format!("scalingPolicy:{id}:resource/{namespace}/{resource}:policyName/{name}");
    json!({
        "PolicyName": name,
        "ServiceNamespace": namespace,
        "ResourceId": resource,
        "ScalableDimension": dimension,
        "PolicyType": "StepScaling",
        "CreationTime": call.timestamp(),
        "PolicyARN": call.shared.arn("autoscaling", &call.region, &rest),
        "Alarms": [],
    })
}

fn check_tracking(target: &Target, tracking: &Value) -> Result<(), Fault> {
    if !tracking["TargetValue"].as_f64().is_some_and(|value| value > 0.0) {
        return Err(invalid("TargetValue must be a positive number"));
    }
    for cooldown in ["ScaleInCooldown", "ScaleOutCooldown"] {
        let seconds = &tracking[cooldown];
        if !seconds.is_null()
            && !seconds.as_i64().is_some_and(|seconds| (0..=i64::from(i32::MAX)).contains(&seconds))
        {
            return Err(invalid(format!("{cooldown} must be a number of seconds, and not negative")));
        }
    }
    let predefined = &tracking["PredefinedMetricSpecification"];
    if predefined.is_null() == tracking["CustomizedMetricSpecification"].is_null() {
        return Err(invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified",
        ));
    }
    if !predefined.is_null() && target.predefined(predefined).is_none() {
        return Err(invalid(format!(
            "PredefinedMetricType {} is not supported for {}",
            predefined["PredefinedMetricType"], target.dimension
        )));
    }
    Ok(())
}

/// One of the two alarms of a policy that tracks a target (docs/aws/autoscaling.md#target-tracking).
#[derive(Debug)]
pub(super) struct TrackingAlarm {
    name: &'static str,
    comparison: &'static str,
    /// Periods of a minute, all of which have to breach.
    pub minutes: usize,
    /// Of the target.
    share: f64,
}

pub(super) const HIGH: TrackingAlarm =
    TrackingAlarm { name: "AlarmHigh", comparison: "GreaterThanThreshold", minutes: 3, share: 1.0 };
pub(super) const LOW: TrackingAlarm =
    TrackingAlarm { name: "AlarmLow", comparison: "LessThanThreshold", minutes: 15, share: 0.9 };

impl TrackingAlarm {
    /// What its alarm watches for, when `goal` is to be kept.
    pub fn condition(&self, goal: f64) -> Value {
        json!({
            "Period": 60,
            "EvaluationPeriods": self.minutes,
            "Threshold": goal * self.share,
            "ComparisonOperator": self.comparison,
        })
    }
}

/// Writes the alarms of a policy that tracks a target. Their names stay when the policy changes.
fn put_alarms(call: &Call, target: &Target, policy: &mut Value) -> Result<(), Fault> {
    let tracking = &policy[TRACKING];
    let goal = tracking["TargetValue"].as_f64().unwrap_or_default();
    let mut shown = Vec::new();
    for (index, side) in [HIGH, LOW].into_iter().enumerate() {
        let TrackingAlarm { name: side_name, .. } = side;
        let known = policy["Alarms"][index]["AlarmName"].as_str().map(str::to_owned);
        let name = known.unwrap_or_else(|| {
            let seed = format!("{}{side_name}{}{}", policy["PolicyARN"], call.region, call.now());
            format!("TargetTracking-{}-{side_name}-{}", target.resource, uuid(&seed))
        });
        let arn = call.shared.arn("cloudwatch", &call.region, &format!("alarm:{name}"));
        let mut alarm = json!({
            "AlarmName": name,
            "AlarmArn": arn,
            "AlarmDescription": "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy.",
            "ActionsEnabled": true,
            "AlarmActions": [policy["PolicyARN"]],
            "OKActions": [],
            "InsufficientDataActions": [],
            "AlarmConfigurationUpdatedTimestamp": call.timestamp(),
            "StateUpdatedTimestamp": call.timestamp(),
        });
        merge(&mut alarm, side.condition(goal));
        merge(&mut alarm, target.metric(tracking));
        cloudwatch::put_alarm(&call.shared, &call.region, &name, alarm)?;
        shown.push(json!({"AlarmName": name, "AlarmARN": arn}));
    }
    policy["Alarms"] = shown.into();
    Ok(())
}

/// Removes a policy and its alarms. `false`: there is none.
pub(super) fn remove(shared: &SandboxState, region: &str, key: &str) -> Result<bool, Fault> {
    let Some(policy) = shared.table(POLICIES, region).remove(key)? else { return Ok(false) };
    for alarm in policy["Alarms"].as_array().into_iter().flatten() {
        cloudwatch::remove_alarm(shared, region, alarm["AlarmName"].as_str().unwrap_or_default())?;
    }
    Ok(true)
}

pub(super) fn delete(call: &Call) -> Answer {
    let target = Target::of(call)?;
    let name = call.text("PolicyName");
    if remove(&call.shared, &call.region, &target.policy_key(name))? {
        return Ok(json!({}));
    }
    let Target { namespace, resource, dimension, .. } = target;
    let message = format!(
        "No scaling policy found for service namespace: {namespace}, resource ID: {resource}, scalable \
         dimension: {dimension}, policy name: {name}"
    );
    Err(Fault::new(400, "ObjectNotFoundException", message))
}
