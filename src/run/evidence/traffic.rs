//! What endpoints and functions were asked, and how endpoints scaled: CloudWatch's metrics, and the
//! activities of Application Auto Scaling.

use aws_sdk_applicationautoscaling::types::{ScalingActivity, ScalingActivityStatusCode as ActivityStatus};

use super::{Gaps, Session};
use crate::aws::{
    MOST_PAGES, Metric, MetricQuery, MetricSeries, MetricTime, OpResult, OpResultExt, SdkResultExt,
};
use crate::domain::{HumanDuration, KindName, Owner, action};
use crate::evidence::{Activity, FunctionTraffic, Gap, Series, Step, Time, Traffic, Window};
use crate::resources::autoscaling::Autoscaling;
use crate::resources::endpoint_config::EndpointConfig;
use crate::resources::function::Function;
use crate::run::overview::{Overview, Row};

/// Activities that are read of an endpoint: AWS keeps six weeks of them.
const MOST_ACTIVITIES: usize = 200;

/// Of the endpoints and functions that are there and ours.
pub async fn all(
    session: &Session,
    overview: &Overview,
    since: HumanDuration,
    now: Time,
    gaps: &mut Gaps,
) -> OpResult<(Vec<Traffic>, Vec<FunctionTraffic>)> {
    let rows = |kind: KindName| {
        let is_ours = |row: &&Row| row.owner.as_ref().is_some_and(Owner::is_managed);
        overview.rows.iter().filter(move |row| row.id.kind == kind).filter(is_ours).collect::<Vec<_>>()
    };
    let (endpoints, functions) = (rows(KindName::Endpoint), rows(KindName::Function));
    if endpoints.is_empty() && functions.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let time = time(since, now, session.is_aws());
    let of_endpoints = endpoints.iter().flat_map(|row| of_endpoint(&row.physical));
    let metrics: Vec<Metric> =
        of_endpoints.chain(functions.iter().flat_map(|row| of_function(&row.physical))).collect();
    let query = MetricQuery { metrics, time, page: None };
    let read = session.context.aws.cloudwatch.read(&query).await;
    let read = gaps.read("the metrics of endpoints and functions", read)?;
    if read.is_cut {
        gaps.0.push(cut());
    }
    let mut read = read.series.into_iter().chain(std::iter::repeat_with(Vec::new));
    let mut taken = |count: usize| read.by_ref().take(count).collect::<Vec<MetricSeries>>();

    let mut traffic = Vec::new();
    let measured: Vec<_> = endpoints.iter().map(|row| (*row, taken(OF_ENDPOINT))).collect();
    let called: Vec<_> = functions.iter().map(|row| (*row, taken(OF_FUNCTION))).collect();
    for (row, metrics) in measured {
        let facts = overview.whole(session, row);
        let activities = activities(session, &row.physical).await;
        let activities = gaps.read(format!("the scaling activities of {}", row.id), activities)?;
        let [invocations, per_instance, latency, client, server] = five(metrics);
        let window = window(time, now, [&invocations, &per_instance].into_iter());
        let count = facts.instances.map(|count| Step { at: window.to, count: f64::from(count) });
        let since_made = row.age.map(|age| Time(now.0.saturating_sub(age.as_secs() as i64)));
        traffic.push(Traffic {
            id: row.id.clone(),
            window,
            instances: instances(&invocations, &per_instance, &activities, count, time.period, since_made),
            invocations: series("invocations", &invocations, 1.0),
            per_instance: series("invocations per instance", &per_instance, 1.0),
            latency_ms: series("model latency", &latency, 1e-3),
            errors: series("errors", &joined(&client, &server), 1.0),
            target: facts.target,
            min: facts.min,
            max: facts.max,
            activities: activities.iter().filter_map(activity).collect(),
        });
    }
    let calls = called.into_iter().map(|(row, metrics)| of_calls(row, metrics, time, now)).collect();
    Ok((traffic, calls))
}

/// What was measured of a function.
fn of_calls(row: &Row, metrics: Vec<MetricSeries>, time: MetricTime, now: Time) -> FunctionTraffic {
    let [invocations, errors, duration, utilization, spillover] = five(metrics);
    FunctionTraffic {
        id: row.id.clone(),
        window: window(time, now, [&invocations].into_iter()),
        invocations: series("invocations", &invocations, 1.0),
        errors: series("errors", &errors, 1.0),
        duration_ms: series("duration", &duration, 1.0),
        utilization: series("provisioned concurrency in use", &utilization, 1.0),
        spillover: series("without an initialized environment", &spillover, 1.0),
    }
}

/// CloudWatch keeps points of a minute for 15 days, of five minutes for 63, of an hour for 455
/// (docs/aws/cloudwatch.md#measurements); a day has 1,440 minutes, which is as much as a plot shows.
fn time(since: HumanDuration, now: Time, is_aws: bool) -> MetricTime {
    const DAY: i64 = 86_400;
    let since = i64::try_from(since.as_secs()).unwrap_or(i64::MAX).clamp(60, 455 * DAY);
    let period = match since {
        _ if since <= DAY => 60,
        _ if since <= 7 * DAY => 300,
        _ => 3_600,
    };
    let from = (now.0 - since).max(0);
    MetricTime::up_to(now.0, from - from % period, period, is_aws)
}

/// What CloudWatch has, and is not read.
fn cut() -> Gap {
    let what = "the newest metrics of endpoints and functions".to_owned();
    let why =
        format!("there are more than {MOST_PAGES} pages of points; `--since` with a shorter time has all");
    Gap { what, why }
}

/// What was measured ahead of this machine's clock is shown too.
fn window<'s>(time: MetricTime, now: Time, measured: impl Iterator<Item = &'s MetricSeries>) -> Window {
    let last = measured.flatten().map(|(at, _)| at + time.period).max().unwrap_or(now.0);
    Window { from: Time(time.from), to: Time(last.max(now.0)), period_s: time.period }
}

const OF_ENDPOINT: usize = 5;
const OF_FUNCTION: usize = 5;

/// <https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html>
fn of_endpoint(endpoint: &str) -> [Metric; OF_ENDPOINT] {
    let variant = EndpointConfig::VARIANT.to_owned();
    let metric = |name: &'static str, statistic: &'static str| Metric {
        namespace: "AWS/SageMaker".into(),
        name: name.into(),
        dimensions: vec![
            ("EndpointName".into(), endpoint.to_owned()),
            ("VariantName".into(), variant.clone()),
        ],
        statistic: statistic.into(),
    };
    [
        metric("Invocations", "Sum"),
        metric("InvocationsPerInstance", "Sum"),
        metric("ModelLatency", "Average"),
        metric("Invocation4XXErrors", "Sum"),
        metric("Invocation5XXErrors", "Sum"),
    ]
}

/// The first three of all calls, also of `$LATEST`; provisioned concurrency is the alias's
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>).
fn of_function(function: &str) -> [Metric; OF_FUNCTION] {
    let metric = |name: &'static str, statistic: &'static str| Metric {
        namespace: "AWS/Lambda".into(),
        name: name.into(),
        dimensions: vec![("FunctionName".into(), function.to_owned())],
        statistic: statistic.into(),
    };
    let of_alias = |name, statistic| {
        let mut metric = metric(name, statistic);
        metric.dimensions.push(("Resource".into(), format!("{function}:{}", Function::ALIAS)));
        metric
    };
    [
        metric("Invocations", "Sum"),
        metric("Errors", "Sum"),
        metric("Duration", "Average"),
        of_alias("ProvisionedConcurrencyUtilization", "Maximum"),
        of_alias("ProvisionedConcurrencySpilloverInvocations", "Sum"),
    ]
}

fn five(metrics: Vec<MetricSeries>) -> [MetricSeries; 5] {
    let mut metrics = metrics.into_iter();
    std::array::from_fn(|_| metrics.next().unwrap_or_default())
}

fn series(name: &str, points: &MetricSeries, times: f64) -> Series {
    Series::new(name, points.iter().map(|(at, value)| (*at as f64, value * times)).collect())
}

/// The sum of two.
fn joined(one: &MetricSeries, other: &MetricSeries) -> MetricSeries {
    let mut sums = std::collections::BTreeMap::<i64, f64>::new();
    for (at, value) in one.iter().chain(other) {
        *sums.entry(*at).or_default() += value;
    }
    sums.into_iter().collect()
}

async fn activities(session: &Session, endpoint: &str) -> OpResult<Vec<ScalingActivity>> {
    let call = session.context.aws.autoscaling.describe_scaling_activities();
    let call = call.service_namespace(Autoscaling::NAMESPACE.into());
    let call = call.resource_id(Autoscaling::resource_id(endpoint));
    let call = call.scalable_dimension(Autoscaling::DIMENSION.into());
    let mut pages = call.into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::autoscaling::DescribeScalingActivities).found()? else { break };
        all.extend(page.scaling_activities.unwrap_or_default());
        if all.len() >= MOST_ACTIVITIES {
            all.truncate(MOST_ACTIVITIES);
            break;
        }
    }
    Ok(all)
}

fn activity(activity: &ScalingActivity) -> Option<Activity> {
    Some(Activity {
        started_at: Time(activity.start_time().secs()),
        ended_at: activity.end_time().map(|at| Time(at.secs())),
        status: activity.status_code().as_str().to_owned(),
        description: activity.description().to_owned(),
        cause: activity.cause().to_owned(),
    })
}

/// How many instances there were, where that is known: an activity that ended well set a number, and in a
/// minute with requests CloudWatch has their number in all and per instance. Between, it stays as it was.
fn instances(
    invocations: &MetricSeries,
    per_instance: &MetricSeries,
    activities: &[ScalingActivity],
    now: Option<Step>,
    period: i64,
    since_made: Option<Time>,
) -> Vec<Step> {
    let measured = invocations.iter().filter_map(|(at, all)| {
        let (_, each) = per_instance.iter().find(|(other, each)| other == at && *each > 0.0)?;
        let count = all / each;
        // A period in which the number changed has something between.
        let is_whole = (count - count.round()).abs() < 0.02 && count.round() >= 1.0;
        is_whole.then(|| Step { at: Time(*at), count: count.round() })
    });
    let set = activities.iter().filter(|activity| *activity.status_code() == ActivityStatus::Successful);
    let set = set.filter_map(|activity| {
        let (_, count) = activity.description().trim_end_matches('.').rsplit_once(" to ")?;
        Some(Step { at: Time(activity.end_time()?.secs()), count: count.parse().ok()? })
    });
    let mut all: Vec<Step> = measured.chain(set).chain(now).collect();
    all.sort_by_key(|step| step.at);
    all.dedup_by(|later, earlier| later.count == earlier.count);
    // Whoever has never scaled has been as it is since it was made.
    let first = all.first().copied();
    if let Some((made, first)) = since_made.zip(first).filter(|(made, first)| *made < first.at)
        && activities.is_empty()
        && all.len() == 1
    {
        let oldest = first.at.0.saturating_sub(1_440 * period);
        all[0] = Step { at: Time(made.0.max(oldest)), count: first.count };
    }
    all
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn set_to(count: u32, at: i64, code: ActivityStatus) -> ScalingActivity {
        ScalingActivity::builder()
            .activity_id("a")
            .service_namespace(Autoscaling::NAMESPACE.into())
            .resource_id("r")
            .scalable_dimension(Autoscaling::DIMENSION.into())
            .description(format!("Setting desired instance count to {count}."))
            .cause("alarm")
            .start_time(DateTime::from_secs(at - 30))
            .end_time(DateTime::from_secs(at))
            .status_code(code)
            .build()
            .expect("all is given")
    }

    fn steps(found: &[Step]) -> Vec<(i64, f64)> {
        found.iter().map(|step| (step.at.0, step.count)).collect()
    }

    #[test]
    fn instances_are_known_from_activities_and_from_requests() {
        let (all, each) =
            (vec![(0, 60.0), (60, 90.0), (120, 80.0)], vec![(0, 60.0), (60, 60.0), (120, 40.0)]);
        let activities = [set_to(4, 300, ActivityStatus::Successful), set_to(9, 400, ActivityStatus::Failed)];
        let now = Some(Step { at: Time(600), count: 4.0 });
        let found = instances(&all, &each, &activities, now, 60, Some(Time(0)));
        assert_eq!(steps(&found), [(0, 1.0), (120, 2.0), (300, 4.0)]);
        let idle = instances(&Vec::new(), &Vec::new(), &[], now, 60, Some(Time(200)));
        assert_eq!(steps(&idle), [(200, 4.0)], "it never scaled");
        assert_eq!(steps(&instances(&Vec::new(), &Vec::new(), &[], None, 60, None)), []);
    }

    #[test]
    fn points_are_as_fine_as_they_are_kept() {
        let period = |since| time(since, Time(1_000_000_000), true).period;
        let [hour, week, year] = [HumanDuration::hours(1), HumanDuration::days(7), HumanDuration::days(400)];
        assert_eq!([hour, week, year].map(period), [60, 300, 3_600]);
        assert_eq!(time(HumanDuration::days(9_999), Time(5), false).from, 0);
        assert_eq!(joined(&vec![(1, 2.0)], &vec![(1, 1.0), (2, 1.0)]), [(1, 3.0), (2, 1.0)]);
    }
}
