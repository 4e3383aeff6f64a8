//! CloudWatch's `GetMetricData`, the one call that opsctl makes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::OpResult;
use super::json::{JsonCall, JsonClient, Shared};
use super::rates::RateLimitedClient;
use crate::domain::action;

/// CloudWatch speaks JSON too
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html>).
pub(super) const CALL: JsonCall = JsonCall {
    service: "CloudWatch",
    operation: "GetMetricData",
    host: "monitoring",
    fips_host: "monitoring-fips",
    signing_name: "monitoring",
    target: "GraniteServiceVersion20100801",
    content_type: "application/x-amz-json-1.0",
    action: action::cloudwatch::GetMetricData,
};

/// Queries of one call
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).
const MOST_QUERIES: usize = 500;
/// Pages that are read of one answer: each holds up to 100,800 points. What is behind them is not read, and
/// whoever asked is told so.
pub const MOST_PAGES: usize = 50;

/// The client.
#[derive(Clone, Debug)]
pub struct CloudWatch(JsonClient);

/// A metric of AWS's, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Metric {
    pub namespace: Cow<'static, str>,
    pub name: Cow<'static, str>,
    pub dimensions: Vec<(Cow<'static, str>, String)>,
    /// `Sum`, `Average`, `Maximum`.
    pub statistic: Cow<'static, str>,
}

/// Some metrics over a time.
#[derive(Clone, Debug)]
pub struct MetricQuery {
    pub metrics: Vec<Metric>,
    pub time: MetricTime,
    /// Points of one page; without it as many as AWS sends.
    pub page: Option<u32>,
}

/// What was measured, in the order of the query.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub series: Vec<MetricSeries>,
    /// There was more than is read of one answer: the newest points of some metrics are missing.
    pub is_cut: bool,
}

/// Seconds since 1970, and the seconds that one point is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricTime {
    pub from: i64,
    pub to: i64,
    pub period: i64,
}

impl MetricTime {
    /// From a time until what is newest now, both in whole periods where they are given so. A sandbox's clock
    /// may run ahead of this machine's, by more than a year.
    pub fn up_to(now: i64, from: i64, period: i64, is_aws: bool) -> Self {
        const AHEAD: i64 = 400 * 86_400;
        Self { from, to: now + if is_aws { period } else { AHEAD }, period }
    }
}

/// Points in the order of time: seconds since 1970, and the value.
pub type MetricSeries = Vec<(i64, f64)>;

impl CloudWatch {
    pub(super) fn new(shared: &Shared<'_>, client: RateLimitedClient) -> Self {
        Self(JsonClient::new(&CALL, shared, client))
    }

    /// The points of each metric.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn read(&self, query: &MetricQuery) -> OpResult<Measured> {
        let MetricQuery { metrics, time, page } = query;
        let mut found: Vec<BTreeMap<i64, f64>> = vec![BTreeMap::new(); metrics.len()];
        let mut is_cut = false;
        for (chunk, metrics) in metrics.chunks(MOST_QUERIES).enumerate() {
            let queries: Vec<Value> = metrics.iter().enumerate().map(|(i, m)| of_query(i, m, time)).collect();
            let mut token: Option<String> = None;
            for _ in 0..MOST_PAGES {
                let input = json!({
                    "MetricDataQueries": queries, "StartTime": time.from, "EndTime": time.to,
                    "ScanBy": "TimestampAscending", "NextToken": token, "MaxDatapoints": page,
                });
                let answer = self.0.ask(input).await?;
                for result in answer["MetricDataResults"].as_array().into_iter().flatten() {
                    let index = result["Id"].as_str().and_then(|id| id.strip_prefix('m')?.parse().ok());
                    let place = index.and_then(|index: usize| found.get_mut(chunk * MOST_QUERIES + index));
                    if let Some(series) = place {
                        series.extend(points(result));
                    }
                }
                token = answer["NextToken"].as_str().map(str::to_owned);
                if token.is_none() {
                    break;
                }
            }
            is_cut |= token.is_some();
        }
        let series = found.into_iter().map(|series| series.into_iter().collect()).collect();
        Ok(Measured { series, is_cut })
    }
}

fn of_query(index: usize, metric: &Metric, time: &MetricTime) -> Value {
    let dimensions = metric.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
    json!({
        "Id": format!("m{index}"),
        "ReturnData": true,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace, "MetricName": metric.name,
                "Dimensions": dimensions.collect::<Vec<_>>(),
            },
            "Period": time.period,
            "Stat": metric.statistic,
        },
    })
}

fn points(result: &Value) -> impl Iterator<Item = (i64, f64)> + '_ {
    let list = |name: &str| result[name].as_array().into_iter().flatten();
    let times = list("Timestamps").map(|at| at.as_f64().map(|seconds| seconds as i64));
    let values = list("Values").map(Value::as_f64);
    times.zip(values).filter_map(|(at, value)| Some((at?, value.filter(|value| value.is_finite())?)))
}
