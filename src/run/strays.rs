//! Files that have left a data set's folder and stay in the bucket. Training reads them, so what it makes is
//! named after them too: they are looked up before anything is planned (docs/decisions/0082).

use futures_util::future::try_join_all;

use crate::aws::OpResult;
use crate::desired::Desired;
use crate::domain::KindName;
use crate::engine::{OpCx, RunContext};
use crate::resources::data::{Data, Spec, sync};

/// Looks for those of every data set that something reads and that keeps them. Whether there are any: then
/// what is wanted has other names.
pub(super) async fn find(desired: &Desired, context: &mut RunContext) -> OpResult<bool> {
    let is_read = |id| desired.nodes.iter().any(|node| node.needs.contains(id));
    let sets = desired.nodes.iter().filter(|node| node.id.kind == KindName::Data && is_read(&node.id));
    let seen: &RunContext = context;
    let looks = sets.filter_map(|node| {
        let spec: &Spec = node.spec_as::<Data>()?;
        let tree = seen.inputs.accepted(&spec.path, &spec.use_as())?;
        (!spec.delete).then_some(async move {
            let cx = OpCx::new(seen, node.id.clone());
            let found = seen.cancel.reading("looking", sync::strays(&cx, spec, tree)).await?;
            OpResult::Ok((spec.uri(), found))
        })
    });
    let found = try_join_all(looks).await?;
    let found: Vec<_> = found.into_iter().filter(|(_, strays)| !strays.is_empty()).collect();
    let any = !found.is_empty();
    found.into_iter().for_each(|(uri, strays)| context.inputs.found_strays(uri, strays));
    Ok(any)
}
