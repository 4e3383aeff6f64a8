//! The one place that reads AWS before planning: everything concurrently.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};

use super::lost;
use super::{Found, OpCx, RunContext};
use crate::aws::{OpError, OpErrorKind};
use crate::desired::{AnySeen, Desired, Node};
use crate::domain::{Code, Contents, KindName, Owner, Phase, ResourceId, Scope};
use crate::engine::{AnyDriver, Registry};
use crate::plan::{Leftover, Mode, Observation, Observed, Op, Plan};

/// Looks at every wanted resource and lists every owned one, in parallel; then at what of that nobody wants,
/// earlier generations among it: they tell why a new one is made.
pub async fn observe(want: &Desired, registry: &Registry, context: &RunContext) -> Result<Observed, OpError> {
    let (have, unlisted) = observe_listed(want, registry, context).await?;
    match unlisted.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(have),
    }
}

/// As [`observe`], for those who only show what there is: a kind whose list is refused is one thing that
/// could not be read, beside all others.
pub async fn observe_readable(
    want: &Desired,
    registry: &Registry,
    context: &RunContext,
) -> Result<Observed, OpError> {
    let (mut have, unlisted) = observe_listed(want, registry, context).await?;
    let unlisted = unlisted.into_iter();
    have.unread.extend(
        unlisted.map(|(kind, error)| (ResourceId::new(kind, EVERY), error.to_string(), error.code())),
    );
    Ok(have)
}

/// In place of a name: all of a kind.
const EVERY: &str = "*";

type Unlisted = Vec<(KindName, OpError)>;
/// What each kind lists as this project's, by its name.
type Owned = BTreeMap<KindName, Vec<Found>>;

async fn observe_listed(
    want: &Desired,
    registry: &Registry,
    context: &RunContext,
) -> Result<(Observed, Unlisted), OpError> {
    let observations = of_each_kind(
        &want.nodes,
        |node| node.id.kind,
        async |node: &Node| Ok::<_, OpError>((node.id.clone(), observe_one(node, registry, context).await?)),
    );
    let lists = join_all(registry.0.iter().map(|driver| owned(driver.as_ref(), context)));
    let (observations, lists) = join(observations, lists).await;
    let observations: BTreeMap<ResourceId, Observation> =
        observations.into_iter().collect::<Result<_, _>>()?;
    let (mut owned, mut unlisted) = (Owned::new(), Unlisted::new());
    for (kind, list) in lists {
        match list {
            Ok(found) => drop(owned.insert(kind, found)),
            Err(error) if fatal(&error) => return Err(error),
            Err(error) => unlisted.push((kind, error)),
        }
    }

    let others = others(&owned, want);
    // Names only narrow the search: the project `a` with the environment `b-c` begins like `a-b` with `c`.
    let leftovers = of_each_kind(
        &others,
        |(kind, _)| *kind,
        async |(kind, found): &(KindName, &Found)| unwanted(*kind, found, registry, context).await,
    );
    let found = leftovers.await;
    let mut have = Observed { observations, created: dated(&owned), ..Observed::default() };
    let mut lost = Vec::new();
    for found in found {
        keep(found?, &mut have, &mut lost, registry, context).await?;
    }
    let is_listed = |kind: KindName, name: &str| {
        owned.get(&kind).is_some_and(|found| found.iter().any(|found| found.physical == name))
    };
    let named = lost::unlisted(want, &have, is_listed, registry);
    let looked = of_each_kind(
        &named,
        |(kind, _)| *kind,
        async |(kind, found): &(KindName, Found)| unwanted(*kind, found, registry, context).await,
    );
    for found in looked.await {
        match found? {
            Unwanted::Lost(id, seen) => lost.push((id, seen)),
            Unwanted::Unread(id, why, code) => have.unread.push((id, why, code)),
            Unwanted::Ours(..) | Unwanted::NotOurs => {}
        }
    }
    have.lost = lost::users(&lost, want, &have, registry);
    lost.retain(|(id, _)| have.lost.iter().any(|lost| lost.id == *id));
    have.seen_lost.extend(lost);
    have.previous_generations = before(&have, &owned, want);
    Ok((have, unlisted))
}

/// When what is listed was made, where the list says it.
fn dated(owned: &Owned) -> BTreeMap<(KindName, String), i64> {
    let all = owned.iter().flat_map(|(kind, found)| found.iter().map(move |found| (*kind, found)));
    let dated = all.filter(|(_, found)| found.created > 0);
    dated.map(|(kind, found)| ((kind, found.physical.clone()), found.created)).collect()
}

/// The generations before those that are not there.
fn before(have: &Observed, owned: &Owned, want: &Desired) -> BTreeMap<ResourceId, AnySeen> {
    let served = have.served(want);
    let absent = |node: &&Node| matches!(have.observations.get(&node.id), Some(Observation::Absent));
    let previous = |node: &Node| {
        let mut generations = previous_generations(node, owned.get(&node.id.kind)?, &want.scope);
        generations.sort_by_key(|found| Reverse(found.created));
        let names: Vec<String> = generations.into_iter().map(|found| found.physical).collect();
        Some((node.id.clone(), have.previous(node.id.kind, &names, &served)?.clone()))
    };
    want.nodes.iter().filter(absent).filter_map(previous).collect()
}

/// What is owned, by its name, and not wanted.
fn others<'o>(owned: &'o Owned, want: &Desired) -> Vec<(KindName, &'o Found)> {
    let wanted: BTreeSet<(KindName, &str)> =
        want.nodes.iter().map(|n| (n.id.kind, n.physical.as_str())).collect();
    let all = owned.iter().flat_map(|(kind, found)| found.iter().map(move |f| (*kind, f)));
    all.filter(|(kind, found)| !wanted.contains(&(*kind, found.physical.as_str()))).collect()
}

/// Adds what is not wanted to what was seen, with the parts that are attached to it.
async fn keep(
    found: Unwanted,
    have: &mut Observed,
    lost: &mut Vec<(ResourceId, AnySeen)>,
    registry: &Registry,
    context: &RunContext,
) -> Result<(), OpError> {
    match found {
        Unwanted::Ours(mut leftover, seen) => {
            let mut usage = seen.used();
            for (id, part) in parts_on(&leftover, registry, context).await? {
                match part {
                    Ok(part) => {
                        usage = usage.and(part.used());
                        have.seen_leftovers.insert(id, part);
                    }
                    Err((why, code)) => have.unread.push((id, why, code)),
                }
            }
            leftover.bills = usage.runs_by_the_hour();
            have.seen_leftovers.insert(leftover.id.clone(), seen);
            have.leftovers.push(leftover);
        }
        Unwanted::Unread(id, why, code) => have.unread.push((id, why, code)),
        Unwanted::Lost(id, seen) => lost.push((id, seen)),
        Unwanted::NotOurs => {}
    }
    Ok(())
}

/// What is there of a wanted resource.
async fn observe_one(node: &Node, registry: &Registry, context: &RunContext) -> Result<Observation, OpError> {
    let (driver, cx) = (registry.of(node.id.kind), OpCx::new(context, node.id.clone()));
    let look = async {
        Ok(match driver.observe(&cx, &node.physical).await? {
            Some(seen) => Observation::Present(seen),
            None => match driver.in_the_way(&cx, &node.physical).await? {
                Some(what) => Observation::Taken(what),
                None => Observation::Absent,
            },
        })
    };
    match look.await {
        Err(error) if fatal(&error) => Err(error),
        Err(error) => Ok(Observation::Unreadable(error.to_string(), error.code())),
        look => look,
    }
}

/// All of a kind that may be ours.
async fn owned(driver: &dyn AnyDriver, context: &RunContext) -> (KindName, Result<Vec<Found>, OpError>) {
    let cx = OpCx::new(context, ResourceId::new(driver.name(), EVERY));
    let found = match driver.owned(&cx).await {
        // What a service does not offer, it does not hold either.
        Err(error) if error.kind == OpErrorKind::NotOffered => Ok(Vec::new()),
        found => found,
    };
    (driver.name(), found)
}

/// What is there under a name that nobody wants.
enum Unwanted {
    Ours(Leftover, AnySeen),
    NotOurs,
    /// It may have been ours before it lost its tags.
    Lost(ResourceId, AnySeen),
    /// It may be ours: why it could not be read.
    Unread(ResourceId, String, Code),
}

async fn unwanted(
    kind: KindName,
    found: &Found,
    registry: &Registry,
    context: &RunContext,
) -> Result<Unwanted, OpError> {
    let id = ResourceId::new(kind, found.physical.clone());
    let (driver, cx) = (registry.of(kind), OpCx::new(context, id.clone()));
    let look = async {
        let Some(seen) = driver.observe(&cx, &found.physical).await? else { return Ok(None) };
        let is_ours =
            seen.owner().is_managed() && whole_is_ours(driver, &found.physical, registry, context).await?;
        Ok((is_ours || seen.is_lost()).then_some(seen))
    };
    let seen = match look.await {
        Ok(Some(seen)) if !seen.owner().is_managed() => return Ok(Unwanted::Lost(id, seen)),
        Ok(Some(seen)) => seen,
        Ok(None) => return Ok(Unwanted::NotOurs),
        Err(error) if fatal(&error) => return Err(error),
        Err(error) => return Ok(Unwanted::Unread(id, error.to_string(), error.code())),
    };
    let (adopted, status) = (*seen.owner() == Owner::Adopted, seen.status());
    let runs = status.phase == Phase::Busy || (driver.starts() && status.phase == Phase::Ready);
    let runs = (driver.stops() && runs).then(|| status.word.clone());
    Ok(Unwanted::Ours(Leftover { id, physical: found.physical.clone(), adopted, runs, bills: false }, seen))
}

/// The parts on what nobody wants: they go with it, and are billed with it.
async fn parts_on(
    leftover: &Leftover,
    registry: &Registry,
    context: &RunContext,
) -> Result<Vec<(ResourceId, Result<AnySeen, (String, Code)>)>, OpError> {
    let mut parts = Vec::new();
    for driver in registry.0.iter().filter(|driver| driver.part_of() == Some(leftover.id.kind)) {
        let Some(physical) = driver.part_on(&leftover.physical) else { continue };
        let id = ResourceId::new(driver.name(), physical.clone());
        match driver.observe(&OpCx::new(context, id.clone()), &physical).await {
            Ok(seen) => parts.extend(seen.map(|seen| (id, Ok(seen)))),
            Err(error) if fatal(&error) => return Err(error),
            Err(error) if error.kind == OpErrorKind::NotOffered => {}
            Err(error) => parts.push((id, Err((error.to_string(), error.code())))),
        }
    }
    Ok(parts)
}

/// Whether what a part of this name stands on is of this project, or gone: a part has no tags of its own.
async fn whole_is_ours(
    driver: &dyn AnyDriver,
    physical: &str,
    registry: &Registry,
    context: &RunContext,
) -> Result<bool, OpError> {
    let (Some(kind), Some(whole)) = (driver.owned_with(), driver.whole_of(physical)) else {
        return Ok(true);
    };
    let cx = OpCx::new(context, ResourceId::new(kind, whole));
    let seen = registry.of(kind).observe(&cx, whole).await?;
    Ok(seen.is_none_or(|seen| seen.owner().is_managed()))
}

/// Counts the contents of what a plan may delete, so that nobody consents to more than was shown.
pub async fn count(
    want: &Desired,
    have: &mut Observed,
    mode: Mode,
    registry: &Registry,
    context: &RunContext,
) -> Result<(), OpError> {
    if !mode.deletes() {
        return Ok(());
    }
    let wanted = want.nodes.iter().filter(|_| mode.destroys()).filter_map(|node| {
        let Some(Observation::Present(seen)) = have.observations.get(&node.id) else { return None };
        Some((&node.id, &node.physical, seen.owner().clone()))
    });
    let leftovers = have.leftovers.iter().map(|l| (&l.id, &l.physical, l.owner()));
    let managed = wanted.chain(leftovers).filter(|(.., owner)| owner.is_managed());
    let counts = join_all(managed.map(|(id, physical, owner)| async move {
        let cx = OpCx::new(context, id.clone());
        let contents = registry.of(id.kind).contents(&cx, physical, &owner).await?;
        Ok::<_, OpError>((id.clone(), contents))
    }));
    for counted in counts.await {
        let (id, contents) = counted?;
        have.contents.extend(contents.map(|contents| (id, contents)));
    }
    // In a destroy the count of the bucket has it.
    for leftover in have.leftovers.iter().filter(|_| !mode.destroys()) {
        let held = have.seen_leftovers.get(&leftover.id).and_then(|seen| seen.holds());
        let held = held.map(|ours| Contents { ours, ..Contents::default() });
        have.contents.extend(held.map(|contents| (leftover.id.clone(), contents)));
    }
    Ok(())
}

/// Looks closer at what the steps of a plan are about to read (docs/decisions/0044). Tells whether that is
/// anything: then the plan is to be made again.
pub async fn observe_closely(
    want: &Desired,
    plan: &Plan,
    have: &mut Observed,
    registry: &Registry,
    context: &RunContext,
) -> Result<bool, OpError> {
    let made = |id: &ResourceId| {
        plan.steps.iter().any(|step| step.target == *id && matches!(step.op, Op::Create { .. }))
    };
    let making = want.nodes.iter().filter(|node| made(&node.id));
    let read: BTreeSet<&ResourceId> = making.flat_map(|node| &node.needs).collect();
    let read = read.into_iter().filter(|id| match have.observations.get(id) {
        Some(Observation::Present(seen)) => seen.owner().is_managed(),
        Some(Observation::Absent) => true,
        _ => false,
    });
    let nodes: Vec<&Node> = read.filter_map(|id| want.node(id)).collect();
    let observations = of_each_kind(
        &nodes,
        |node| node.id.kind,
        async |node: &&Node| {
            let cx = OpCx::new(context, node.id.clone());
            let seen = registry.of(node.id.kind).observe_closely(&cx, &node.physical, &node.spec).await;
            let look = match seen {
                Ok(None) => return Ok(None),
                Ok(Some(seen)) => Observation::Present(seen),
                Err(error) if fatal(&error) => return Err(error),
                Err(error) => Observation::Unreadable(error.to_string(), error.code()),
            };
            Ok(Some((node.id.clone(), look)))
        },
    );
    let observations = observations.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut looked = false;
    for (id, look) in observations.into_iter().flatten() {
        looked = true;
        have.observations.insert(id, look);
    }
    Ok(looked)
}

/// Looks of one kind that are under way at the same time: a project of hundreds of endpoints must not hold
/// thousands of requests in memory. Kinds do not wait for each other, so that what asks a slow service holds
/// up no other.
const AT_ONCE: usize = 16;

/// Does something with each of `items`, a few of each kind at a time; the results are in the order of the
/// items.
async fn of_each_kind<I, T>(
    items: &[I],
    kind: impl Fn(&I) -> KindName,
    look: impl AsyncFn(&I) -> T,
) -> Vec<T> {
    let mut kinds: BTreeMap<KindName, Vec<(usize, &I)>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        kinds.entry(kind(item)).or_default().push((place, item));
    }
    let look = &look;
    let rows = kinds.into_values().map(|row| async move {
        let observations = row.into_iter().map(|(place, item)| async move { (place, look(item).await) });
        stream::iter(observations).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await
    });
    let mut looked: Vec<(usize, T)> = join_all(rows).await.into_iter().flatten().collect();
    looked.sort_by_key(|(place, _)| *place);
    looked.into_iter().map(|(_, looked)| looked).collect()
}

/// Errors that no other look can be better than.
fn fatal(error: &OpError) -> bool {
    matches!(
        error.kind,
        OpErrorKind::Credentials | OpErrorKind::Network | OpErrorKind::SandboxEnded | OpErrorKind::Cancelled
    )
}

/// The other generations of a resource: names that differ from the wanted one only in their fingerprint.
pub fn previous_generations(node: &Node, found: &[Found], scope: &Scope) -> Vec<Found> {
    let is_earlier = |found: &&Found| {
        found.physical != node.physical && scope.is_generation(&node.id.name, &found.physical)
    };
    found.iter().filter(is_earlier).cloned().collect()
}
