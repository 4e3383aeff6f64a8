//! Whether the config gives up a KMS key that objects may be under.

use futures_util::future::join_all;

use super::Check;
use crate::domain::KindName;
use crate::engine::OpCx;
use crate::plan::{self, Observation, Observed};
use crate::run::Session;

const CHECK: &str = "encryption";

/// What a deploy would be refused for; nothing where all is right.
pub(super) async fn given_up(session: &Session) -> Vec<Check> {
    let desired = &session.desired;
    let nodes = desired.nodes.iter().filter(|node| matches!(node.id.kind, KindName::Bucket | KindName::Role));
    let looks = nodes.map(async |node| {
        let cx = OpCx::new(&session.context, node.id.clone());
        (node.id.clone(), session.registry.of(node.id.kind).observe(&cx, &node.physical).await)
    });
    let (mut have, mut checks) = (Observed::default(), Vec::new());
    let uses_keys = desired.kms_key.is_some() || !desired.former_kms_keys.is_empty();
    for (id, seen) in join_all(looks).await {
        match seen {
            Ok(Some(seen)) => drop(have.observations.insert(id, Observation::Present(seen))),
            Ok(None) => {}
            Err(error) if uses_keys => checks.push(Check::unread(CHECK, &error)),
            Err(_) => {}
        }
    }
    let refused = plan::refused_for_keys(desired, &have, true);
    checks.extend(refused.into_iter().map(|it| Check::fails(CHECK, it.message, it.help)));
    checks
}
