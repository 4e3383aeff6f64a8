//! ○ Which services roles used, from IAM's service-last-accessed reports.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html>
//!
//! A report is a job, started and then polled until it is done: at least two calls. So roles that need none
//! are skipped, and policies are asked before roles: one report on a policy tells which of its services
//! *none* of its holders used, and who used the others last. Only a role that this leaves open gets a report
//! of its own. The data lags behind by some four hours, so reports are kept that long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_iam::types::{AccessAdvisorUsageGranularityType as Level, JobStatusType, ServiceLastAccessed};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::answers;
use super::collect::{PAGE, next, patient};
use crate::audit::account::{Account, Role};
use crate::audit::role_view::RoleKind;
use crate::audit::usage::{ActionUse, ServiceUse};
use crate::audit::{Instant, Settings, Usage};
use crate::aws::{OpError, OpErrorKind, OpResult, PollPace, SdkResultExt};
use crate::domain::{Action, action};

/// How long a report is as good as a new one, in seconds: IAM's own data is up to four hours old.
pub const FRESH: i64 = 4 * 3600;
/// Calls a second, for a service whose rates are low and shared by the whole account.
const RATE: u32 = 10;
const AT_ONCE: usize = 8;
/// IAM's own waiter does not exist; reports take seconds, large ones a minute.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const GIVE_UP: Duration = Duration::from_secs(300);

/// How much to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Services; policies first.
    Services,
    /// Also the actions that AWS tracks: a report per role.
    Actions,
}

/// Reports that were fetched, by ARN of a role or policy.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Reports {
    /// Version of this shape.
    pub format: u32,
    pub reports: BTreeMap<String, Report>,
}

/// One report.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// When it was fetched.
    pub at: Instant,
    /// Whether it has actions.
    pub actions: bool,
    pub services: Vec<ServiceUse>,
}

impl Reports {
    fn get(&self, arn: &str, detail: Detail, now: Instant) -> Option<&Report> {
        let enough = |report: &Report| report.actions || detail == Detail::Services;
        let fresh = |report: &&Report| now.0 - report.at.0 <= FRESH && enough(report);
        self.reports.get(arn).filter(fresh)
    }

    /// Reads what [`Self::to_text`] wrote; what is of another shape, or too old to be used again, counts for
    /// nothing.
    pub fn read(text: &str, now: Instant) -> Self {
        let mut read: Self = serde_json::from_str(text).unwrap_or_default();
        read.reports.retain(|_, report| (0..=FRESH).contains(&(now.0 - report.at.0)));
        Self { format: 1, ..read }
    }

    /// The cache as it is written to its file.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("reports are text and times")
    }

    /// When the oldest report was fetched.
    pub fn oldest(&self) -> Option<Instant> {
        self.reports.values().map(|report| report.at).min()
    }
}

/// What was asked, and what was answered.
#[derive(Debug, Default)]
pub struct Fetched {
    pub usage: Usage,
    /// Reports of this run, and reports from the cache.
    pub asked: usize,
    pub cached: usize,
    pub problems: Vec<String>,
}

/// The roles worth a report: those that a person may narrow, that are in use, and that are old enough to be
/// judged. What is stale or was never used is known from its latest use; a list of services would add
/// nothing.
pub fn candidates<'a>(account: &'a Account, settings: &Settings) -> Vec<&'a Role> {
    let wanted = |role: &&Role| {
        let ordinary = matches!(RoleKind::of(role), RoleKind::Ordinary);
        let old = |day: Instant| day.days_until(settings.now) > settings.stale_after_days;
        let used = role.last_used.as_ref().and_then(|used| used.date).is_some_and(|day| !old(day));
        let grants = !role.attached.is_empty() || !role.inline.is_empty();
        ordinary && used && grants && role.create_date.is_some_and(old) && !settings.is_break_glass(role)
    };
    account.roles.iter().filter(wanted).collect()
}

/// Asks for reports, rate-limited.
#[derive(Debug)]
pub struct Reporter<'c> {
    iam: &'c aws_sdk_iam::Client,
    pace: PollPace,
    detail: Detail,
    /// The time of this machine, which the age of reports is counted from.
    clock: Instant,
    interval: Mutex<Interval>,
}

impl<'c> Reporter<'c> {
    /// A source that asks this client, at that pace, in so much detail; `clock` says how old answers are.
    pub fn new(iam: &'c aws_sdk_iam::Client, pace: PollPace, detail: Detail, clock: Instant) -> Self {
        let mut interval = interval(pace.interval(Duration::from_secs(1) / RATE, Duration::ZERO));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { iam, pace, detail, clock, interval: Mutex::new(interval) }
    }

    /// Fetches what the candidates need. `known` is what is there already, and receives what is fetched.
    pub async fn fetch(&self, account: &Account, settings: &Settings, known: &mut Reports) -> Fetched {
        let roles = candidates(account, settings);
        let mut fetched = Fetched::default();
        let with_policies = self.detail == Detail::Services;
        if with_policies && !self.reports(shared_policies(&roles), known, &mut fetched).await {
            return fetched;
        }
        let mut open = BTreeSet::new();
        for role in roles {
            match self.settled(role, known, settings).filter(|_| with_policies) {
                Some(services) => {
                    fetched.usage.roles.insert(role.arn.clone(), services);
                }
                None => {
                    open.insert(role.arn.clone());
                }
            }
        }
        self.reports(open.clone(), known, &mut fetched).await;
        for arn in open {
            if let Some(report) = known.get(&arn, self.detail, self.clock) {
                fetched.usage.roles.insert(arn, report.services.clone());
            }
        }
        fetched
    }

    /// What a role used, if the reports on its policies tell: of each service that nobody, or this role, used
    /// it last.
    fn settled(&self, role: &Role, known: &Reports, settings: &Settings) -> Option<Vec<ServiceUse>> {
        if !role.inline.is_empty() {
            return None;
        }
        let mut services: BTreeMap<String, ServiceUse> = BTreeMap::new();
        for policy in &role.attached {
            for service in &known.get(&policy.arn, Detail::Services, self.clock)?.services {
                let used = service.last_authenticated;
                let is_mine = service.last_entity.as_deref() == Some(role.arn.as_str());
                let by_nobody = used.is_none_or(|at| at.days_until(settings.now) > settings.stale_after_days);
                if !is_mine && !by_nobody {
                    return None;
                }
                let entry = services.entry(service.service_namespace.clone()).or_default();
                entry.service_namespace.clone_from(&service.service_namespace);
                entry.last_authenticated = entry.last_authenticated.max(used);
            }
        }
        Some(services.into_values().collect())
    }

    /// Gets the reports that are not known yet. The first refusal of permission ends it, with `false`: the
    /// others would be the same.
    async fn reports(&self, arns: BTreeSet<String>, known: &mut Reports, fetched: &mut Fetched) -> bool {
        let (have, missing): (Vec<_>, Vec<_>) =
            arns.into_iter().partition(|arn| known.get(arn, self.detail, self.clock).is_some());
        fetched.cached += have.len();
        let mut answers = futures_util::stream::iter(missing)
            .map(|arn| async move {
                let report = self.report(&arn).await;
                (arn, report)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((arn, report)) = answers.next().await {
            fetched.asked += 1;
            match report {
                Ok(services) => {
                    let actions = self.detail == Detail::Actions;
                    known.reports.insert(arn, Report { at: self.clock, actions, services });
                }
                // A role that was deleted since it was listed has no use to tell of.
                Err(error) if error.kind == OpErrorKind::NotFound => {}
                Err(error) => {
                    fetched.problems.push(format!("the use of {arn} could not be read: {error}"));
                    if error.kind == OpErrorKind::Denied {
                        return false;
                    }
                }
            }
        }
        true
    }

    async fn turn(&self) {
        self.interval.lock().await.tick().await;
    }

    async fn report(&self, arn: &str) -> OpResult<Vec<ServiceUse>> {
        const GENERATE: Action = action::iam::GenerateServiceLastAccessedDetails;
        const GET: Action = action::iam::GetServiceLastAccessedDetails;
        let level = if self.detail == Detail::Actions { Level::ActionLevel } else { Level::ServiceLevel };
        self.turn().await;
        let call = self.iam.generate_service_last_accessed_details().arn(arn).granularity(level);
        let begun = call.customize().config_override(patient()).send().await.op(GENERATE)?;
        let job = begun.job_id().unwrap_or_default().to_owned();
        let begin = tokio::time::Instant::now();
        let mut looks = interval(self.pace.interval(LOOK_EVERY, Duration::from_secs(1)));
        looks.tick().await;
        let mut services = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            if services.is_empty() {
                looks.tick().await;
            }
            self.turn().await;
            let call = self.iam.get_service_last_accessed_details().job_id(&job).max_items(PAGE);
            let call = call.set_marker(marker.clone()).customize().config_override(patient());
            let page = call.send().await.op(GET)?;
            match page.job_status() {
                JobStatusType::Completed => {}
                JobStatusType::InProgress if begin.elapsed() < GIVE_UP => continue,
                JobStatusType::InProgress => {
                    let message = format!("the report is not done after {} s", GIVE_UP.as_secs());
                    return Err(OpError::new(GET, OpErrorKind::TimedOut, message));
                }
                other => {
                    let why = page.error().map_or_else(|| other.to_string(), |e| e.message().to_owned());
                    let message = format!("the report failed: {why}");
                    return Err(OpError::new(GET, OpErrorKind::Unexpected, message));
                }
            }
            services.extend(page.services_last_accessed().iter().map(service));
            // Cut at 200 services unless paged to the end.
            marker = match next(GET, page.is_truncated(), page.marker(), marker.as_deref())? {
                Some(next) => Some(next),
                None => return Ok(services),
            };
        }
    }
}

/// Policies that a report on is cheaper than one on each holder.
fn shared_policies(roles: &[&Role]) -> BTreeSet<String> {
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    let attached = roles.iter().filter(|role| role.inline.is_empty()).flat_map(|role| &role.attached);
    attached.for_each(|policy| *holders.entry(&policy.arn).or_default() += 1);
    holders.into_iter().filter(|(_, n)| *n > 1).map(|(arn, _)| arn.to_owned()).collect()
}

fn service(service: &ServiceLastAccessed) -> ServiceUse {
    let instant = |at: &aws_smithy_types::DateTime| answers::time(at).and_then(|text| Instant::parse(&text));
    let action = |action: &aws_sdk_iam::types::TrackedActionLastAccessed| ActionUse {
        name: action.action_name().unwrap_or_default().to_owned(),
        last_accessed: action.last_accessed_time().and_then(instant),
    };
    ServiceUse {
        service_namespace: service.service_namespace().to_owned(),
        last_authenticated: service.last_authenticated().and_then(instant),
        last_entity: service.last_authenticated_entity().map(str::to_owned),
        tracked_actions_last_accessed: service.tracked_actions_last_accessed().iter().map(action).collect(),
    }
}
