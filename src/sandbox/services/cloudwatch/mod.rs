//! CloudWatch, its small part: measurements in and out, and alarms with their states.
//!
//! [`record`] is how the rest of the sandbox measures, [`read`] how autoscaling sees it. Resolution is one
//! minute.

mod alarms;
mod series;
mod usage;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use alarms::{AlarmState, evaluate, put_alarm, remove_alarm};
pub use series::{MINUTE, MetricId, Statistics};
pub use usage::Usage;

use crate::call::{Answer, Call};
use crate::clock::{Millis, epoch_seconds};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::state::SandboxState;
use series::Metrics;

const PERIOD: Constraint = Constraint::ANY.at("Period").required().range(1, 86_400);
pub(super) const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

/// In one answer of GetMetricData, and of GetMetricStatistics (docs/aws/cloudwatch.md#measurements).
const MOST_POINTS: usize = 100_800;
const MOST_STATISTICS: u64 = 1_440;

/// Different values of one measurement (docs/aws/cloudwatch.md#measurements).
const MOST_VALUES: usize = 150;

/// The operations.
pub const API: Api = Api {
    name: "cloudwatch",
    signing_name: "monitoring",
    target: "GraniteServiceVersion20100801",
    invalid: "ValidationError",
    faults: FaultCodes { throttle: (400, "Throttling"), internal: (500, "InternalServiceFault") },
    operations: &[
        op("PutMetricData", &[Constraint::ANY.at("MetricData").required().length(1, 1_000)], put_metric_data),
        op(
            "GetMetricData",
            &[
                Constraint::ANY.at("MetricDataQueries").required().length(1, 500),
                Constraint::ANY.at("MaxDatapoints").range(1, MOST_POINTS as i64),
            ],
            get_metric_data,
        ),
        op("GetMetricStatistics", &[PERIOD], get_metric_statistics),
        op(
            "PutMetricAlarm",
            &[
                Constraint::ANY.at("EvaluationPeriods").required().range(1, i64::MAX),
                Constraint::ANY.at("Period").range(1, 86_400),
                Constraint::ANY.at("TreatMissingData").one_of(alarms::TREATMENTS),
                Constraint::ANY.at("ComparisonOperator").required().one_of(alarms::OPERATORS),
            ],
            alarms::put_metric_alarm,
        ),
        op("DescribeAlarms", &[], alarms::describe_alarms),
        op("DeleteAlarms", &[], alarms::delete_alarms),
    ],
};

/// Measures one value now. Trouble with the files is logged: it must not fail what was measured.
pub fn record(shared: &SandboxState, region: &str, measure: &MetricId<'_>, value: f64) {
    record_at(shared, region, measure, shared.clock.now(), value);
}

/// As [`record`], at another time.
pub fn record_at(shared: &SandboxState, region: &str, measure: &MetricId<'_>, at: Millis, value: f64) {
    let written = shared.extensions.get::<Metrics>().add(shared, region, measure, at, Statistics::one(value));
    if let Err(error) = written {
        tracing::warn!(metric = measure.metric, %error, "a measurement was not written");
    }
}

/// Periods of `[from, to)` in which something was measured, each by its start. `period` is in milliseconds, a
/// multiple of a minute.
pub fn read(
    shared: &SandboxState,
    region: &str,
    measure: &MetricId<'_>,
    from: Millis,
    to: Millis,
    period: Millis,
) -> BTreeMap<Millis, Statistics> {
    shared.extensions.get::<Metrics>().read(shared, region, measure, from, to, period.max(MINUTE)).1
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterValue", message)
}

fn not_implemented(what: &str) -> Fault {
    Fault::new(
        501,
        "NotImplemented",
        format!(
            "the sandbox does not implement {what}; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md"
        ),
    )
}

/// A timestamp of the JSON protocol, in seconds with a fraction.
fn millis(value: &Value) -> Option<Millis> {
    value.as_f64().map(|seconds| (seconds * 1_000.0) as Millis)
}

/// `[{"Name": n, "Value": v}]`
pub fn dimensions<'a>(value: &'a Value) -> Vec<(&'a str, String)> {
    let pair = |one: &'a Value| Some((one["Name"].as_str()?, one["Value"].as_str()?.to_owned()));
    value.as_array().into_iter().flatten().filter_map(pair).collect()
}

fn put_metric_data(call: &Call) -> Answer {
    let metrics = call.shared.extensions.get::<Metrics>();
    for datum in call.list("MetricData") {
        let dimensions = dimensions(&datum["Dimensions"]);
        let measure = MetricId {
            namespace: call.text("Namespace"),
            metric: datum["MetricName"].as_str().unwrap_or_default(),
            dimensions: &dimensions,
            unit: datum["Unit"].as_str().unwrap_or("None"),
        };
        let at = millis(&datum["Timestamp"]).unwrap_or_else(|| call.now());
        if at > call.now().saturating_add(AHEAD) {
            return Err(invalid("The parameter MetricData.Timestamp must not be more than two hours ahead."));
        }
        for statistics in measured(datum)? {
            metrics.add(&call.shared, &call.region, &measure, at, statistics)?;
        }
    }
    Ok(json!({}))
}

/// One value, many values with counts, or statistics made by the client.
fn measured(datum: &Value) -> Result<Vec<Statistics>, Fault> {
    let set = &datum["StatisticValues"];
    if let Some(value) = datum["Value"].as_f64() {
        return Ok(vec![Statistics::one(value)]);
    }
    if let (Some(sum), Some(minimum), Some(maximum), Some(count)) =
        (set["Sum"].as_f64(), set["Minimum"].as_f64(), set["Maximum"].as_f64(), set["SampleCount"].as_f64())
    {
        return Ok(vec![Statistics { sum, minimum, maximum, count }]);
    }
    let values = datum["Values"].as_array().ok_or_else(|| {
        invalid("At least one of the parameters must be specified: Value, Values, StatisticValues.")
    })?;
    if values.len() > MOST_VALUES {
        return Err(invalid(format!(
            "The collection MetricData.member.Values must not have a size greater than {MOST_VALUES}."
        )));
    }
    let statistics = |(index, value): (usize, &Value)| {
        let (value, count) = (value.as_f64()?, datum["Counts"][index].as_f64().unwrap_or(1.0));
        Some(Statistics { sum: value * count, minimum: value, maximum: value, count })
    };
    Ok(values.iter().enumerate().filter_map(statistics).collect())
}

/// Data is kept for 455 days (docs/aws/cloudwatch.md#measurements).
const LONGEST_PERIOD: u64 = 455 * 86_400;

/// How far ahead of now a measurement may be (docs/aws/cloudwatch.md#measurements).
const AHEAD: Millis = 2 * 60 * MINUTE;

/// A period in milliseconds: whole minutes, as nothing finer is kept.
fn period(value: &Value) -> Result<Millis, Fault> {
    let seconds = value.as_u64().unwrap_or(0);
    if seconds == 0 || !seconds.is_multiple_of(60) || seconds > LONGEST_PERIOD {
        return Err(invalid(format!(
            "Period must be a multiple of 60 up to {LONGEST_PERIOD}, not {seconds}"
        )));
    }
    Ok(seconds * 1_000)
}

fn span(call: &Call) -> Result<(Millis, Millis), Fault> {
    match (millis(&call.input["StartTime"]), millis(&call.input["EndTime"])) {
        (Some(from), Some(to)) if from < to => Ok((from, to)),
        _ => Err(invalid("The parameter StartTime must be less than the parameter EndTime.")),
    }
}

/// Where the next answer of GetMetricData begins: a query, and a point of it.
fn place(token: Option<&str>) -> Result<(usize, usize), Fault> {
    let Some(token) = token else { return Ok((0, 0)) };
    let place =
        token.split_once('.').and_then(|(query, point)| Some((query.parse().ok()?, point.parse().ok()?)));
    place.ok_or_else(|| invalid("The parameter NextToken is not valid."))
}

/// What was measured of one metric, in the order that is asked for.
fn points(
    call: &Call,
    stat: &Value,
    (from, to): (Millis, Millis),
    metrics: &Metrics,
    in_use: &dyn Usage,
) -> Result<Vec<(Value, f64)>, Fault> {
    let metric = &stat["Metric"];
    let dimensions = dimensions(&metric["Dimensions"]);
    let measure = MetricId {
        namespace: metric["Namespace"].as_str().unwrap_or_default(),
        metric: metric["MetricName"].as_str().unwrap_or_default(),
        dimensions: &dimensions,
        unit: "",
    };
    let statistic = stat["Stat"].as_str().unwrap_or_default();
    if !STATISTICS.contains(&statistic) {
        return Err(not_implemented(&format!("the statistic {statistic}")));
    }
    let period = period(&stat["Period"])?;
    let (_, mut periods) = metrics.read(&call.shared, &call.region, &measure, from, to, period);
    // Only the present is known of it.
    if let Some(used) = in_use.in_use(&call.shared, &call.region, &measure)
        && (from..to).contains(&call.now())
    {
        periods.insert(call.now() - call.now() % period, Statistics::one(used));
    }
    let mut points: Vec<(Value, f64)> = periods
        .iter()
        .filter_map(|(start, statistics)| Some((epoch_seconds(*start), statistics.named(statistic)?)))
        .collect();
    if call.maybe("ScanBy") != Some("TimestampAscending") {
        points.reverse();
    }
    Ok(points)
}

fn get_metric_data(call: &Call) -> Answer {
    let (from, to) = span(call)?;
    let (metrics, in_use) = (call.shared.extensions.get::<Metrics>(), usage::of(&call.shared));
    let (first, mut skipped) = place(call.maybe("NextToken"))?;
    let most = call.input["MaxDatapoints"].as_u64().map_or(MOST_POINTS, |most| most as usize);
    let (mut results, mut room, mut next) = (Vec::new(), most, None);
    for (index, query) in call.list("MetricDataQueries").iter().enumerate().skip(first) {
        let stat = &query["MetricStat"];
        if stat.is_null() {
            return Err(not_implemented("metric math (Expression)"));
        }
        if query["ReturnData"] == false {
            continue;
        }
        let points = points(call, stat, (from, to), &metrics, &*in_use)?;
        let rest = points.len().saturating_sub(skipped);
        let given = rest.min(room);
        let (timestamps, values): (Vec<Value>, Vec<f64>) =
            points.into_iter().skip(skipped).take(given).unzip();
        results.push(json!({
            "Id": query["Id"],
            "Label": query.get("Label").unwrap_or(&stat["Metric"]["MetricName"]),
            "Timestamps": timestamps,
            "Values": values,
            "StatusCode": if given < rest { "PartialData" } else { "Complete" },
        }));
        if given < rest {
            next = Some(format!("{index}.{}", skipped + given));
            break;
        }
        (room, skipped) = (room - given, 0);
    }
    let mut answer = json!({"MetricDataResults": results, "Messages": []});
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

fn get_metric_statistics(call: &Call) -> Answer {
    let (from, to) = span(call)?;
    if call.input.get("ExtendedStatistics").is_some() {
        return Err(not_implemented("ExtendedStatistics"));
    }
    let dimensions = dimensions(&call.input["Dimensions"]);
    let measure = MetricId {
        namespace: call.text("Namespace"),
        metric: call.text("MetricName"),
        dimensions: &dimensions,
        unit: "",
    };
    let period = period(&call.input["Period"])?;
    let asked = (to - from).div_ceil(period);
    if asked > MOST_STATISTICS {
        let message = format!(
            "You have requested up to {asked} datapoints, which exceeds the limit of {MOST_STATISTICS}. You \
             may reduce the datapoints requested by increasing Period, or decreasing the time range."
        );
        return Err(Fault::new(400, "InvalidParameterCombination", message));
    }
    let (unit, periods) =
        call.shared.extensions.get::<Metrics>().read(&call.shared, &call.region, &measure, from, to, period);
    let point = |(start, statistics): (&Millis, &Statistics)| {
        let mut point = json!({"Timestamp": epoch_seconds(*start), "Unit": unit});
        for name in call.list("Statistics").iter().filter_map(Value::as_str) {
            point[name] = json!(statistics.named(name));
        }
        point
    };
    let points: Vec<Value> = periods.iter().map(point).collect();
    Ok(json!({"Label": measure.metric, "Datapoints": points}))
}
