//! What is asked about what the config does not have: every run looks for what is left of an earlier config,
//! of every kind, and `--prune` and `destroy` delete it.

use super::needed::{Walk, When};
use super::{LOGS, Names, Whom, is_reading, logs};
use crate::desired::{AnyKind, Desired, Kind, Node};
use crate::domain::{Action, KindName};
use crate::resources::bucket::Bucket;
use crate::resources::log_group::LogGroup;
use crate::resources::manifest::Manifest;
use crate::resources::schedule::Schedule;

/// The first words of operations that look, end or release.
const ENDING: &[&str] = &[
    "Abort",
    "Delete",
    "Deregister",
    "Describe",
    "Detach",
    "Get",
    "List",
    "Remove",
    "Stop",
    "Terminate",
    "Untag",
];

impl Walk<'_> {
    /// The lists of every kind; looks at what can have one name only, and its end; with
    /// [`Names::OfProject`] the same of all that a kind may have left.
    pub(super) fn left(&mut self, desired: &Desired, kinds: &[Box<dyn AnyKind>]) {
        let of = |kind: KindName| desired.nodes.iter().filter(move |node| node.id.kind == kind);
        let bucket = of(KindName::Bucket).next();
        for kind in kinds {
            let calls = ending(kind.as_ref());
            // Those that take no resource.
            let lists: Vec<Action> = calls.iter().copied().filter(|call| is_looking(*call)).collect();
            self.calls(&lists, &[], When::Beside);
            for whole in kind.part_of().into_iter().flat_map(of) {
                let part = kind.part_on(&whole.physical);
                let part = part.filter(|part| !of(kind.name()).any(|node| node.physical == *part));
                let arns = part.map_or_else(Vec::new, |part| kind.arns(self.scope, &part));
                self.calls(&calls, &arns, When::Beside);
            }
            // It would destroy the project at the end of a `ttl` that the config has no more.
            if kind.name() == KindName::Schedule && of(KindName::Schedule).next().is_none() {
                let group = self.scope.physical(Schedule::MAIN);
                self.calls(&calls, &kind.arns(self.scope, &group), When::Beside);
            }
            // Every config has its bucket.
            if self.names == Names::OfProject && kind.name() != KindName::Bucket {
                self.any_left(kind.as_ref(), &calls, bucket);
            }
        }
    }

    /// All of a kind that begins with the project's and the environment's name.
    fn any_left(&mut self, kind: &dyn AnyKind, calls: &[Action], bucket: Option<&Node>) {
        let any = self.scope.physical("x");
        let physical = match kind.name() {
            KindName::LogGroup => {
                [LogGroup::FUNCTIONS, LogGroup::ENDPOINTS].map(|root| format!("{root}{any}")).to_vec()
            }
            _ => vec![kind.part_on(&any).unwrap_or(any)],
        };
        for physical in physical {
            let mut arns = kind.arns(self.scope, &physical);
            let logs = logs(self.scope, kind, &physical);
            if !logs.is_empty() {
                arns.extend(logs);
                self.calls(LOGS, &arns, When::Beside);
            }
            let keys = match kind.name() {
                KindName::Data => vec![Manifest::key("data/*")],
                _ => kind.read_keys(&physical),
            };
            let root = bucket.map(|node| self.scope.s3_arn(&node.physical));
            match (root, bucket) {
                (Some(root), _) if self.whom == Whom::Planner => {
                    arns.extend(keys.iter().map(|key| format!("{root}/{key}")).chain([root.clone()]));
                }
                (_, Some(node)) => arns.extend(<Bucket as Kind>::arns(self.scope, &node.physical)),
                _ => {}
            }
            self.calls(calls, &arns, When::Beside);
        }
    }
}

/// Those of its calls that a look, a delete and a release may make.
fn ending(kind: &dyn AnyKind) -> Vec<Action> {
    let ends = |call: &Action| {
        let operation = call.operation();
        ENDING.iter().any(|word| operation.starts_with(word))
    };
    kind.calls().iter().copied().filter(ends).collect()
}

fn is_looking(call: Action) -> bool {
    call.needs().into_iter().all(is_reading)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::needed::MAKING;
    use crate::resources::kinds;

    /// What changes something that is there, and takes nothing away. Of what AWS calls `Put…` some make
    /// something and some do not, so those are here one by one.
    const CHANGING: &[&str] = &[
        "Add",
        "Associate",
        "Publish",
        "PutBucketPolicy",
        "PutBucketPublicAccessBlock",
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutEncryptionConfiguration",
        "PutFunctionConcurrency",
        "PutLifecycleConfiguration",
        "PutRetentionPolicy",
        "PutRolePermissionsBoundary",
        "Start",
        "Tag",
        "Update",
    ];

    /// A call with another first word would be asked for neither before something is made nor for what is
    /// left.
    #[test]
    fn it_is_known_of_every_call_whether_it_makes_or_ends() {
        let calls: Vec<Action> = kinds().iter().flat_map(|kind| kind.calls().to_vec()).collect();
        let all: BTreeSet<&str> = calls.iter().map(|call| call.operation()).collect();
        let begins = |list: &[&str], call: &str| list.iter().any(|word| call.starts_with(word));
        let lists = [MAKING, ENDING, CHANGING];
        let unknown: Vec<_> =
            all.iter().filter(|call| !lists.iter().any(|list| begins(list, call))).collect();
        assert_eq!(unknown, [] as [&&str; 0], "is it of MAKING, of ENDING, or does it change what is there?");
        let is_called = |word: &&str| all.iter().any(|call| call.starts_with(*word));
        let gone: Vec<&str> = lists.concat().into_iter().filter(|word| !is_called(word)).collect();
        assert_eq!(gone, [] as [&str; 0], "no kind calls these");
    }
}
