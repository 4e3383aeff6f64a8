//! Metric definitions of a training job: regular expressions over its log
//! (docs/aws/sagemaker-training.md#metrics).

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

/// The last value of each metric: `FinalMetricDataList`. A metric that never appeared is left out.
pub fn last_values<S: AsRef<str>>(lines: &[S], metrics: &[Metric]) -> Vec<(String, f64)> {
    let last = |metric: &Metric| lines.iter().rev().find_map(|line| metric.value(line.as_ref()));
    metrics.iter().filter_map(|metric| Some((metric.name.clone(), last(metric)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_a_silent_metric_is_left_out() {
        let metrics = [
            Metric::new("accuracy", r"accuracy=([0-9.]+)").unwrap(),
            Metric::new("loss", r"loss: (-?[0-9.eE+-]+)").unwrap(),
            Metric::new("absent", r"nothing ([0-9]+)").unwrap(),
        ];
        let lines = ["loss: 1.5 accuracy=0.5", "loss: -2e-3", "accuracy=0.75 done"];
        assert_eq!(
            last_values(&lines, &metrics),
            [("accuracy".to_owned(), 0.75), ("loss".to_owned(), -0.002)]
        );
    }
}
