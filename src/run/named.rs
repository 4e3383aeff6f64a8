//! Which resource a person means: `KIND/NAME`, a name alone when only one resource has it, or a name in AWS
//! as `opsctl status` shows it.

use super::Session;
use super::jobs::Job;
use crate::aws::OpResult;
use crate::desired::{Node, did_you_mean};
use crate::domain::{KindName, ResourceId};
use crate::engine::OpCx;

/// Why no resource is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// Nothing has this name; what may have been meant.
    Unknown { help: String },
    /// Several have it.
    Several(Vec<ResourceId>),
    /// What has this name is of another kind; what can be meant.
    OtherKind { known: Vec<ResourceId> },
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
    let nodes = || session.desired.nodes.iter();
    let job = |id: &ResourceId, physical: &str| Job { id: id.clone(), physical: physical.to_owned() };
    let known: Vec<&Node> = nodes().filter(|node| kinds(node.id.kind)).collect();
    let meant: Vec<&Node> = known.iter().copied().filter(|node| node.is_named(given)).collect();
    match meant.as_slice() {
        [] => {}
        [one] => return Ok(Ok(job(&one.id, &one.physical))),
        several => return Ok(Err(Unnamed::Several(several.iter().map(|node| node.id.clone()).collect()))),
    }
    let (kind, name) = match given.split_once('/') {
        Some((kind, name)) => (kind.parse::<KindName>().ok(), name),
        None => (None, given),
    };
    let is_meant = |kind: KindName| session.kinds.iter().any(|k| kinds(k.name()) && k.is_called(kind));
    let other_kind = kind.is_some_and(|kind| !is_meant(kind));
    if other_kind || nodes().any(|node| node.is_named(given)) {
        let known = known.iter().map(|node| node.id.clone()).collect();
        return Ok(Err(Unnamed::OtherKind { known }));
    }
    let of_kind = |id: &ResourceId| kind.is_none_or(|kind| session.kind(id.kind).is_called(kind));
    // What left the config has no other name than that in AWS, which may have been any.
    let is_name = kind.is_some() || !given.contains('/');
    if is_name {
        for driver in session.registry.0.iter().filter(|driver| kinds(driver.name())) {
            let id = ResourceId::new(driver.name(), name);
            if !of_kind(&id) {
                continue;
            }
            let cx = OpCx::new(&session.context, id.clone());
            let look = driver.owned(&cx);
            let owned = session.context.cancel.reading("looking", look).await?;
            if owned.iter().any(|found| found.physical == name) {
                return Ok(Ok(job(&id, name)));
            }
        }
    }
    Ok(Err(Unnamed::Unknown { help: did_you_mean(given, &known) }))
}
