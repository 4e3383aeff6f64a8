//! The watch over what scales: at the end of every minute of the sandbox's time it hears the policies of each
//! target, as CloudWatch's alarms would wake them, and sets the capacity they agree on.

use std::sync::Arc;

use serde_json::Value;

use super::policy::TRACKING;
use super::target::Target;
use super::tracking::{self, Change, Decision, MINUTES, State, Tracking};
use super::{ACTIVITIES, TARGETS, policies, target_of};
use crate::clock::Millis;
use crate::services::cloudwatch::{self, MINUTE, MetricId};
use crate::services::sagemaker;
use crate::state::SandboxState;

/// A clock that was moved by more than this has left minutes behind that nobody asks for any more.
const MOST_AT_ONCE: Millis = 60 * MINUTE;

/// Watches until the sandbox stops.
pub async fn watch(shared: Arc<SandboxState>) {
    let mut over = shared.clock.now() / MINUTE * MINUTE + MINUTE;
    loop {
        shared.clock.until(over).await;
        let now = shared.clock.now();
        over = over.max(now.saturating_sub(MOST_AT_ONCE) / MINUTE * MINUTE);
        while over <= now {
            sagemaker::close_minute(&shared, over - MINUTE);
            for (region, _, target) in shared.everywhere(TARGETS) {
                scale(&shared, &region, &target, over);
            }
            over += MINUTE;
        }
    }
}

/// Sets the capacity of one target, by the minutes before `over`, if its policies agree on another.
fn scale(shared: &Arc<SandboxState>, region: &str, registered: &Value, over: Millis) {
    let Some(target) = target_of(registered) else { return };
    // A change has to be seen to its end before the next one.
    if let Err(fault) = target.settle(shared, region) {
        tracing::warn!(target = target.resource, fault = fault.message, "activities are not kept");
    }
    let Some(capacity) = target.capacity(shared, region) else { return };
    let bound = |name: &str| registered[name].as_u64().unwrap_or_default();
    let (least, most) = (bound("MinCapacity"), bound("MaxCapacity"));
    let last = last_change(shared, region, &target);
    let state = State { capacity, least, most, last, now: over };

    let mut tracked = policies(shared, region, &target);
    tracked.retain(|policy| policy.get(TRACKING).is_some());
    let decisions: Vec<Decision> = tracked
        .iter()
        .map(|policy| {
            let configuration = &policy[TRACKING];
            let minutes = measured(shared, region, &target.metric(configuration), over);
            tracking::decide(&minutes, &Tracking::of(configuration, target.cooldown()), &state)
        })
        .collect();
    let Some(agreed) = tracking::agreed(&decisions) else { return };
    let (wanted, side, suspended) = match agreed {
        Decision::Out(wanted) => (wanted, 0, "DynamicScalingOutSuspended"),
        Decision::In(wanted) => (wanted, 1, "DynamicScalingInSuspended"),
        Decision::Stay => return,
    };
    if registered["SuspendedState"][suspended] == true {
        return;
    }
    let decided = decisions.iter().position(|decision| *decision == agreed).unwrap_or_default();
    let cause = cause(&tracked[decided], side);
    let resource = &target.resource;
    tracing::info!(target: "opsctl::sandbox", resource, from = capacity, to = wanted, cause, "scales");
    if let Err(fault) = target.scale(shared, region, wanted, &cause) {
        tracing::debug!(
            resource = target.resource,
            fault = fault.message,
            "a change of capacity was refused"
        );
    }
}

/// The values of the last [`MINUTES`] minutes before `over`, the oldest first.
fn measured(shared: &SandboxState, region: &str, metric: &Value, over: Millis) -> Vec<Option<f64>> {
    let text = |name: &str| metric[name].as_str().unwrap_or_default();
    let dimensions = cloudwatch::dimensions(&metric["Dimensions"]);
    let measure = MetricId {
        namespace: text("Namespace"),
        metric: text("MetricName"),
        dimensions: &dimensions,
        unit: "",
    };
    let from = over - MINUTES as u64 * MINUTE;
    let seen = cloudwatch::read(shared, region, &measure, from, over, MINUTE);
    let value = |start: Millis| seen.get(&start)?.named(text("Statistic"));
    (0..MINUTES as u64).map(|index| value(from + index * MINUTE)).collect()
}

/// As AWS words it in an activity.
fn cause(policy: &Value, side: usize) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (alarm, name) = (text(&policy["Alarms"][side]["AlarmName"]), text(&policy["PolicyName"]));
    format!("{BY_ALARM} {alarm} in state ALARM triggered policy {name}")
}

const BY_ALARM: &str = "monitor alarm";

/// The last change that an alarm has caused and that was not refused: cooldowns count from its end.
fn last_change(shared: &SandboxState, region: &str, target: &Target) -> Option<Change> {
    let all = shared.table(ACTIVITIES, region).list(&target.activity_key(None));
    let by_alarm = |doc: &Value| doc["Cause"].as_str().is_some_and(|cause| cause.starts_with(BY_ALARM));
    let (_, doc) = all.into_iter().rev().find(|(_, doc)| by_alarm(doc) && doc["StatusCode"] != "Failed")?;
    let ended = doc["EndTime"].as_f64().or_else(|| doc["StartTime"].as_f64())?;
    Some(Change {
        from: doc["_From"].as_u64()?,
        to: doc["_To"].as_u64()?,
        ended: (ended * 1_000.0).round() as Millis,
    })
}
