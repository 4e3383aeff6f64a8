//! The numbers of `opsctl scale`.

/// What was given; the rest stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scale {
    pub min: Option<i64>,
    pub max: Option<i64>,
    /// Invocations per instance per minute.
    pub target: Option<f64>,
    /// Initialized environments of a function.
    pub provisioned_concurrency: Option<i64>,
}

impl Scale {
    /// Whether a number of instances was given.
    pub fn is_of_instances(&self) -> bool {
        self.min.is_some() || self.max.is_some() || self.target.is_some()
    }

    /// Whether a number of environments was given.
    pub fn is_of_environments(&self) -> bool {
        self.provisioned_concurrency.is_some()
    }

    /// Whether no number was given: everything becomes as the config says.
    pub fn is_of_config(&self) -> bool {
        !self.is_of_instances() && !self.is_of_environments()
    }
}

/// As AWS counts: what is beyond that is beyond any limit too.
pub fn count(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })
}
