//! How target tracking decides (docs/aws/autoscaling.md#target-tracking): from what was measured to a
//! capacity. Nothing here looks at anything but its arguments.

use serde_json::Value;

use super::policy::{HIGH, LOW, TrackingAlarm};
use crate::clock::Millis;
use crate::services::cloudwatch::{self, AlarmState};

/// How a policy tracks its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tracking {
    pub goal: f64,
    /// In milliseconds.
    pub in_cooldown: Millis,
    pub out_cooldown: Millis,
    pub scales_in: bool,
}

impl Tracking {
    /// From a `TargetTrackingScalingPolicyConfiguration`, with the cooldown of what it scales when it has
    /// none.
    pub fn of(configuration: &Value, cooldown: Millis) -> Self {
        let given = |name: &str| {
            configuration[name].as_u64().map_or(cooldown, |seconds| seconds.saturating_mul(1_000))
        };
        Self {
            goal: configuration["TargetValue"].as_f64().unwrap_or_default(),
            in_cooldown: given("ScaleInCooldown"),
            out_cooldown: given("ScaleOutCooldown"),
            scales_in: configuration["DisableScaleIn"] != true,
        }
    }
}

/// What is scaled, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub capacity: u64,
    pub least: u64,
    pub most: u64,
    /// The last change that an alarm has caused.
    pub last: Option<Change>,
    pub now: Millis,
}

/// A change of the capacity that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub from: u64,
    pub to: u64,
    pub ended: Millis,
}

/// What one policy decides. The order is that of [`agreed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    In(u64),
    Stay,
    Out(u64),
}

/// How many values [`decide`] looks at: one a minute.
pub(super) const MINUTES: usize = LOW.minutes;

/// What a policy wants after the last [`MINUTES`] whole minutes, the oldest first.
pub(super) fn decide(minutes: &[Option<f64>], tracking: &Tracking, state: &State) -> Decision {
    if alarmed(&HIGH, minutes, tracking.goal) {
        return match more(minutes, tracking, state) {
            capacity if capacity > state.capacity => Decision::Out(capacity),
            _ => Decision::Stay,
        };
    }
    if tracking.scales_in && alarmed(&LOW, minutes, tracking.goal) && may_shrink(minutes, tracking, state) {
        return Decision::In(state.capacity - 1);
    }
    Decision::Stay
}

/// Any policy may scale out, all have to agree to scale in, and the one that wants most decides: so the
/// greatest decision is what they agree on. `None`: there is no policy.
pub(super) fn agreed(decisions: &[Decision]) -> Option<Decision> {
    decisions.iter().copied().max()
}

fn alarmed(side: &TrackingAlarm, minutes: &[Option<f64>], goal: f64) -> bool {
    let seen = &minutes[minutes.len().saturating_sub(side.minutes)..];
    cloudwatch::evaluate(&side.condition(goal), seen) == AlarmState::Alarm
}

/// `⌈capacity · metric / goal⌉` within the range. While the last scale-out cools down, what it has brought
/// counts as part of what is wanted now, so that only a larger one starts.
fn more(minutes: &[Option<f64>], tracking: &Tracking, state: &State) -> u64 {
    let Some(metric) = minutes.iter().rev().find_map(|value| *value) else { return state.capacity };
    let wanted = (state.capacity as f64 * metric / tracking.goal).ceil() as u64;
    let brought = match state.last {
        Some(last) if last.to > last.from && state.now < last.ended + tracking.out_cooldown => {
            last.to - last.from
        }
        _ => 0,
    };
    wanted.saturating_sub(brought).min(state.most)
}

/// One less at a time, and only if that would keep the goal at the height of the last minutes: AWS is slower
/// to take away than to give.
fn may_shrink(minutes: &[Option<f64>], tracking: &Tracking, state: &State) -> bool {
    let peak = minutes.iter().flatten().copied().fold(0.0, f64::max);
    let cool = state.last.is_none_or(|last| state.now >= last.ended + tracking.in_cooldown);
    let shrinks = state.capacity > state.least.max(1);
    cool && shrinks && state.capacity as f64 * peak <= (state.capacity - 1) as f64 * tracking.goal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The case's numbers: ten a minute and instance, 30 s, one to four.
    const CASE: Tracking =
        Tracking { goal: 10.0, in_cooldown: 30_000, out_cooldown: 30_000, scales_in: true };
    const MINUTE: Millis = 60_000;

    fn state(capacity: u64) -> State {
        State { capacity, least: 1, most: 4, last: None, now: 100 * MINUTE }
    }

    /// Quiet for fifteen minutes but for the last ones.
    fn last(values: &[f64]) -> Vec<Option<f64>> {
        let quiet = std::iter::repeat_n(0.0, MINUTES - values.len());
        quiet.chain(values.iter().copied()).map(Some).collect()
    }

    #[test]
    fn three_minutes_above_the_goal_scale_out_to_what_the_formula_gives() {
        let table: [(&[f64], u64, Decision); 7] = [
            (&[50.0, 50.0], 1, Decision::Stay),
            (&[50.0, 50.0, 50.0], 1, Decision::Out(4)),
            (&[11.0, 11.0, 11.0], 1, Decision::Out(2)),
            (&[50.0, 10.0, 50.0], 1, Decision::Stay),
            // The last minute counts, not the highest.
            (&[50.0, 50.0, 15.0], 2, Decision::Out(3)),
            (&[50.0, 50.0, 50.0], 4, Decision::Stay),
            (&[10.0, 10.0, 10.0], 2, Decision::Stay),
        ];
        for (values, capacity, expected) in table {
            assert_eq!(decide(&last(values), &CASE, &state(capacity)), expected, "{values:?} of {capacity}");
        }
    }

    #[test]
    fn fifteen_quiet_minutes_take_one_away() {
        let quiet = last(&[]);
        assert_eq!(decide(&quiet, &CASE, &state(4)), Decision::In(3));
        assert_eq!(decide(&quiet, &CASE, &state(1)), Decision::Stay, "never below the minimum");
        assert_eq!(
            decide(&last(&[9.5]), &CASE, &state(4)),
            Decision::Stay,
            "not below nine tenths of the goal"
        );
        let mut early = quiet.clone();
        early[0] = None;
        assert_eq!(decide(&early, &CASE, &state(4)), Decision::Stay, "fourteen are too few");
        // Two instances with 6 each would be one with 12.
        let six = vec![Some(6.0); MINUTES];
        assert_eq!(decide(&six, &CASE, &state(2)), Decision::Stay);
        assert_eq!(decide(&six, &CASE, &state(3)), Decision::In(2));
        assert_eq!(decide(&quiet, &Tracking { scales_in: false, ..CASE }, &state(4)), Decision::Stay);
        assert_eq!(decide(&vec![None; MINUTES], &CASE, &state(4)), Decision::Stay, "nothing is known");
    }

    #[test]
    fn cooldowns_hold() {
        let change = |from, to, ago| Some(Change { from, to, ended: 100 * MINUTE - ago });
        let seen = |capacity, last| State { last, ..state(capacity) };
        let busy = last(&[14.0, 14.0, 14.0]);
        let patient = Tracking { out_cooldown: 300_000, in_cooldown: 300_000, ..CASE };
        // Three are wanted, and one of them has just come.
        assert_eq!(decide(&busy, &patient, &seen(2, change(1, 2, MINUTE))), Decision::Stay);
        assert_eq!(decide(&busy, &patient, &seen(2, change(1, 2, 5 * MINUTE))), Decision::Out(3));
        let flood = last(&[20.0, 20.0, 20.0]);
        assert_eq!(
            decide(&flood, &patient, &seen(2, change(1, 2, MINUTE))),
            Decision::Out(3),
            "a larger one starts"
        );
        // A scale-in does not hold up a scale-out, and either holds up a scale-in.
        assert_eq!(decide(&busy, &patient, &seen(2, change(3, 2, MINUTE))), Decision::Out(3));
        assert_eq!(decide(&last(&[]), &patient, &seen(2, change(3, 2, MINUTE))), Decision::Stay);
        assert_eq!(decide(&last(&[]), &patient, &seen(2, change(3, 2, 5 * MINUTE))), Decision::In(1));
    }

    #[test]
    fn any_policy_scales_out_and_all_scale_in() {
        assert_eq!(agreed(&[Decision::In(1), Decision::Out(3), Decision::Out(2)]), Some(Decision::Out(3)));
        assert_eq!(agreed(&[Decision::In(1), Decision::In(2)]), Some(Decision::In(2)));
        assert_eq!(agreed(&[Decision::In(1), Decision::Stay]), Some(Decision::Stay));
        assert_eq!(agreed(&[]), None);
    }
}
