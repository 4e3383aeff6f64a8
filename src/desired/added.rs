//! What a kind adds to the draft as its own type.

use super::{AnyKind, AnySpec, Draft, Kind, Node};
use crate::domain::{Diagnostic, KeyPath, ResourceId, codes};
use crate::limits;

impl Draft<'_> {
    /// Adds a resource. Needs that are not in the graph were already reported by [`Draft::find`].
    pub fn add<K: Kind>(
        &mut self,
        name: &str,
        physical: String,
        spec: K::Spec,
        needs: impl IntoIterator<Item = ResourceId>,
        at: KeyPath,
    ) -> ResourceId {
        let id = ResourceId::new(K::NAME, name);
        let longest = K::NAME.longest_name();
        if physical.len() > longest {
            self.error(
                codes::LONG_NAME,
                at.clone(),
                format!(
                    "the {} name `{physical}` has {} characters, AWS allows {longest}",
                    K::NAME.words(),
                    physical.len()
                ),
                "shorten the project's, the environment's or this name",
            );
        }
        let needs = needs.into_iter().filter(|need| self.node(need.kind, &need.name).is_some()).collect();
        self.push(Node { id: id.clone(), physical, spec: AnySpec::new::<K>(spec), needs }, at);
        id
    }

    /// Changes the spec of a node that was added.
    pub fn amend<K: Kind>(&mut self, name: &str, change: impl FnOnce(&mut K::Spec))
    where
        K::Spec: Clone,
    {
        if let Some(node) = self.node_mut(K::NAME, name)
            && let Some(mut spec) = node.spec_as::<K>().cloned()
        {
            change(&mut spec);
            node.spec = AnySpec::new::<K>(spec);
        }
    }

    /// Holds what the file says of a kind against AWS's models, but for what is not even of its type.
    pub(super) fn hold(&mut self, kind: &dyn AnyKind, items: Vec<KeyPath>, misread: &[Diagnostic]) {
        for at in items {
            let problems = self.written(&at).map(|item| limits::check(kind.bound(), item, &at));
            let is_misread = |at: &KeyPath| misread.iter().any(|problem| at.0.starts_with(&problem.at.0));
            self.problems.extend(problems.into_iter().flatten().filter(|problem| !is_misread(&problem.at)));
        }
    }
}
