//! What `opsctl report` shows, as one typed value: gathered by [`crate::run`], rendered by [`crate::report`].
//! Nothing here asks or renders, and everything in it that has a name from outside is untrusted text.

mod series;
mod time;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::audit::{Finding, NotEvaluated};
use crate::domain::{Facts, KindName, Money, Phase, ResourceId, Status};

pub use series::{Axis, Series, Step};
pub use time::Time;

/// A deployed project, with what shows that it works.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Version of this shape.
    pub format: u32,
    /// Of opsctl.
    pub version: &'static str,
    pub written_at: Time,
    pub project: String,
    pub environment: String,
    pub account: String,
    pub region: String,
    /// The account and region for people: `SANDBOX, us-east-1`.
    pub target: String,
    /// What could not be read, and why. Not one of these sections is simply empty.
    pub gaps: Vec<Gap>,
    /// What opsctl warns of in this config.
    pub advice: Vec<Advice>,
    /// In the order of dependency.
    pub resources: Vec<Resource>,
    /// Of this project, and no longer in the config.
    pub leftovers: Vec<Leftover>,
    /// What trained: on SageMaker and on EC2. What serves comes before what the config asks for now.
    pub jobs: Vec<Job>,
    pub endpoints: Vec<Traffic>,
    pub functions: Vec<FunctionTraffic>,
    /// `None`: nobody asked for one.
    pub invocation: Option<Invocation>,
    pub roles: Vec<Role>,
    /// `None`: it was not asked for, or could not be made, which is a gap.
    pub audit: Option<Audit>,
    pub cost: Cost,
    /// What AWS itself keeps of earlier runs, the newest first.
    pub history: Vec<Past>,
}

impl Evidence {
    /// Whether everything that was asked for could be read.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// The resources of this kind.
    pub fn of_kind(&self, kind: KindName) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |resource| resource.id.kind == kind)
    }

    /// The resource with this id.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == *id)
    }

    /// How many are ready and as the config has them, and how many there should be.
    pub fn ready(&self) -> (usize, usize) {
        let is_ready = |resource: &&Resource| resource.ready && resource.differs.is_empty();
        (self.resources.iter().filter(is_ready).count(), self.resources.len())
    }

    /// What leads from data to the function, in that order: a row for each resource at the end of it. What
    /// stands side by side, as two data sets of one training do, is one step of the row.
    pub fn lineage(&self) -> Vec<Vec<Vec<&Resource>>> {
        const ALONG: [KindName; 6] = [
            KindName::Data,
            KindName::Training,
            KindName::Instance,
            KindName::Model,
            KindName::Endpoint,
            KindName::Function,
        ];
        let along: Vec<&Resource> = self.resources.iter().filter(|r| ALONG.contains(&r.id.kind)).collect();
        let behind = |resource: &Resource| self.behind(resource, &ALONG);
        let is_end = |resource: &&&Resource| !along.iter().any(|other| behind(other).contains(&resource.id));
        let mut rows = Vec::new();
        for end in along.iter().filter(is_end) {
            let (mut row, mut next) = (vec![*end], behind(end));
            while !next.is_empty() {
                let found: Vec<&Resource> =
                    along.iter().copied().filter(|resource| next.contains(&resource.id)).collect();
                next = found.iter().flat_map(|resource| behind(resource)).collect();
                row.extend(found);
            }
            let place = |resource: &&Resource| ALONG.iter().position(|kind| *kind == resource.id.kind);
            row.sort_by_key(|resource| (place(resource), resource.id.name.clone()));
            row.dedup_by_key(|resource| resource.id.clone());
            let steps = row.chunk_by(|one, next| one.id.kind == next.id.kind).map(<[_]>::to_vec);
            rows.push(steps.collect::<Vec<_>>());
        }
        // What has come furthest comes first.
        rows.sort_by_key(|row| std::cmp::Reverse(row.len()));
        rows
    }

    /// The nearest of these kinds that a resource is made from, through whatever is between.
    fn behind(&self, resource: &Resource, kinds: &[KindName]) -> Vec<ResourceId> {
        let mut found = Vec::new();
        for need in &resource.needs {
            match kinds.contains(&need.kind) {
                true => found.push(need.clone()),
                false => {
                    found.extend(self.resource(need).into_iter().flat_map(|need| self.behind(need, kinds)));
                }
            }
        }
        found
    }
}

/// A thing that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// `metrics of endpoint/numbers`.
    pub what: String,
    pub why: String,
}

/// A warning about the config.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    pub code: String,
    /// The key that it is about.
    pub at: String,
    pub message: String,
    pub help: String,
}

/// A resource of the config, as AWS has it.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    pub id: ResourceId,
    pub physical: String,
    pub status: Status,
    /// Whether it is complete: it is ready, or was stopped on purpose.
    pub ready: bool,
    /// How it differs from the config.
    pub differs: Vec<String>,
    /// What serves in its place.
    pub instead: Option<Instead>,
    /// False: AWS could not be asked, which is also a gap.
    pub readable: bool,
    pub age_s: Option<u64>,
    pub took_s: Option<u64>,
    pub needs: Vec<ResourceId>,
    pub facts: Facts,
    /// What a person would look for on its page, in words.
    pub attributes: Vec<(String, String)>,
    /// Of the instance type, or of the resource: `why = "…"` in the config.
    pub why: Option<String>,
    /// Its page in AWS's console. In the sandbox there is none.
    pub page: Option<String>,
}

impl Resource {
    /// AWS's word, and why; of what is complete, whether it is what the config asks for and what serves.
    pub fn state(&self) -> (String, Phase, Option<String>) {
        let word = &self.status.word;
        match &self.instead {
            Some(Instead { endpoint, physical }) if self.ready => {
                let reason = format!("({endpoint} serves {physical})");
                (format!("{word}, does not serve"), Phase::Stopped, Some(reason))
            }
            _ if self.differs_only() => {
                let reason = format!("({})", self.differs.join(", "));
                (format!("{word}, not as configured"), Phase::Busy, Some(reason))
            }
            _ => (word.clone(), self.status.phase, self.status.cause()),
        }
    }

    /// Whether it is complete, and not what the config asks for.
    pub fn differs_only(&self) -> bool {
        self.ready && !self.differs.is_empty()
    }
}

/// An earlier generation that an endpoint answers with.
#[derive(Clone, Debug, Serialize)]
pub struct Instead {
    pub endpoint: ResourceId,
    /// Its name in AWS.
    pub physical: String,
}

/// A resource of the project that the config no longer names.
#[derive(Clone, Debug, Serialize)]
pub struct Leftover {
    pub kind: KindWord,
    pub physical: String,
}

/// A kind, as JSON has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindWord(pub KindName);

impl Serialize for KindWord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// A training, with what its log measured.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    pub id: ResourceId,
    pub physical: String,
    /// It is not that of the config, but one before it, which serves.
    pub earlier: bool,
    /// What the metrics are plotted over.
    pub axis: Axis,
    pub metrics: Vec<Series>,
    /// The end of what it printed.
    pub last_lines: Vec<String>,
    /// The archive that it left.
    pub artifact: Option<Artifact>,
}

/// The archive of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Artifact {
    /// `s3://…/model.tar.gz`.
    pub uri: String,
    pub bytes: Option<u64>,
    pub written_at: Option<Time>,
}

/// What an endpoint was asked, and how it scaled.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    pub id: ResourceId,
    pub window: Window,
    pub invocations: Series,
    pub per_instance: Series,
    pub latency_ms: Series,
    pub errors: Series,
    /// How many instances served, from the moments at which that is known.
    pub instances: Vec<Step>,
    /// Invocations per instance per minute.
    pub target: Option<f64>,
    pub min: Option<i32>,
    pub max: Option<i32>,
    /// The newest first.
    pub activities: Vec<Activity>,
}

/// What a function was asked.
#[derive(Clone, Debug, Serialize)]
pub struct FunctionTraffic {
    pub id: ResourceId,
    pub window: Window,
    pub invocations: Series,
    pub errors: Series,
    pub duration_ms: Series,
    /// Share of the environments that are kept initialized, from 0 to 1.
    pub utilization: Series,
    /// Invocations that found no initialized environment free.
    pub spillover: Series,
}

/// The time that measurements are of.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Window {
    pub from: Time,
    pub to: Time,
    /// Seconds that one point is for.
    pub period_s: i64,
}

/// A change of capacity by Application Auto Scaling.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    pub started_at: Time,
    pub ended_at: Option<Time>,
    pub status: String,
    pub description: String,
    pub cause: String,
}

/// A test invocation with its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Invocation {
    /// The function, or the endpoint.
    pub through: ResourceId,
    pub payload: Value,
    pub outcome: InvocationOutcome,
}

/// How an invocation ended.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum InvocationOutcome {
    Answered {
        status: i64,
        latency_ms: f64,
        /// `None`: an endpoint has none.
        cold_start: Option<bool>,
        init_ms: Option<f64>,
        answer: Value,
        response: Value,
    },
    Failed {
        code: String,
        error: String,
    },
}

impl InvocationOutcome {
    /// Whether it was answered, and not with an error.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if *status < 400)
    }
}

/// A role of the project: who assumes it, and what it may do.
#[derive(Clone, Debug, Serialize)]
pub struct Role {
    pub name: String,
    pub arn: String,
    /// Services and accounts.
    pub trusted: Vec<String>,
    pub used_by: Vec<ResourceId>,
    /// By the policies that are its own.
    pub grants: Vec<Grant>,
    /// Managed policies.
    pub attached: Vec<String>,
}

/// A statement of a policy.
#[derive(Clone, Debug, Serialize)]
pub struct Grant {
    /// `Allow` or `Deny`.
    pub effect: String,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub conditional: bool,
}

/// What `opsctl audit-iam` finds.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Of the project's roles, or of all.
    pub whole_account: bool,
    pub roles: usize,
    /// Worst first.
    pub findings: Vec<Finding>,
    pub not_evaluated: Vec<NotEvaluated>,
}

/// What is there costs that, by the prices of a day.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cost {
    pub prices_of: String,
    /// With what runs now.
    pub now: Price,
    /// When nobody uses it.
    pub idle: Price,
    /// When all of it runs, as far as it may scale.
    pub most: Price,
    pub resources: Vec<Billed>,
    /// What has no known price, and is in no sum.
    pub unknown: Vec<String>,
    /// What is billed by what is done with it, and is in no sum.
    pub by_use: Vec<String>,
}

/// In US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Price {
    pub hour: Money,
    pub month: Money,
}

/// What one resource costs.
#[derive(Clone, Debug, Serialize)]
pub struct Billed {
    pub id: ResourceId,
    /// `2 × ml.m5.large`.
    pub what: String,
    pub now: Price,
    pub idle: Price,
    pub most: Price,
    /// What is in no sum, because nobody knows its price, or because it could not be read.
    pub unknown: Vec<String>,
    /// Of a job: what the last one cost that ended well, and what one costs at most.
    pub run: Option<RunPrice>,
}

/// What a run of a job costs.
#[derive(Clone, Debug, Serialize)]
pub struct RunPrice {
    pub last: Option<Money>,
    pub most: Money,
}

/// A run that AWS still knows.
#[derive(Clone, Debug, Serialize)]
pub struct Past {
    pub at: Option<Time>,
    pub kind: KindWord,
    pub physical: String,
    pub state: String,
    /// Whether the config of now asks for it.
    pub current: bool,
    /// Whether it serves, where that is not what the config of now asks for.
    pub serves: Option<bool>,
    pub took_s: Option<u64>,
    pub measured: BTreeMap<String, f64>,
    pub note: String,
}
