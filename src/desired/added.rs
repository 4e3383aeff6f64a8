//! What a kind adds to the draft as its own type.

use super::{AnySpec, Draft, Kind, Node};
use crate::domain::{KeyPath, ResourceId, codes};
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

    /// Holds the values of the item at `at` against AWS's models, as its kind binds them.
    pub fn hold<K: Kind>(&mut self, at: &KeyPath) {
        let problems = self.written(at).map(|item| limits::check(K::bound(), item, at));
        self.problems.extend(problems.unwrap_or_default());
    }
}
