//! What is worth knowing of a living resource besides its state.

use serde::Serialize;

use super::{HumanDuration, many, many_of};

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
    /// The HTTPS address of a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When what bills ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// The same from now on.
    #[serde(skip)]
    pub ends_in: Option<HumanDuration>,
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
            url: self.url.or(part.url),
            ends_at: self.ends_at.or(part.ends_at),
            ends_in: self.ends_in.or(part.ends_in),
        }
    }

    /// `1 × ml.m5.large`, `scales 1–4`, `2 warm`.
    pub fn words(&self) -> Vec<String> {
        let instances = match (self.instances, &self.instance_type) {
            (Some(count), Some(of)) => Some(format!("{count} × {of}")),
            (Some(count), None) => Some(many(count, "instance")),
            (None, of) => of.clone(),
        };
        let scales = self.min.zip(self.max).map(|(min, max)| format!("scales {min}–{max}"));
        let target = self.target.map(|target| many_of(target, "invocation") + " per instance per minute");
        let warm = self.warm.map(|warm| format!("{warm} warm"));
        let ends = self.ends_in.map(|left| format!("ends in {}", left.in_minutes()));
        let url = self.url.as_deref().map(|url| super::shown::line(url).into_owned());
        [instances, scales, target, warm, url, ends].into_iter().flatten().collect()
    }
}
