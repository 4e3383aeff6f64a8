use serde::{Deserialize, Serialize};

use super::{Autoscaling, Spec, numbers};
use crate::config::section::NoSection;
use crate::desired::{Kind, Scaled, Scaling, Seen};
use crate::domain::scale::count;
use crate::domain::usage::counted;
use crate::domain::{
    Action, Attributes, Diagnostic, Facts, FieldChange, HumanDuration, KeyPath, KindName, Needs, Scale,
    Scope, Usage, action, attributes, changes, codes, many, many_of,
};
use crate::limits::Bound;

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub min: i32,
    pub max: i32,
    /// Absent while a run was killed between target and policy.
    pub policy: Option<Policy>,
    /// Any of the three switches that keep a target from being scaled.
    pub suspended: bool,
    /// Names of policies beside ours: the target follows them all.
    pub more_policies: Vec<String>,
    /// Names of scheduled actions, which move minimum and maximum.
    pub scheduled: Vec<String>,
}

/// The numbers of its policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub target: f64,
    pub scale_in_cooldown_s: i32,
    pub scale_out_cooldown_s: i32,
    /// What the target is of; one of the caller's own has no name.
    pub metric: Option<String>,
    /// Scales out only.
    pub scale_in_disabled: bool,
}

impl Spec {
    /// What is deployed outranks the config: what was not given becomes as it is. The words say what that is.
    fn keep(&mut self, seen: &State, to: &Scale) -> Vec<String> {
        let file = self.clone();
        (self.min, self.max) = (seen.min, seen.max);
        let mut kept = Vec::new();
        let mut say = |given: bool, what: &str, value: String| {
            if !given {
                kept.push(format!("{what} kept at {value}"));
            }
        };
        say(to.min.is_some(), "min", seen.min.to_string());
        say(to.max.is_some(), "max", seen.max.to_string());
        if let Some(policy) = &seen.policy {
            self.target = policy.target;
            self.scale_in_cooldown_s = policy.scale_in_cooldown_s;
            self.scale_out_cooldown_s = policy.scale_out_cooldown_s;
            say(to.target.is_some(), "target", policy.target.to_string());
            // No flag gives these: worth a word only where the config says otherwise.
            let cooldown = |seconds: i32| HumanDuration::seconds(seconds as u64).to_string();
            for (what, is, said) in [
                ("scale_in_cooldown", policy.scale_in_cooldown_s, file.scale_in_cooldown_s),
                ("scale_out_cooldown", policy.scale_out_cooldown_s, file.scale_out_cooldown_s),
            ] {
                say(is == said, what, cooldown(is));
            }
        }
        kept
    }
}

impl Kind for Autoscaling {
    const NAME: KindName = KindName::Autoscaling;
    const PART_OF: Option<KindName> = Some(KindName::Endpoint);
    const SCALED: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn part_on(whole: &str) -> Option<String> {
        Some(Self::resource_id(whole))
    }

    fn whole_of(physical: &str) -> Option<&str> {
        physical.split('/').nth(1)
    }

    fn scaled(scaling: &Scaling<'_, Self>) -> Option<Result<Scaled<Spec>, Diagnostic>> {
        let Scaling { whole, want, seen, to } = scaling;
        if to.is_of_environments() && !to.is_of_instances() {
            return None;
        }
        let physical = Self::resource_id(&whole.physical);
        let mut spec = match want {
            Some(want) => (*want).clone(),
            None => Spec {
                min: count(to.min?),
                max: count(to.max?),
                target: to.target?,
                scale_in_cooldown_s: Self::COOLDOWN_S,
                scale_out_cooldown_s: Self::COOLDOWN_S,
            },
        };
        let instances = whole.spec.usage().instances;
        if let Some(text) = instances.and_then(|instances| Self::unsupported_on(&instances.instance_type)) {
            let help = "use another `instance_type`";
            return Some(Err(Diagnostic::error(codes::BURSTABLE_SCALING, KeyPath::default(), text, help)));
        }
        if to.is_of_config() {
            return Some(Ok(Scaled { physical, spec, kept: Vec::new() }));
        }
        let kept = seen.map_or_else(Vec::new, |seen| spec.keep(&seen.state, to));
        spec.min = to.min.map_or(spec.min, count);
        spec.max = to.max.map_or(spec.max, count);
        spec.target = to.target.unwrap_or(spec.target);
        Some(match spec.wrong() {
            None => Ok(Scaled { physical, spec, kept }),
            Some(problem) => Err(problem),
        })
    }

    fn bound() -> &'static [Bound] {
        numbers::BOUND
    }

    fn items() -> Vec<&'static str> {
        vec!["endpoint", "*", "autoscaling"]
    }

    fn wanted(want: &Spec) -> State {
        State {
            min: want.min,
            max: want.max,
            policy: Some(Policy {
                target: want.target,
                scale_in_cooldown_s: want.scale_in_cooldown_s,
                scale_out_cooldown_s: want.scale_out_cooldown_s,
                metric: Some(Self::METRIC.to_owned()),
                scale_in_disabled: false,
            }),
            suspended: false,
            more_policies: Vec::new(),
            scheduled: Vec::new(),
        }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        let policy = seen.policy.as_ref();
        let cooldown = |seconds: i32| HumanDuration::seconds(seconds as u64).to_string();
        changes()
            .field("min", seen.min, want.min, Needs::Update)
            .field("max", seen.max, want.max, Needs::Update)
            .field("target", shown(policy.map(|p| p.target.to_string())), want.target, Needs::Update)
            .field(
                "scale_in_cooldown",
                shown(policy.map(|p| cooldown(p.scale_in_cooldown_s))),
                cooldown(want.scale_in_cooldown_s),
                Needs::Update,
            )
            .field(
                "scale_out_cooldown",
                shown(policy.map(|p| cooldown(p.scale_out_cooldown_s))),
                cooldown(want.scale_out_cooldown_s),
                Needs::Update,
            )
            .when(
                policy.is_some_and(|p| p.metric.as_deref() != Some(Self::METRIC)),
                "metric",
                shown(policy.and_then(|p| p.metric.clone())),
                Self::METRIC,
                Needs::Update,
            )
            .field("scale_in_disabled", policy.is_some_and(|p| p.scale_in_disabled), false, Needs::Update)
            .field("suspended", seen.suspended, false, Needs::Update)
            .when(
                !seen.more_policies.is_empty(),
                "more scaling policies",
                seen.more_policies.join(", "),
                "none",
                Needs::Update,
            )
            .when(
                !seen.scheduled.is_empty(),
                "scheduled actions",
                seen.scheduled.join(", "),
                "none",
                Needs::Update,
            )
            .done()
    }

    fn summary(want: &Spec) -> String {
        let (most, target) = (many(want.max, "instance"), many_of(want.target, "invocation"));
        format!("{} to {most}, {target} per instance per minute", want.min)
    }

    fn facts(seen: &State) -> Facts {
        let target = seen.policy.as_ref().map(|policy| policy.target);
        Facts { min: Some(seen.min), max: Some(seen.max), target, ..Facts::default() }
    }

    fn usage(want: &Spec) -> Usage {
        Usage { scaled: Some((counted(want.min), counted(want.max))), ..Usage::default() }
    }

    fn used(Seen { state, .. }: &Seen<State>) -> Usage {
        Usage { scaled: Some((counted(state.min), counted(state.max))), ..Usage::default() }
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let Some(endpoint) = Self::whole_of(physical) else { return Vec::new() };
        let mut arns = Self::arns_on(scope, endpoint);
        // https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html
        arns.push(scope.iam_arn(&format!(
            "role/aws-service-role/{}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
            Self::SERVICE
        )));
        arns
    }

    fn attributes(state: &State) -> Attributes {
        let policy = state.policy.as_ref();
        let (inward, outward) = policy
            .map(|policy| {
                (
                    attributes::seconds(policy.scale_in_cooldown_s),
                    attributes::seconds(policy.scale_out_cooldown_s),
                )
            })
            .unwrap_or_default();
        attributes::listed([
            ("Instances", format!("{} to {}", state.min, state.max)),
            ("Target", policy.map(|policy| policy.target.to_string()).unwrap_or_default()),
            ("Cooldown before scaling in", inward),
            ("Cooldown before scaling out", outward),
            ("Suspended", attributes::yes(state.suspended)),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::autoscaling::DescribeScalableTargets,
            action::autoscaling::DescribeScalingPolicies,
            action::autoscaling::DescribeScheduledActions,
            action::autoscaling::DeleteScheduledAction,
            action::autoscaling::RegisterScalableTarget,
            action::autoscaling::PutScalingPolicy,
            action::autoscaling::DeleteScalingPolicy,
            action::autoscaling::DeregisterScalableTarget,
        ]
    }
}
