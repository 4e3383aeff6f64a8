//! The metrics that the config defines, read from the job's log as it comes.

use std::collections::BTreeMap;

use regex_lite::Regex;

use crate::engine::{Event, OpCx};

/// Regular expressions over lines of a log; the first group is the value
/// (docs/aws/sagemaker-training.md#metrics).
#[derive(Debug, Default)]
pub struct Metrics(Vec<Metric>);

#[derive(Debug)]
struct Metric {
    name: String,
    regex: Regex,
    /// What it counts up to.
    of: Option<f64>,
}

impl Metrics {
    /// A metric `epoch` counts up to the hyperparameter `epochs`.
    pub fn of(metrics: &BTreeMap<String, String>, hyperparameters: &BTreeMap<String, String>) -> Self {
        let metric = |(name, pattern): (&String, &String)| {
            let short = name.rsplit(':').next().unwrap_or(name);
            let of = hyperparameters.get(&format!("{short}s")).and_then(|value| value.parse().ok());
            // Patterns that cannot be read were refused with the config.
            Some(Metric { name: name.clone(), regex: Regex::new(pattern).ok()?, of })
        };
        Self(metrics.iter().filter_map(metric).collect())
    }

    /// The values in one line: name, value, and what it counts up to.
    pub fn values<'a>(&'a self, line: &'a str) -> impl Iterator<Item = (&'a str, f64, Option<f64>)> + 'a {
        self.0.iter().filter_map(|metric| {
            let value: f64 = metric.regex.captures(line)?.get(1)?.as_str().parse().ok()?;
            value.is_finite().then_some((metric.name.as_str(), value, metric.of))
        })
    }

    /// The last value of each metric in a log.
    pub fn last(&self, log: &str) -> Vec<(String, f64)> {
        let mut last = BTreeMap::new();
        for line in log.lines() {
            last.extend(self.values(line).map(|(name, value, _)| (name.to_owned(), value)));
        }
        last.into_iter().collect()
    }

    /// Sends a line of the log as an event, and what it measures.
    pub fn tell(&self, cx: &OpCx<'_>, line: &str) {
        let line = line.trim_end();
        cx.tell(|step, target| Event::StepLog { step, target, line: line.to_owned() });
        for (name, value, of) in self.values(line) {
            let name = name.to_owned();
            cx.tell(|step, target| Event::StepMetric { step, target, name, value, of });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_measured_as_the_config_says() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let metrics = Metrics::of(
            &map(&[("train:epoch", "epoch=([0-9]+)"), ("loss", "loss=(\\S+)"), ("bad", "(")]),
            &map(&[("epochs", "40"), ("rate", "0.1")]),
        );
        let found: Vec<_> = metrics.values("epoch=3 loss=0.25").collect();
        assert_eq!(found, [("loss", 0.25, None), ("train:epoch", 3.0, Some(40.0))]);
        assert_eq!(metrics.values("loss=nan").count(), 0);
        let last = metrics.last("epoch=3 loss=0.25\nepoch=4 loss=x\nbye");
        assert_eq!(last, [("loss".to_owned(), 0.25), ("train:epoch".to_owned(), 4.0)]);
    }
}
