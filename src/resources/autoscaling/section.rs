//! `[endpoint.NAME.autoscaling]`: what the user writes.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::numbers::{TARGET, TARGETS};
use super::{Autoscaling, Spec};
use crate::desired::{Draft, Kind as _};
use crate::domain::{HumanDuration, KeyPath, ResourceId, action, codes};
use crate::resources::schedule::Schedule;

/// `[endpoint.NAME.autoscaling]`: target tracking on `SageMakerVariantInvocationsPerInstance`. Not for
/// burstable instance types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scaling")]
pub struct Section {
    /// Keep at least this many instances.
    min: i32,
    /// Keep at most this many instances; not below `min`.
    max: i32,
    /// The invocations per instance per MINUTE that scaling aims at, on average: 10 is one every six seconds.
    #[serde(default = "ten")]
    target_invocations_per_instance: f64,
    /// How long after a scale-in the next one may begin.
    #[serde(default = "cooldown")]
    scale_in_cooldown: HumanDuration,
    /// How long after a scale-out the next one may begin.
    #[serde(default = "cooldown")]
    scale_out_cooldown: HumanDuration,
}

fn ten() -> f64 {
    10.0
}
fn cooldown() -> HumanDuration {
    HumanDuration::seconds(Autoscaling::COOLDOWN_S as u64)
}

impl Section {
    fn spec(&self) -> Spec {
        Spec {
            min: self.min,
            max: self.max,
            target: self.target_invocations_per_instance,
            scale_in_cooldown_s: self.scale_in_cooldown.as_secs() as i32,
            scale_out_cooldown_s: self.scale_out_cooldown.as_secs() as i32,
        }
    }

    /// Adds the part on an endpoint of this name, physical name and id.
    pub fn add(&self, name: &str, physical: &str, endpoint: ResourceId, at: KeyPath, draft: &mut Draft<'_>) {
        let resource = Autoscaling::resource_id(physical);
        // A target outlives its endpoint, and its alarms are billed.
        let (id, scope) = (Autoscaling::id(name), draft.scope);
        let input = json!({
            "ServiceNamespace": Autoscaling::NAMESPACE, "ResourceId": resource,
            "ScalableDimension": Autoscaling::DIMENSION,
        });
        let mut deregister = Schedule::grant(
            &[action::autoscaling::DeregisterScalableTarget],
            scope.arn("application-autoscaling", "scalable-target/*"),
        );
        deregister["Condition"] = Autoscaling::condition();
        let alarms = scope.arn("cloudwatch", &format!("alarm:TargetTracking-{resource}-*"));
        let grants = vec![deregister, Schedule::grant(&[action::cloudwatch::DeleteAlarms], alarms)];
        let call = ("applicationautoscaling", "deregisterScalableTarget");
        let ends = Schedule::ends(draft, &id, call, input, grants);
        let needs = [endpoint].into_iter().chain(ends);
        draft.add::<Autoscaling>(name, resource, self.spec(), needs, at);
    }

    /// Reports what is wrong with it on an endpoint whose table is at `at`.
    pub fn lint(&self, instance_type: &str, at: &KeyPath, draft: &mut Draft<'_>) {
        if let Some(text) = Autoscaling::unsupported_on(instance_type) {
            let (key, help) = (at.join("instance_type"), "use ml.m5.large, or remove `autoscaling`");
            draft.error(codes::BURSTABLE_SCALING, key, text, help);
        }
        let at = at.join("autoscaling");
        let spec = self.spec();
        for refused in spec.refused() {
            draft.error(refused.code, at.join(refused.key), refused.text, refused.help);
        }
        // Far below that, it is refused.
        if spec.target > 0.0 && TARGETS.contains(&spec.target) && spec.target <= 60.0 {
            let default = if draft.is_written(&at.join(TARGET)) { "" } else { "the default target of " };
            let (target, second) = (spec.target, spec.target / 60.0);
            let text = format!(
                "{default}{target} is per instance per minute: {second:.2} requests a second are enough to \
                 add an instance"
            );
            let help =
                "load-test one instance: target = highest requests per second it can sustain × 0.5 × 60";
            draft.warn(codes::PER_MINUTE, at.join(TARGET), text, help);
        }
        for (name, cooldown, points) in [
            ("scale_in_cooldown", self.scale_in_cooldown, 15),
            ("scale_out_cooldown", self.scale_out_cooldown, 3),
        ] {
            // Of the default nobody needs to be told that it does no harm.
            if cooldown < HumanDuration::minutes(1) && draft.is_written(&at.join(name)) {
                let text = format!(
                    "{cooldown} is shorter than the alarm can react: it needs {points} one-minute points"
                );
                let default = HumanDuration::seconds(Autoscaling::AWS_COOLDOWN_S as u64);
                let help = format!(
                    "it does no harm, but it does not make scaling faster; AWS's default is {default}"
                );
                draft.warn(codes::SHORT_COOLDOWN, at.join(name), text, help);
            }
        }
    }
}
