//! What there is of a project: each resource with its state, its age, what it measured, and its page in the
//! console.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Session, prices};
use crate::aws::OpResult;
use crate::cost::{self, Bill, Estimate, Prices};
use crate::desired::{AnySeen, Desired, Log, LogObject, Node};
use crate::domain::{Facts, HumanDuration, KindName, Owner, Phase, ResourceId, Status};
use crate::engine::{self, OpCx, Probe, lease};
use crate::evidence::Instead;
use crate::plan::{Leftover, Lost, Observation, Observed, holder};
use crate::resources::instance::Instance;
use crate::resources::parted_log::tail;
use crate::resources::training::metrics::Metrics;

/// How often it is looked again.
const EVERY: Duration = Duration::from_secs(5);

/// A project as it was seen.
#[derive(Clone, Debug)]
pub struct Overview {
    /// In the order of dependency.
    pub rows: Vec<Row>,
    pub leftovers: Vec<Leftover>,
    /// What has lost its tags and its section, and how it is.
    pub lost: Vec<(Lost, Status)>,
    /// Of the leftovers, the states that are not simply complete, and those that an endpoint serves.
    pub marked: BTreeMap<ResourceId, String>,
    /// What may be of this project and could not be read, and why.
    pub unread: Vec<(ResourceId, String)>,
    /// What it costs.
    pub bill: Bill,
    pub prices: Prices,
}

/// A resource of the config, its state in AWS, and whose it is there.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: ResourceId,
    pub physical: String,
    pub status: Status,
    pub owner: Option<Owner>,
    /// How it differs from the config: the next deploy changes that.
    pub differs: Vec<String>,
    /// Why it could not be compared with the config: files that it is made of are missing here. `None` too of
    /// its parts.
    pub not_compared: Option<String>,
    /// What an endpoint that needs it answers with instead of it.
    pub instead: Option<Instead>,
    /// Whether AWS could be asked.
    pub is_readable: bool,
    pub age: Option<Duration>,
    /// The last value of each metric.
    pub metrics: Vec<(String, f64)>,
    pub took: Option<HumanDuration>,
    pub facts: Facts,
    /// Its page in AWS's console. In the sandbox there is none.
    pub page: Option<String>,
}

impl Row {
    /// Whether it is complete, and this project's.
    pub fn is_ready(&self) -> bool {
        self.status.phase == Phase::Ready && self.owner.as_ref().is_none_or(Owner::is_managed)
    }
}

impl Overview {
    /// Of what the config has, as it is now; and all that was seen.
    ///
    /// # Errors
    /// What AWS said where nothing could be read.
    pub async fn now(session: &Session) -> OpResult<(Self, Observed)> {
        let have = engine::observe_readable(&session.desired, &session.registry, &session.context).await?;
        Ok((Self::of(session, &session.desired, &have).await, have))
    }

    /// The same again and again, until `sees` breaks off.
    ///
    /// # Errors
    /// As [`Self::now`].
    pub async fn watch(session: &Session, sees: impl FnMut(&Self) -> ControlFlow<()>) -> OpResult<()> {
        let sees = Mutex::new(sees);
        let watched = session.context.watch("changes", EVERY, || async {
            let (overview, _) = Self::now(session).await?;
            let ended = (*sees.lock().await)(&overview).is_break();
            Ok(if ended { Probe::Ready(()) } else { Probe::Pending("watching".into()) })
        });
        watched.await
    }

    /// Of these nodes. What EC2 jobs measured is read from the ends of their logs.
    pub async fn of(session: &Session, desired: &Desired, have: &Observed) -> Self {
        let mut rows = Vec::new();
        let mut instead = instead(desired, have);
        for node in &desired.nodes {
            let instead = instead.remove(&node.id);
            rows.push(Row { instead, ..row(session, node, have).await });
        }
        let prices = prices::load(session, desired, have).await;
        let mut bill = cost::live(desired, have, &session.kinds, &prices);
        name_force(session, &mut bill).await;
        let unread = have.unread.iter().map(|(id, why, _)| (id.clone(), why.clone())).collect();
        let leftovers = have.leftovers.clone();
        let lost = have
            .lost
            .iter()
            .filter_map(|lost| Some((lost.clone(), have.seen_lost.get(&lost.id)?.status().clone())));
        Self { rows, leftovers, lost: lost.collect(), marked: marked(desired, have), unread, bill, prices }
    }

    /// A resource with what its parts know: an endpoint with how it scales.
    pub fn whole(&self, session: &Session, row: &Row) -> Facts {
        let is_part = |part: &&Row| {
            session.kind(part.id.kind).part_of() == Some(row.id.kind) && part.id.name == row.id.name
        };
        self.rows.iter().filter(is_part).fold(row.facts.clone(), |facts, part| facts.and(part.facts.clone()))
    }
}

async fn row(session: &Session, node: &Node, have: &Observed) -> Row {
    let (status, seen) = match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => (seen.status().clone(), Some(seen)),
        Some(Observation::Unreadable(why, _)) => {
            (Status::new("unreadable", Phase::Failed).because(Some(why.clone())), None)
        }
        Some(Observation::Absent | Observation::Taken(_)) | None => {
            (Status::new("absent", Phase::Stopped), None)
        }
    };
    // A part is its whole's.
    let whole = holder(node, &session.kinds).and_then(|whole| match have.observations.get(whole) {
        Some(Observation::Present(seen)) => Some(seen.owner()).filter(|owner| !owner.is_managed()),
        _ => None,
    });
    let is_readable = !matches!(have.observations.get(&node.id), Some(Observation::Unreadable(..)));
    let created = have.created.get(&(node.id.kind, node.physical.clone())).filter(|_| seen.is_some());
    let page = seen.filter(|_| session.is_aws());
    let page = page.and_then(|seen| seen.console_page(&node.physical, &session.context.scope.region));
    Row {
        id: node.id.clone(),
        physical: node.physical.clone(),
        status,
        differs: seen.map(|seen| differences(session, node, seen)).unwrap_or_default(),
        not_compared: not_compared(session, node),
        instead: None,
        owner: seen.map(|seen| whole.unwrap_or(seen.owner()).clone()),
        is_readable,
        age: created.map(|created| age(*created, session.now())),
        metrics: measured(session, node, seen).await,
        took: seen.and_then(|seen| seen.took()),
        facts: seen.map(|seen| seen.facts()).unwrap_or_default(),
        page,
    }
}

/// While a run holds the lease, which may wait for a job, `stop` stops the job only with `--force`.
async fn name_force(session: &Session, bill: &mut Bill) {
    let is_stopped = |estimate: &&mut Estimate| {
        let runs = estimate.run.is_some() && estimate.now.runs();
        runs && estimate.ended_by == format!("`opsctl stop {}`", estimate.id)
    };
    let mut jobs = bill.0.iter_mut().filter(is_stopped).peekable();
    if jobs.peek().is_none() {
        return;
    }
    // Who may not read it is told so by `stop`.
    let found = lease::read(&session.context.aws, session.bucket()).await.ok().flatten();
    if found.is_some_and(|found| !found.left().is_zero()) {
        jobs.for_each(|job| job.ended_by = format!("`opsctl stop --force {}`", job.id));
    }
}

fn not_compared(session: &Session, node: &Node) -> Option<String> {
    let why = session.desired.unread.get(&node.id)?;
    let section = session.desired.origin.get(&node.id)?.0.first()?;
    (session.kind(node.id.kind).section() == Some(section)).then(|| why.clone())
}

/// As a plan finds them, but for what a closer look alone tells. What is not ready says that itself.
fn differences(session: &Session, node: &Node, seen: &AnySeen) -> Vec<String> {
    let kind = session.kind(node.id.kind);
    let is_settled = matches!(seen.status().phase, Phase::Ready | Phase::Stopped);
    // What ends by itself is set again by every deploy; what cannot be read here is warned of.
    if !is_settled
        || !seen.owner().is_managed()
        || !kind.stays()
        || session.desired.unread.contains_key(&node.id)
    {
        return Vec::new();
    }
    // What a fingerprinted resource of ours is made of is in its name.
    let in_name = kind.fingerprinted() && *seen.owner() == Owner::Ours;
    let mut changes = if in_name { node.spec.gone(seen) } else { node.spec.diff(seen) };
    changes.extend(session.desired.tags_differ(&node.id, seen));
    changes.iter().map(ToString::to_string).collect()
}

/// What serves in the place of what the config has, from each endpoint back to the job.
fn instead(desired: &Desired, have: &Observed) -> BTreeMap<ResourceId, Instead> {
    let mut instead = BTreeMap::new();
    for endpoint in desired.nodes.iter().filter(|node| node.id.kind == KindName::Endpoint) {
        let mut wanted = endpoint;
        for (kind, physical) in have.served_by(endpoint, desired) {
            let need = wanted.needs.iter().find(|need| need.kind == kind);
            let Some(node) = need.and_then(|need| desired.node(need)) else { break };
            if node.physical != physical {
                let endpoint = endpoint.id.clone();
                instead.entry(node.id.clone()).or_insert(Instead { endpoint, physical });
            }
            wanted = node;
        }
    }
    instead
}

/// What is worth saying of what is left over.
fn marked(desired: &Desired, have: &Observed) -> BTreeMap<ResourceId, String> {
    let served = have.served(desired);
    let mark = |(id, seen): (&ResourceId, &AnySeen)| {
        let mark = match seen.status() {
            _ if served.contains(&(id.kind, id.name.clone())) => "serves".to_owned(),
            status if status.phase == Phase::Failed => status.word.clone(),
            _ => return None,
        };
        Some((id.clone(), mark))
    };
    have.seen_leftovers.iter().filter_map(mark).collect()
}

/// From then to now (seconds since 1970, by AWS's clock); what is in the future is new.
fn age(created: i64, now: i64) -> Duration {
    Duration::from_secs(now.saturating_sub(created).try_into().unwrap_or_default())
}

/// What AWS keeps of a job's metrics; of one on EC2 the log is all there is.
async fn measured(session: &Session, node: &Node, seen: Option<&AnySeen>) -> Vec<(String, f64)> {
    let Some(seen) = seen else { return Vec::new() };
    let Some(spec) = node.spec_as::<Instance>().filter(|spec| !spec.metrics.is_empty()) else {
        return seen.measured();
    };
    let Some(Log::Object(LogObject { key, .. })) = session.kind(node.id.kind).log(&node.physical) else {
        return Vec::new();
    };
    let cx = OpCx::new(&session.context, node.id.clone());
    // Without its log the job is as good as with it.
    let tail = tail(&cx, session.bucket(), &key).await.ok().flatten().unwrap_or_default();
    Metrics::of(&spec.metrics, &spec.hyperparameters).last(&tail)
}
