//! Files that have left a data set's folder and stay in the bucket. Training reads them, so what it makes is
//! named after them too, and one of them may be in the way of a folder: they are looked up before anything is
//! planned (docs/decisions/0082).

use futures_util::future::join_all;

use crate::aws::{OpErrorKind, OpResult};
use crate::desired::Desired;
use crate::domain::KindName;
use crate::engine::{OpCx, RunContext};
use crate::resources::data::{Data, Spec, sync};

/// Looks for those of every data set that keeps them. Whether the graph has to be
/// built once more: what is wanted has other names then, or, where `spared`, cannot be compared.
pub(super) async fn find(desired: &Desired, spared: bool, context: &mut RunContext) -> OpResult<bool> {
    let sets = desired.nodes.iter().filter(|node| node.id.kind == KindName::Data);
    let seen: &RunContext = context;
    let looks = sets.filter_map(|node| {
        let spec: &Spec = node.spec_as::<Data>()?;
        let tree = seen.inputs.accepted(&spec.path, &spec.use_as())?;
        (!spec.delete).then_some(async move {
            let cx = OpCx::new(seen, node.id.clone());
            (node, spec.uri(), seen.cancel.reading("looking", sync::strays(&cx, spec, tree)).await)
        })
    });
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for (node, uri, strays) in join_all(looks).await {
        match strays {
            Ok(strays) => found.push((uri, strays)),
            // Whoever only looks, or stops something, goes on.
            Err(error) if spared && error.kind != OpErrorKind::Cancelled => {
                let section = desired.origin.get(&node.id).cloned().unwrap_or_default();
                missed.push((section, format!("{uri} could not be read: {}", error.message)));
            }
            // Whoever looks at the data set itself is told.
            Err(error) if error.kind == OpErrorKind::Denied || error.is("PermanentRedirect") => {}
            Err(error) => return Err(error),
        }
    }
    let any = found.iter().any(|(_, strays)| !strays.is_empty()) || !missed.is_empty();
    found.into_iter().for_each(|(uri, strays)| context.inputs.found_strays(uri, strays));
    missed.into_iter().for_each(|(section, why)| context.inputs.missed_strays(section, why));
    Ok(any)
}
