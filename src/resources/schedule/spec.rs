use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::section::NoSection;
use crate::desired::{Draft, Kind, Seen};
use crate::domain::{
    Action, Facts, FieldChange, HumanDuration, KeyPath, KindName, Needs, ResourceId, Scope, Usage, action,
    changes, codes, many,
};
use crate::resources::role::{Assumer, Role, policy};
use crate::resources::used;
use opsctl_iam::arn::Arn;

/// The group of schedules that end what bills.
pub struct Schedule;

/// As `ttl` asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// So long after a deploy.
    pub ttl_s: u64,
    pub role_arn: String,
    /// By the name of the schedule.
    pub ends: BTreeMap<String, Ends>,
}

/// A call that ends something: what Scheduler names a universal target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// `arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint`
    pub target: String,
    pub input: Value,
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What is in the group, by name.
    pub schedules: BTreeMap<String, Scheduled>,
    /// When all was last to end, in seconds since 1970; kept on the group, which outlives its schedules.
    pub ends_at: Option<i64>,
    /// AWS's clock at this look, and at the first look of this run: a deploy that takes long has renewed the
    /// end when it began, and need not do it again at its own end.
    pub now: i64,
    pub began: i64,
}

/// A schedule as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    #[serde(flatten)]
    pub ends: Ends,
    pub role_arn: String,
    /// In seconds since 1970; none when it is no one-time schedule in UTC.
    pub at: Option<i64>,
    /// It is enabled, exact, goes when it has fired, and is given up soon when its target refuses.
    pub is_usual: bool,
}

impl Schedule {
    /// The name of the only one.
    pub const MAIN: &'static str = "ttl";
    /// The tag of the group that says when all ends.
    pub const ENDS_TAG: &'static str = "opsctl:ends-at";
    /// For how long a target that refuses is tried again, as an endpoint does that is being made. Not longer:
    /// a project that was deployed again meanwhile is not to be ended by an old schedule.
    pub const RETRIED_S: i32 = 900;
    /// As often as that time has room for: AWS's own number.
    pub const ATTEMPTS: i32 = 185;
    /// An end that is this much earlier than a deploy would set it is left: not every deploy of an unchanged
    /// project has to write.
    const SLACK_S: i64 = 300;
    /// Characters of a schedule's name
    /// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).
    const LONGEST: usize = 64;
    const USER: &'static str = "schedule-ttl";

    /// The ARN of a schedule group.
    pub fn arn(scope: &Scope, group: &str) -> String {
        scope.arn("scheduler", &format!("schedule-group/{group}"))
    }

    /// Where the project has a `ttl`: lets it end this as well, and says what needs to be there before what
    /// is ended is made. `actions` are what the call needs on `resource`.
    pub fn ends(
        draft: &mut Draft<'_>,
        id: &ResourceId,
        call: (&str, &str),
        input: Value,
        grants: Vec<Value>,
    ) -> Option<ResourceId> {
        let ttl = draft.ttl()?;
        let (scope, at) = (draft.scope, KeyPath::of(["project", "ttl"]));
        let group = scope.physical(Self::MAIN);
        if draft.node(KindName::Schedule, Self::MAIN).is_none() {
            let assumer = Assumer::Scheduler { group: Self::arn(scope, &group) };
            let role = Role::of_user(Self::USER, assumer, Vec::new(), draft, &at);
            let role_arn = Role::arn(scope, Self::USER);
            let spec = Spec { ttl_s: ttl.as_secs(), role_arn, ends: BTreeMap::new() };
            draft.add::<Self>(Self::MAIN, group, spec, [role], at);
        }
        draft.amend::<Role>(Self::USER, |role| {
            if let Some(statements) = role.policy["Statement"].as_array_mut() {
                statements.extend(grants);
            }
        });
        let (service, operation) = call;
        let resource = format!("aws-sdk:{service}:{operation}");
        let (partition, region, account) = (&scope.partition, "", "");
        let target =
            Arn { partition, service: "scheduler", region, account, resource: &resource }.to_string();
        draft.amend::<Self>(Self::MAIN, |spec| {
            spec.ends.insert(Self::named(id), Ends { target, input });
        });
        Some(Self::id(Self::MAIN))
    }

    /// Warns of a job that may run longer than the project lives: it ends itself, but nothing else ends it.
    pub fn lint_job(max_runtime: HumanDuration, at: &KeyPath, draft: &mut Draft<'_>) {
        if let Some(ttl) = draft.ttl().filter(|ttl| *ttl < max_runtime) {
            let text = format!(
                "`max_runtime` is {max_runtime} and the project's `ttl` {ttl}: that does not end a job"
            );
            let help = "lower `max_runtime`, or allow C119 in [lint]";
            draft.warn(codes::OUTLIVES_TTL, at.join("max_runtime"), text, help);
        }
    }

    /// What a role needs to make one call.
    pub fn grant(actions: &[Action], resource: String) -> Value {
        policy::one(actions, resource)
    }

    /// `endpoint-numbers`; a name that is too long ends in a hash of all of it.
    fn named(id: &ResourceId) -> String {
        let name = format!("{}-{}", id.kind, id.name);
        if name.len() <= Self::LONGEST {
            return name;
        }
        let hash = blake3::hash(name.as_bytes()).to_hex();
        format!("{}-{}", &name[..Self::LONGEST - 11], &hash[..10])
    }
}

impl State {
    /// The earliest of the schedules.
    fn next(&self) -> Option<i64> {
        self.schedules.values().filter_map(|schedule| schedule.at).min()
    }

    /// Whether it has ended what it was to end.
    pub fn has_ended(&self) -> bool {
        self.schedules.is_empty() && self.ends_at.is_some_and(|at| at <= self.now)
    }

    /// When it ends what there is, or has ended it.
    pub fn end(&self) -> Option<i64> {
        self.next().or(self.ends_at)
    }
}

/// `2026-11-29T10:00:00Z`
pub fn moment(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(seconds.clamp(0, 253_402_300_799).unsigned_abs());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

impl Kind for Schedule {
    const NAME: KindName = KindName::Schedule;
    const STAYS: bool = false;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn wanted(want: &Spec) -> State {
        let at = i64::try_from(want.ttl_s).unwrap_or(i64::MAX);
        let scheduled = |ends: &Ends| Scheduled {
            ends: ends.clone(),
            role_arn: want.role_arn.clone(),
            at: Some(at),
            is_usual: true,
        };
        let schedules = want.ends.iter().map(|(name, ends)| (name.clone(), scheduled(ends))).collect();
        State { schedules, ends_at: Some(at), now: 0, began: 0 }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let ttl = HumanDuration::seconds(want.ttl_s);
        let due = seen.began + i64::try_from(want.ttl_s).unwrap_or_default();
        // Somebody may have put it off.
        let latest = due - seen.began + seen.now + Schedule::SLACK_S;
        let is_off = |at: i64| at < due - Schedule::SLACK_S || at > latest;
        let from = match (seen.has_ended(), seen.end()) {
            (true, Some(at)) => format!("ended at {}", moment(at)),
            (false, Some(at)) => moment(at),
            (_, None) => "none".to_owned(),
        };
        let times = || seen.schedules.values().map(|schedule| schedule.at);
        let unset = times().any(|at| at.is_none_or(is_off)) || seen.ends_at.is_none_or(is_off);
        let names = |all: Vec<&String>| match &all[..] {
            [] => "none".to_owned(),
            all => all.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
        };
        let differs = |name: &&String| {
            seen.schedules.get(*name).is_some_and(|schedule| {
                schedule.ends != want.ends[*name] || schedule.role_arn != want.role_arn || !schedule.is_usual
            })
        };
        let altered: Vec<&String> = want.ends.keys().filter(differs).collect();
        changes()
            .when(unset, "end", from, format!("{ttl} after this deploy"), Needs::Update)
            .field(
                "schedules",
                names(seen.schedules.keys().collect()),
                names(want.ends.keys().collect()),
                Needs::Update,
            )
            .when(!altered.is_empty(), "altered schedules", names(altered), "as generated", Needs::Update)
            .done()
    }

    fn summary(want: &Spec) -> String {
        format!("ends {} after {}", many(want.ends.len(), "resource"), HumanDuration::seconds(want.ttl_s))
    }

    fn usage(want: &Spec) -> Usage {
        Usage { ends_after: Some(HumanDuration::seconds(want.ttl_s)), ..Usage::default() }
    }

    fn uses(_: &str, seen: &State) -> Vec<(KindName, String)> {
        seen.schedules.values().map(|schedule| used::role(&schedule.role_arn)).collect()
    }

    fn facts(seen: &State) -> Facts {
        let end = seen.end().filter(|_| !seen.has_ended());
        let left = end.and_then(|at| u64::try_from(at - seen.now).ok());
        Facts { ends_at: end.map(moment), ends_in: left.map(HumanDuration::seconds), ..Facts::default() }
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(format!("scheduler/home?region={region}#schedule-groups/{physical}"))
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        vec![Self::arn(scope, physical), scope.arn("scheduler", &format!("schedule/{physical}/*"))]
    }

    fn calls() -> &'static [Action] {
        &[
            action::scheduler::GetScheduleGroup,
            action::scheduler::ListTagsForResource,
            action::scheduler::ListSchedules,
            action::scheduler::GetSchedule,
            action::scheduler::CreateScheduleGroup,
            action::scheduler::TagResource,
            action::scheduler::UntagResource,
            action::scheduler::CreateSchedule,
            action::scheduler::UpdateSchedule,
            action::scheduler::DeleteSchedule,
            action::scheduler::DeleteScheduleGroup,
        ]
    }
}
