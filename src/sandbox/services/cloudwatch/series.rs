//! What was measured: per metric, one set of statistics per minute.
//!
//! Measurements are appended to a file per metric and summed up in memory, so that a measurement costs one
//! line and a read costs its range.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::files::file_name;
use crate::state::SandboxState;

/// In milliseconds.
pub const MINUTE: Millis = 60_000;
/// AWS keeps data of one minute for 15 days.
const MOST_MINUTES: usize = 15 * 24 * 60;

/// A metric: namespace, name and dimensions in any order.
#[derive(Clone, Copy, Debug)]
pub struct MetricId<'a> {
    pub namespace: &'a str,
    pub metric: &'a str,
    pub dimensions: &'a [(&'a str, String)],
    /// `Count`, `Milliseconds`, … or `None`.
    pub unit: &'a str,
}

impl MetricId<'_> {
    fn key(&self) -> String {
        let mut dimensions: Vec<String> =
            self.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        dimensions.sort();
        format!("{}|{}|{}", self.namespace, self.metric, dimensions.join(","))
    }
}

/// The statistics of some measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    pub sum: f64,
    pub minimum: f64,
    pub maximum: f64,
    pub count: f64,
}

impl Statistics {
    /// Of one measurement.
    pub fn one(value: f64) -> Self {
        Self { sum: value, minimum: value, maximum: value, count: 1.0 }
    }

    /// Of both together.
    pub fn join(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
            count: self.count + other.count,
        }
    }

    /// By AWS's name; `None` for a name that is none of the five. Percentiles need all values, which are not
    /// kept.
    pub fn named(&self, statistic: &str) -> Option<f64> {
        match statistic {
            "Sum" => Some(self.sum),
            "Average" => Some(self.sum / self.count),
            "Minimum" => Some(self.minimum),
            "Maximum" => Some(self.maximum),
            "SampleCount" => Some(self.count),
            _ => None,
        }
    }
}

/// One line of a file.
#[derive(Serialize, Deserialize)]
struct Line {
    at: Millis,
    unit: String,
    #[serde(flatten)]
    statistics: Statistics,
}

#[derive(Debug, Default)]
struct Series {
    unit: String,
    minutes: BTreeMap<Millis, Statistics>,
}

impl Series {
    fn add(&mut self, line: Line) {
        let minute = line.at - line.at % MINUTE;
        let so_far = self.minutes.get(&minute);
        let joined = so_far.map_or(line.statistics, |so_far| so_far.join(line.statistics));
        self.minutes.insert(minute, joined);
        self.unit = line.unit;
        if self.minutes.len() > MOST_MINUTES {
            self.minutes.pop_first();
        }
    }

    /// A line torn by a kill is no measurement.
    fn load(path: &Path) -> Self {
        let mut series = Self::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|line| series.add(line));
        series
    }
}

/// All metrics that were touched since the start, by file.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<HashMap<PathBuf, Series>>);

impl Metrics {
    fn with<T>(
        &self,
        shared: &SandboxState,
        region: &str,
        measure: &MetricId<'_>,
        see: impl FnOnce(&Path, &mut Series) -> T,
    ) -> T {
        let path = shared.root.join("metrics").join(region).join(file_name(&measure.key()) + ".jsonl");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(path.clone()).or_insert_with(|| Series::load(&path));
        see(&path, series)
    }

    /// Adds what was measured at a time.
    pub fn add(
        &self,
        shared: &SandboxState,
        region: &str,
        measure: &MetricId<'_>,
        at: Millis,
        statistics: Statistics,
    ) -> io::Result<()> {
        self.with(shared, region, measure, |path, series| {
            let line = Line { at, unit: measure.unit.to_owned(), statistics };
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            // The line break comes first, so that a line torn by a kill spoils no other.
            let text = format!("\n{}", serde_json::to_string(&line)?);
            File::options().create(true).append(true).open(path)?.write_all(text.as_bytes())?;
            series.add(line);
            Ok(())
        })
    }

    /// Unit, and periods of `[from, to)` in which something was measured, each by its start.
    pub fn read(
        &self,
        shared: &SandboxState,
        region: &str,
        measure: &MetricId<'_>,
        from: Millis,
        to: Millis,
        period: Millis,
    ) -> (String, BTreeMap<Millis, Statistics>) {
        self.with(shared, region, measure, |_, series| {
            let mut periods: BTreeMap<Millis, Statistics> = BTreeMap::new();
            let from = from - from % period;
            for (minute, statistics) in series.minutes.range(from..to.max(from)) {
                let start = minute - minute % period;
                let joined = periods.get(&start).map_or(*statistics, |so_far| so_far.join(*statistics));
                periods.insert(start, joined);
            }
            (series.unit.clone(), periods)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sandbox, SandboxOptions};

    #[tokio::test]
    async fn measurements_are_summed_by_period_and_survive_a_torn_line() {
        let root = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(SandboxOptions::new(root.path())).await.unwrap();
        let dimensions = [("A", "1".to_owned()), ("B", "2".to_owned())];
        let measure = MetricId { namespace: "N", metric: "m", dimensions: &dimensions, unit: "Count" };
        let add = |metrics: &Metrics, at, value| {
            metrics.add(sandbox.state(), "r", &measure, at, Statistics::one(value)).unwrap();
        };
        let metrics = Metrics::default();
        add(&metrics, 0, 1.0);
        add(&metrics, MINUTE - 1, 5.0);
        let folder = root.path().join("metrics/r");
        let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        File::options().append(true).open(path).unwrap().write_all(b"\n{\"at\":1,").unwrap();
        add(&Metrics::default(), 2 * MINUTE, 3.0);

        // The same dimensions in another order are the same metric.
        let dimensions = [("B", "2".to_owned()), ("A", "1".to_owned())];
        let measure = MetricId { dimensions: &dimensions, unit: "", ..measure };
        let read = |to, period| Metrics::default().read(sandbox.state(), "r", &measure, 0, to, period);
        let (unit, minutes) = read(3 * MINUTE, MINUTE);
        assert_eq!(unit, "Count");
        assert_eq!(minutes.keys().copied().collect::<Vec<_>>(), [0, 2 * MINUTE]);
        let first = Statistics { sum: 6.0, minimum: 1.0, maximum: 5.0, count: 2.0 };
        assert_eq!((minutes[&0], first.named("Average"), first.named("p90")), (first, Some(3.0), None));
        assert_eq!(read(2 * MINUTE, MINUTE).1.len(), 1, "the end is not in the range");
        assert_eq!(read(5 * MINUTE, 5 * MINUTE).1[&0].sum, 9.0);
        sandbox.stop().await;
    }
}
