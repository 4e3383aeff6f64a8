//! A parsed policy in canonical form: equal policies have equal forms.

use std::sync::Arc;

use crate::policy::Policy;

impl Policy {
    /// The document without what changes nothing: order, single against list, names of statements.
    pub fn canonical(&self) -> Policy {
        let mut copy = self.clone();
        copy.version.get_or_insert_with(|| "2008-10-17".into());
        copy.size = 0;
        for statement in copy.statements.iter_mut().map(Arc::make_mut) {
            statement.sid = None;
            statement.actions.patterns_mut().iter_mut().for_each(|action| action.make_ascii_lowercase());
            let scopes = [Some(&mut statement.actions), statement.resources.as_mut()];
            scopes.into_iter().flatten().for_each(|scope| scope.patterns_mut().sort());
            if let Some(principals) = &mut statement.principals {
                principals.listed.sort();
            }
            statement.conditions.iter_mut().for_each(|c| c.values.sort());
            statement.conditions.sort_by(|a, b| (&a.operator, &a.key).cmp(&(&b.operator, &b.key)));
        }
        copy.statements.sort_by_cached_key(|statement| format!("{statement:?}"));
        copy
    }
}
