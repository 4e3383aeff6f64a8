//! Measurements in their order.

use serde::Serialize;

use super::Time;

/// What a series is plotted over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Seconds since 1970.
    Time,
    /// What the job counts, such as `epoch`.
    Counted(String),
    /// The first measurement, the second, …
    Measurement,
}

/// A metric over time, or over what its job counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// Of a name, with points in the order of time.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        Self { name: name.into(), points: points.into_iter().filter(finite).collect() }
    }

    /// Whether it has no points.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The values without their times.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().map(|(_, y)| *y)
    }

    /// The value of the first point.
    pub fn first(&self) -> Option<f64> {
        self.values().next()
    }

    /// The value of the last point.
    pub fn last(&self) -> Option<f64> {
        self.values().last()
    }

    /// The smallest value.
    pub fn min(&self) -> Option<f64> {
        self.values().min_by(f64::total_cmp)
    }

    /// The largest value.
    pub fn max(&self) -> Option<f64> {
        self.values().max_by(f64::total_cmp)
    }

    /// All values together; zero without points.
    pub fn sum(&self) -> f64 {
        self.values().sum()
    }

    /// The mean of the points; `None`: there are none.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum() / self.points.len() as f64)
    }

    /// At most `most` points, which still show every peak: of each group of neighbors the largest stays.
    pub fn thinned(&self, most: usize) -> Self {
        let group = self.points.len().div_ceil(most.max(1)).max(1);
        let largest = |points: &[(f64, f64)]| points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        Self { name: self.name.clone(), points: self.points.chunks(group).filter_map(largest).collect() }
    }
}

/// From then on it was so many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    pub at: Time,
    pub count: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_kept_and_what_is_no_number_is_not() {
        let series = Series::new("x", vec![(0.0, 1.0), (1.0, 9.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 3.0)]);
        assert_eq!(series.points.len(), 4);
        assert_eq!(series.thinned(2).points, [(1.0, 9.0), (4.0, 3.0)]);
        assert_eq!(series.thinned(0).points, [(1.0, 9.0)]);
        assert_eq!((series.min(), series.max(), series.mean()), (Some(1.0), Some(9.0), Some(3.75)));
        assert_eq!(Series::default().mean(), None);
    }
}
