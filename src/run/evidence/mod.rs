//! Gathers what a report shows. It only reads; what cannot be read is a gap in the report, with AWS's words,
//! and everything else is there all the same.

mod audit;
mod history;
mod invocation;
mod jobs;
mod traffic;

use std::time::SystemTime;

use super::Session;
use super::overview::{Overview, Row};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::cost::{Estimate, Rate};
use crate::desired::Node;
use crate::domain::{HumanDuration, Owner, Phase};
use crate::engine;
use crate::evidence::{
    Advice, Billed, Cost, Evidence, Gap, KindWord, Leftover, Price, Resource, RunPrice, Time,
};
use crate::plan::{Observation, Observed};

pub use invocation::invoked;

/// What is wanted of a report beside the rest.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How far back measurements are read.
    pub since: HumanDuration,
    pub audit: AuditOf,
}

/// Whose roles are audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOf {
    Nobody,
    Project,
    Account,
}

/// What could not be read.
#[derive(Debug, Default)]
struct Gaps(Vec<Gap>);

impl Gaps {
    /// What was read; an error is noted, unless it is one that ends the command.
    fn read<T: Default>(&mut self, what: impl Into<String>, read: OpResult<T>) -> OpResult<T> {
        match read {
            Ok(read) => Ok(read),
            Err(error) if ends(&error) => Err(error),
            Err(error) => {
                self.0.push(Gap { what: what.into(), why: error.to_string() });
                Ok(T::default())
            }
        }
    }
}

/// Nothing else can be read then either.
fn ends(error: &OpError) -> bool {
    matches!(error.kind, OpErrorKind::Cancelled | OpErrorKind::Credentials)
}

/// Looks at everything, and reads what shows that it works.
///
/// # Errors
/// What AWS said where without it there is no report at all.
pub async fn gather(session: &Session, wanted: Wanted) -> OpResult<Evidence> {
    let have = engine::observe_readable(&session.desired, &session.registry, &session.context).await?;
    let overview = Overview::of(session, &session.desired, &have).await;
    let mut gaps = Gaps::default();
    for (id, observation) in &have.observations {
        if let Observation::Unreadable(why, _) = observation {
            gaps.0.push(Gap { what: id.to_string(), why: why.clone() });
        }
    }
    for (id, why, _) in &have.unread {
        gaps.0.push(Gap { what: format!("{} {}", id.kind.words(), id.name), why: why.clone() });
    }
    let now = Time::of(SystemTime::now());
    let jobs = jobs::all(session, &have, &overview, &mut gaps).await?;
    let (endpoints, functions) = traffic::all(session, &overview, wanted.since, now, &mut gaps).await?;
    let (roles, audit) = audit::all(session, &have, wanted.audit, now, &mut gaps).await;
    let history = history::all(session, &have, &overview, &mut gaps).await?;
    let scope = &session.context.scope;
    let resources = overview.rows.iter().zip(&session.desired.nodes);
    Ok(Evidence {
        format: 1,
        version: env!("CARGO_PKG_VERSION"),
        written_at: now,
        project: scope.project.clone(),
        environment: scope.environment.clone(),
        account: scope.account.clone(),
        region: scope.region.clone(),
        target: session.place.clone(),
        advice: advice(session),
        resources: resources.map(|(row, node)| resource(session, row, node, &have)).collect(),
        leftovers: leftovers(&overview),
        jobs,
        endpoints,
        functions,
        invocation: None,
        roles,
        audit,
        cost: cost(&overview),
        history,
        gaps: gaps.0,
    })
}

fn advice(session: &Session) -> Vec<Advice> {
    let problems = session.warnings.0.iter();
    let advice = problems.map(|problem| Advice {
        code: problem.code.to_string(),
        at: problem.at.to_string(),
        message: problem.message.clone(),
        help: problem.help.clone(),
    });
    advice.collect()
}

fn leftovers(overview: &Overview) -> Vec<Leftover> {
    let left = overview.leftovers.iter();
    left.map(|left| Leftover { kind: KindWord(left.id.kind), physical: left.physical.clone() }).collect()
}

fn resource(session: &Session, row: &Row, node: &Node, have: &Observed) -> Resource {
    let seen = match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => Some(seen),
        _ => None,
    };
    Resource {
        id: row.id.clone(),
        physical: row.physical.clone(),
        status: row.status.clone(),
        ready: row.is_ready() || is_stopped(row),
        differs: row.differs.clone(),
        instead: row.instead.clone(),
        readable: row.is_readable,
        age_s: row.age.map(|age| age.as_secs()),
        took_s: row.took.map(HumanDuration::as_secs),
        needs: node.needs.iter().cloned().collect(),
        facts: row.facts.clone(),
        attributes: seen.map(|seen| seen.attributes()).unwrap_or_default(),
        why: session.desired.reasons.get(&node.id).cloned(),
        page: row.page.clone(),
    }
}

/// Whether it was switched off, as a notebook is that nobody uses: it is complete.
fn is_stopped(row: &Row) -> bool {
    row.status.phase == Phase::Stopped && row.owner.as_ref().is_some_and(Owner::is_managed)
}

/// By the prices of the overview.
fn cost(overview: &Overview) -> Cost {
    let Overview { bill, prices, .. } = overview;
    let price = |rate: Rate| Price { hour: rate.per_hour(), month: rate.per_month() };
    let billed = |estimate: &Estimate| Billed {
        id: estimate.id.clone(),
        what: estimate.what.clone(),
        now: price(estimate.now),
        idle: price(estimate.idle),
        most: price(estimate.most),
        unknown: estimate.unknown.clone(),
        run: estimate.run.as_ref().map(|run| RunPrice { last: run.usual_price(), most: run.highest_price() }),
    };
    let words = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
    Cost {
        prices_of: prices.days(&prices.sources(bill.items())),
        now: price(bill.now()),
        idle: price(bill.idle()),
        most: price(bill.most()),
        resources: bill.0.iter().map(billed).collect(),
        unknown: words(bill.unknown()),
        by_use: words(bill.by_use()),
    }
}
