//! What is worth knowing of a living resource besides its state.

use serde::Serialize;

/// Each fact is there when its kind has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Instances that serve now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The fewest instances that autoscaling keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// The most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
    /// Invocations per instance per minute that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Environments of a function that are initialized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm: Option<i32>,
}

impl Facts {
    /// With what a part of it knows.
    pub fn and(self, part: Self) -> Self {
        Self {
            instances: self.instances.or(part.instances),
            instance_type: self.instance_type.or(part.instance_type),
            min: self.min.or(part.min),
            max: self.max.or(part.max),
            target: self.target.or(part.target),
            warm: self.warm.or(part.warm),
        }
    }

    /// `1 × ml.m5.large`, `scales 1–4`, `2 warm`.
    pub fn words(&self) -> Vec<String> {
        let instances = match (self.instances, &self.instance_type) {
            (Some(count), Some(of)) => Some(format!("{count} × {of}")),
            (Some(1), None) => Some("1 instance".to_owned()),
            (Some(count), None) => Some(format!("{count} instances")),
            (None, of) => of.clone(),
        };
        let scales = self.min.zip(self.max).map(|(min, max)| format!("scales {min}–{max}"));
        let target = self.target.map(|target| format!("{target} invocations per instance per minute"));
        let warm = self.warm.map(|warm| format!("{warm} warm"));
        [instances, scales, target, warm].into_iter().flatten().collect()
    }
}
