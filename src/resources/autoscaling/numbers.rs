//! The numbers that AWS takes: in the file as on the command line of `opsctl scale`.

use serde_json::json;

use super::Spec;
use crate::domain::{Code, Diagnostic, KeyPath, codes};
use crate::limits::{self, Bound};

/// The key of the target.
pub const TARGET: &str = "target_invocations_per_instance";

/// What of it is sent as it is written.
pub const BOUND: &[Bound] = &[
    Bound::value("min", "application-autoscaling:RegisterScalableTarget.MinCapacity"),
    Bound::value("max", "application-autoscaling:RegisterScalableTarget.MaxCapacity"),
    Bound::seconds(
        "scale_in_cooldown",
        "application-autoscaling:PutScalingPolicy.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown",
    ),
    Bound::seconds(
        "scale_out_cooldown",
        "application-autoscaling:PutScalingPolicy.TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown",
    ),
    Bound::value(
        TARGET,
        "application-autoscaling:PutScalingPolicy.TargetTrackingScalingPolicyConfiguration.TargetValue",
    ),
];

/// "It won't accept values that are either too small or too large": 2^-360 to 2^360
/// (<https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html>).
pub const TARGETS: std::ops::RangeInclusive<f64> = 4.26e-109..=2.34e108;

/// Numbers that AWS does not take, beside those that its models refuse.
pub struct Refused {
    pub key: &'static str,
    pub code: Code,
    pub text: String,
    pub help: &'static str,
}

impl Spec {
    /// All that is wrong with them.
    pub(super) fn refused(&self) -> Vec<Refused> {
        let Self { min, max, target, .. } = self;
        let mut refused = Vec::new();
        if min > max {
            let text = format!("`min` ({min}) is above `max` ({max})");
            refused.push(Refused { key: "max", code: codes::BAD_RANGE, text, help: "swap them" });
        }
        let help = "write the invocations per instance per minute";
        if target.is_nan() || *target <= 0.0 {
            let text = "the target must be above zero".to_owned();
            refused.push(Refused { key: TARGET, code: codes::BAD_VALUE, text, help });
        } else if !TARGETS.contains(target) {
            let text = format!("`{TARGET}` is {target:e}, which Application Auto Scaling does not take");
            refused.push(Refused { key: TARGET, code: codes::LIMIT, text, help });
        }
        refused
    }

    /// What is wrong with numbers of the command line, laid over what is deployed: the first of what
    /// is refused.
    pub(super) fn wrong(&self) -> Option<Diagnostic> {
        let sent = json!({ "min": self.min, "max": self.max });
        let by_model = limits::check(BOUND, &sent, &KeyPath::default()).into_iter().next();
        by_model.map(|problem| Diagnostic { at: KeyPath::default(), ..problem }).or_else(|| {
            let Refused { code, text, help, .. } = self.refused().into_iter().next()?;
            // Half of a range may be from what is deployed.
            let help = if code == codes::BAD_RANGE { "give --min and --max together" } else { help };
            Some(Diagnostic::error(code, KeyPath::default(), text, help))
        })
    }
}
