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
        // The lints of its section have judged one that the config fixes.
        let fixed =
            self.names.get(&(K::NAME, physical.to_ascii_lowercase())).is_some_and(|(_, fixed)| *fixed);
        if physical.len() > longest && !fixed {
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

    /// The exact name of a resource: the one that the config fixes by `name`, else that of the project, the
    /// environment and its section. Reports a name that two have.
    pub fn physical<K: Kind>(&mut self, name: &str, fixed: Option<&str>, at: &KeyPath) -> String {
        let physical = fixed.map_or_else(|| self.scope.physical(name), str::to_owned);
        // SageMaker preserves capitals and does not distinguish them
        // (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html).
        let key = (K::NAME, physical.to_ascii_lowercase());
        if let Some((other, _)) = self.names.insert(key, (K::id(name), fixed.is_some())) {
            let at = if fixed.is_some() { at.join("name") } else { at.clone() };
            let text = format!("the {} name `{physical}` is that of {other} too", K::NAME.words());
            self.error(codes::SAME_NAME, at, text, "give one of them another `name`");
        }
        physical
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
