//! What has another exact name than the config says now (docs/decisions/0070-a-fixed-name-is-a-name.md).

use super::{Leftover, Observed};
use crate::desired::Node;

/// What was made as this resource and is called otherwise. Its tags say as what it was made.
pub(super) fn before<'h>(node: &Node, have: &'h Observed) -> Option<&'h Leftover> {
    let id = node.id.to_string();
    have.leftovers.iter().filter(|leftover| leftover.id.kind == node.id.kind).find(|leftover| {
        let seen = have.seen_leftovers.get(&leftover.id);
        seen.is_some_and(|seen| seen.made_as() == Some(&id))
    })
}

/// What is there, is not wanted, and has the node's name but for its capitals, which SageMaker does not
/// distinguish (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html>).
pub(super) fn but_for_capitals<'h>(node: &Node, have: &'h Observed) -> Option<&'h Leftover> {
    let is_of_kind = |leftover: &&Leftover| leftover.id.kind == node.id.kind;
    have.leftovers.iter().filter(is_of_kind).find(|left| left.physical.eq_ignore_ascii_case(&node.physical))
}
