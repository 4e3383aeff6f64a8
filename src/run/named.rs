//! Which resource a person means: `KIND/NAME`, a name alone when only one resource has it, or a name in AWS
//! as `opsctl status` shows it.

use super::Session;
use super::jobs::Job;
use crate::aws::OpResult;
use crate::config::section;
use crate::domain::{KindName, ResourceId};
use crate::engine::OpCx;

/// Why no resource is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// Nothing has this name; what has the nearest.
    Unknown { near: Option<String> },
    /// Several have it.
    Several(Vec<ResourceId>),
    /// It is there, and is of no kind that can be meant.
    OtherKind(ResourceId),
}

/// The resource that `given` means, among those of `kinds`. A training that runs on EC2 is `training/NAME` to
/// the config and `instance/NAME` to `opsctl status`: both are taken.
///
/// # Errors
/// What AWS said; inside, why no resource is meant.
pub async fn resource(
    session: &Session,
    given: &str,
    kinds: impl Fn(KindName) -> bool,
) -> OpResult<Result<Job, Unnamed>> {
    let (kind, name) = match given.split_once('/') {
        Some((kind, name)) => (kind.parse::<KindName>().ok(), name),
        None => (None, given),
    };
    let whole_is_kind = given.contains('/');
    let nodes = || session.desired.nodes.iter();
    let job = |id: &ResourceId, physical: &str| Job { id: id.clone(), physical: physical.to_owned() };
    // A kind that is none is part of no name, but for log groups and data sets, whose names have slashes.
    if whole_is_kind && kind.is_none() {
        return Ok(Err(Unnamed::Unknown { near: nearest(session, given, &kinds) }));
    }
    let of_kind = |id: &ResourceId| match kind {
        None => true,
        Some(KindName::Training) => matches!(id.kind, KindName::Training | KindName::Instance),
        Some(kind) => id.kind == kind,
    };
    let named: Vec<_> = nodes()
        .filter(|node| of_kind(&node.id) && [&node.id.name, &node.physical].iter().any(|n| *n == name))
        .collect();
    let mut meant = named.iter().filter(|node| kinds(node.id.kind));
    match (meant.next(), meant.next()) {
        (Some(one), None) => return Ok(Ok(job(&one.id, &one.physical))),
        (Some(_), Some(_)) => {
            let all = named.iter().filter(|node| kinds(node.id.kind)).map(|node| node.id.clone());
            return Ok(Err(Unnamed::Several(all.collect())));
        }
        (None, _) => {}
    }
    if let Some(other) = named.first() {
        return Ok(Err(Unnamed::OtherKind(other.id.clone())));
    }
    if let Some(kind) = kind.filter(|kind| !kinds(*kind)) {
        return Ok(Err(Unnamed::OtherKind(ResourceId::new(kind, name))));
    }
    // What left the config has no other name than that in AWS.
    if name.starts_with(&session.context.scope.prefix()) {
        for driver in session.registry.0.iter().filter(|driver| kinds(driver.name())) {
            let id = ResourceId::new(driver.name(), name);
            if !of_kind(&id) {
                continue;
            }
            let cx = OpCx { context: &session.context, step: 0, target: id.clone() };
            let look = driver.owned(&cx);
            let owned = session.context.cancel.reading("looking", look).await?;
            if owned.iter().any(|found| found.physical == name) {
                return Ok(Ok(job(&id, name)));
            }
        }
    }
    Ok(Err(Unnamed::Unknown { near: nearest(session, given, &kinds) }))
}

/// The name of the config that reads most like the given one.
fn nearest(session: &Session, given: &str, kinds: &impl Fn(KindName) -> bool) -> Option<String> {
    let nodes = session.desired.nodes.iter().filter(|node| kinds(node.id.kind));
    let ids: Vec<(String, &str)> = nodes.map(|node| (node.id.to_string(), node.id.name.as_str())).collect();
    if given.contains('/') {
        return section::nearest(given, ids.iter().map(|(id, _)| id.as_str())).map(str::to_owned);
    }
    let near = section::nearest(given, ids.iter().map(|(_, name)| *name))?;
    let mut same = ids.iter().filter(|(_, name)| *name == near);
    match (same.next(), same.next()) {
        (Some((id, _)), None) => Some(id.clone()),
        _ => Some(near.to_owned()),
    }
}
