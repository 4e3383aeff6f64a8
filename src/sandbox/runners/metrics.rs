//! Metric definitions of a training job: regular expressions over its log
//! (docs/aws/sagemaker-training.md#metrics).

use std::sync::{Mutex, PoisonError};

use regex_lite::Regex;

/// One metric definition. The first group of the expression is the value.
#[derive(Clone, Debug)]
pub struct Metric {
    pub name: String,
    pub regex: Regex,
}

impl Metric {
    /// The syntax is that of the crate `regex_lite`: no look-around, which AWS accepts.
    pub fn new(name: &str, regex: &str) -> Result<Self, regex_lite::Error> {
        Ok(Self { name: name.to_owned(), regex: Regex::new(regex)? })
    }

    /// The value in one line, if the line has one.
    pub fn value(&self, line: &str) -> Option<f64> {
        self.regex.captures(line)?.get(1)?.as_str().parse().ok()
    }
}

/// The last value of each metric: `FinalMetricDataList`. A metric that never appears is left out.
#[derive(Debug)]
pub struct LastValues(Vec<(Metric, Mutex<Option<f64>>)>);

impl LastValues {
    /// Those that are looked for.
    pub fn of(metrics: impl IntoIterator<Item = Metric>) -> Self {
        Self(metrics.into_iter().map(|metric| (metric, Mutex::default())).collect())
    }

    /// A line of the log, in its order: the values that are in it.
    pub fn see(&self, line: &str) -> Vec<(&str, f64)> {
        let seen = |(metric, last): &'_ (Metric, Mutex<Option<f64>>)| {
            let value = metric.value(line)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Some(value)
        };
        self.0.iter().filter_map(|one| Some((one.0.name.as_str(), seen(one)?))).collect()
    }

    /// Those that were seen, by name.
    pub fn all(&self) -> Vec<(String, f64)> {
        let value = |last: &Mutex<Option<f64>>| *last.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.iter().filter_map(|(metric, last)| Some((metric.name.clone(), value(last)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_a_silent_metric_is_left_out() {
        let last = LastValues::of([
            Metric::new("accuracy", r"accuracy=([0-9.]+)").unwrap(),
            Metric::new("loss", r"loss: (-?[0-9.eE+-]+)").unwrap(),
            Metric::new("absent", r"nothing ([0-9]+)").unwrap(),
        ]);
        for line in ["loss: 1.5 accuracy=0.5", "loss: -2e-3", "accuracy=0.75 done"] {
            last.see(line);
        }
        assert_eq!(last.see("nothing"), []);
        assert_eq!(last.all(), [("accuracy".to_owned(), 0.75), ("loss".to_owned(), -0.002)]);
    }
}
