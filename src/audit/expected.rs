//! What roles should be, as the configuration says: the other side of the drift rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::policy::{Document, Policy};

/// The roles that opsctl makes and keeps.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// By role name.
    pub roles: BTreeMap<String, ExpectedRole>,
    /// The tags by which opsctl marks what it makes for this project and environment; all of them together.
    pub claim: BTreeMap<String, String>,
}

/// One role as it should be.
#[derive(Clone, Debug, Default)]
pub struct ExpectedRole {
    pub trust: Option<Policy>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Policy>,
    /// ARNs of the attached policies.
    pub attached: BTreeSet<String>,
    pub boundary: Option<String>,
    /// Seconds; `None`: not compared.
    pub max_session_duration: Option<u32>,
    /// Tags that must be there; others may be.
    pub tags: BTreeMap<String, String>,
}

impl Expected {
    /// Reads a policy document of the configuration.
    ///
    /// # Errors
    /// When it does not follow IAM's grammar.
    pub fn policy(json: serde_json::Value) -> Result<Policy, String> {
        match Document::read(json) {
            Document::Parsed(policy) => Ok(policy),
            Document::Malformed(why) => Err(why),
        }
    }
}

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
