//! Alarms: documents of table `cloudwatch.alarm`, whose states are worked out when they are looked at.

use serde_json::{Map, Value, json};

use super::{MetricId, dimensions, not_implemented, period, read};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::state::SandboxState;

const TABLE: &str = "cloudwatch.alarm";

pub(super) const TREATMENTS: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];
pub(super) const OPERATORS: &[&str] = &[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];

const SETTINGS: &[&str] = &[
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
];

/// In milliseconds.
const WEEK: u64 = 7 * 86_400_000;

pub(super) fn put_metric_alarm(call: &Call) -> Answer {
    if call.input.get("Metrics").is_some() || call.input.get("ExtendedStatistic").is_some() {
        return Err(not_implemented("alarms on metric math or percentiles"));
    }
    for member in ["MetricName", "Namespace", "Statistic", "Threshold"] {
        if call.input.get(member).is_none() {
            return Err(Fault::new(
                400,
                "ValidationError",
                format!("{member} must be given for a metric alarm"),
            ));
        }
    }
    let length = period(&call.input["Period"])?;
    let periods =
        call.number("EvaluationPeriods").and_then(|periods| u64::try_from(periods).ok()).unwrap_or(1);
    // docs/aws/cloudwatch.md#alarms
    if periods.saturating_mul(length) > WEEK {
        let message = "Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800)";
        return Err(Fault::new(400, "ValidationError", message));
    }
    if call.number("DatapointsToAlarm") > call.number("EvaluationPeriods") {
        return Err(Fault::new(
            400,
            "ValidationError",
            "DatapointsToAlarm cannot be greater than EvaluationPeriods",
        ));
    }
    let name = call.text("AlarmName");
    let set = |name: &&str| Some(((*name).to_owned(), call.input.get(*name)?.clone()));
    let mut alarm = Value::Object(SETTINGS.iter().filter_map(set).collect::<Map<_, _>>());
    for (member, default) in [
        ("ActionsEnabled", json!(true)),
        ("OKActions", json!([])),
        ("AlarmActions", json!([])),
        ("InsufficientDataActions", json!([])),
        ("Dimensions", json!([])),
    ] {
        if alarm.get(member).is_none() {
            alarm[member] = default;
        }
    }
    alarm["AlarmArn"] = Value::from(call.arn(&format!("alarm:{name}")));
    alarm["AlarmConfigurationUpdatedTimestamp"] = call.timestamp();
    alarm["StateUpdatedTimestamp"] = call.timestamp();
    call.table(TABLE).put(name, alarm)?;
    Ok(json!({}))
}

/// Keeps an alarm as it is shown: one that another service makes.
pub fn put_alarm(shared: &SandboxState, region: &str, name: &str, alarm: Value) -> Result<(), Fault> {
    shared.table(TABLE, region).put(name, alarm)
}

/// Removes an alarm that another service has made.
pub fn remove_alarm(shared: &SandboxState, region: &str, name: &str) -> Result<(), Fault> {
    shared.table(TABLE, region).remove(name).map(|_| ())
}

pub(super) fn describe_alarms(call: &Call) -> Answer {
    let names: Vec<&str> = call.list("AlarmNames").iter().filter_map(Value::as_str).collect();
    let mut alarms = call.table(TABLE).list(call.maybe("AlarmNamePrefix").unwrap_or_default());
    alarms.retain(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    for (_, alarm) in &mut alarms {
        let state = state_of(&call.shared, &call.region, alarm).as_str();
        alarm["StateValue"] = Value::from(state);
        alarm["StateReason"] = Value::from(format!("The last datapoints make it {state}."));
    }
    alarms.retain(|(_, alarm)| call.maybe("StateValue").is_none_or(|state| alarm["StateValue"] == state));
    let size = call.number("MaxRecords").and_then(|size| usize::try_from(size).ok()).unwrap_or(50);
    let page = call
        .page(alarms, "NextToken", size)
        .ok_or_else(|| Fault::new(400, "InvalidNextToken", "The next token specified is invalid."))?;
    let mut output = json!({"MetricAlarms": page.items, "CompositeAlarms": []});
    if let Some(next) = page.next {
        output["NextToken"] = Value::from(next);
    }
    Ok(output)
}

pub(super) fn delete_alarms(call: &Call) -> Answer {
    let names: Vec<&str> = call.list("AlarmNames").iter().filter_map(Value::as_str).collect();
    let table = call.table(TABLE);
    if names.len() == 1 && !table.has(names[0]) {
        return Err(Fault::new(404, "ResourceNotFound", format!("Unknown alarms: {}", names[0])));
    }
    names.iter().try_for_each(|name| table.remove(name).map(|_| ()))?;
    Ok(json!({}))
}

/// What an alarm says, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

impl AlarmState {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// M of the last N whole periods breach the threshold (docs/aws/cloudwatch.md#alarms).
fn state_of(shared: &SandboxState, region: &str, alarm: &Value) -> AlarmState {
    let number = |name: &str| alarm[name].as_u64();
    let Ok(length) = period(&alarm["Period"]) else { return AlarmState::InsufficientData };
    let periods = number("EvaluationPeriods").unwrap_or(1);
    let dimensions = dimensions(&alarm["Dimensions"]);
    let measure = MetricId {
        namespace: alarm["Namespace"].as_str().unwrap_or_default(),
        metric: alarm["MetricName"].as_str().unwrap_or_default(),
        dimensions: &dimensions,
        unit: "",
    };
    let now = shared.clock.now();
    let end = now - now % length;
    let start = end.saturating_sub(periods.saturating_mul(length));
    let seen = read(shared, region, &measure, start, end, length);
    let statistic = alarm["Statistic"].as_str().unwrap_or_default();
    let values: Vec<Option<f64>> = (0..periods)
        .map(|index| seen.get(&(start + index * length)).and_then(|statistics| statistics.named(statistic)))
        .collect();
    evaluate(alarm, &values)
}

/// The state that an alarm has by the values of its last periods, the oldest first.
pub fn evaluate(alarm: &Value, values: &[Option<f64>]) -> AlarmState {
    let threshold = alarm["Threshold"].as_f64().unwrap_or_default();
    let breaches = |value: f64| match alarm["ComparisonOperator"].as_str().unwrap_or_default() {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "GreaterThanThreshold" => value > threshold,
        "LessThanThreshold" => value < threshold,
        _ => value <= threshold,
    };
    let treatment = alarm["TreatMissingData"].as_str().unwrap_or("missing");
    let needed = alarm["DatapointsToAlarm"].as_u64().map_or(values.len(), |needed| needed as usize);
    let breaching = values.iter().filter(|value| value.map_or(treatment == "breaching", breaches)).count();
    let there = values.iter().flatten().count();
    // How many periods ago the oldest point is that is there.
    let oldest = values.iter().position(Option::is_some).map_or(0, |index| values.len() - index);
    match treatment {
        _ if breaching >= needed => AlarmState::Alarm,
        // What is missing does not count: the points that are there decide, as soon as the oldest of them is
        // as old as the alarm needs points. AWS keeps the state until then, which is that of an alarm without
        // data at first (docs/aws/cloudwatch.md#alarms).
        "missing" | "ignore" if there == 0 => AlarmState::InsufficientData,
        "missing" | "ignore" if breaching == there && oldest >= needed => AlarmState::Alarm,
        "missing" | "ignore" if breaching == there => AlarmState::InsufficientData,
        _ => AlarmState::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_evaluate_m_of_n_and_missing_data() {
        let alarm = |treatment: &str, needed: u64| {
            json!({"Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": treatment,
                   "DatapointsToAlarm": needed})
        };
        assert_eq!(evaluate(&alarm("missing", 3), &[Some(11.0), Some(12.0), Some(13.0)]), AlarmState::Alarm);
        assert_eq!(evaluate(&alarm("missing", 3), &[Some(11.0), Some(10.0), Some(13.0)]), AlarmState::Ok);
        assert_eq!(evaluate(&alarm("missing", 2), &[Some(11.0), Some(10.0), Some(13.0)]), AlarmState::Alarm);
        assert_eq!(evaluate(&alarm("missing", 3), &[None, None, None]), AlarmState::InsufficientData);
        assert_eq!(evaluate(&alarm("missing", 3), &[None, None, Some(11.0)]), AlarmState::InsufficientData);
        assert_eq!(evaluate(&alarm("missing", 3), &[Some(11.0), None, None]), AlarmState::Alarm);
        assert_eq!(evaluate(&alarm("missing", 3), &[None, None, Some(10.0)]), AlarmState::Ok);
        assert_eq!(evaluate(&alarm("notBreaching", 3), &[None, None, None]), AlarmState::Ok);
        assert_eq!(evaluate(&alarm("breaching", 3), &[None, None, None]), AlarmState::Alarm);
        assert_eq!(evaluate(&alarm("notBreaching", 2), &[Some(11.0), None, Some(1.0)]), AlarmState::Ok);
    }
}
