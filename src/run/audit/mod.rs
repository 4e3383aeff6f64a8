//! An audit of roles: what is audited, the config's settings, the roles that the config makes, and what is
//! proposed.

mod account;
mod input;
mod proposals;

use std::collections::BTreeMap;

use crate::audit::expected::{Expected, ExpectedRole};
use crate::audit::{Account, Instant, Settings};
use crate::config::Config;
use crate::desired::{self, Desired};
use crate::domain::{Days, Scope, tags};
use crate::inputs::Inputs;
use crate::resources::kinds;
use crate::resources::role::Role;

pub use account::{Endpoint, LiveAccount, Used, cache, doubt_usage, dump, used};
pub use input::{Input, input, policies, surroundings};
pub use proposals::{Proposals, Proposed, propose};

/// By `[audit]` of the config; without a config, the usual.
pub fn settings(config: Option<&Config>, now: Instant) -> Settings {
    let said = config.map(|config| config.audit.clone()).unwrap_or_default();
    let days = |days: Days| i64::try_from(days.count()).unwrap_or(i64::MAX);
    Settings {
        stale_after_days: days(said.stale_after),
        grace_days: days(said.grace),
        old_after_days: Some(days(said.old_after)),
        rarely_used: said.rarely_used,
        break_glass_tag: said.break_glass_tag,
        regions: Some(said.regions).filter(|regions| !regions.is_empty()),
        own_accounts: said.own_accounts,
        known_accounts: said.known_accounts,
        required_tags: said.required_tags,
        require_boundary: said.require_boundary,
        ..Settings::at(now)
    }
}

/// The roles that the config makes, as they should be; `None` where they were never deployed.
pub fn expected(desired: &Desired, account: &Account) -> Option<Expected> {
    let scope = &desired.scope;
    let claim = [(Scope::PROJECT_TAG, &scope.project), (Scope::ENVIRONMENT_TAG, &scope.environment)];
    let claim = claim.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let mut expected = Expected { claim, ..Expected::default() };
    for node in &desired.nodes {
        let Some(spec) = node.spec_as::<Role>() else { continue };
        let role = ExpectedRole {
            trust: Expected::policy(spec.trust.clone()).ok(),
            inline: BTreeMap::from([(Role::POLICY.to_owned(), Expected::policy(spec.policy.clone()).ok()?)]),
            boundary: spec.boundary.clone(),
            tags: scope.tags(&node.id).into_iter().chain(tags::with_list(&desired.tags)).collect(),
            ..ExpectedRole::default()
        };
        expected.roles.insert(node.physical.clone(), role);
    }
    let deployed = account.roles.iter().any(|role| expected.roles.contains_key(&role.name));
    deployed.then_some(expected)
}

/// The same of a config in this region, for whoever has no session.
pub fn expected_by(config: &Config, region: &str, account: &Account) -> Option<Expected> {
    let kinds = kinds();
    let inputs = Inputs::read(config.document.folder(), desired::sources(config, &kinds));
    let scope = Scope::new(&config.project.name, &config.environment, &account.id, region);
    let (graph, _) = desired::build(config, &scope, &inputs, &kinds);
    let mut expected = expected(&graph, account)?;
    for node in &graph.nodes {
        let Some(role) = expected.roles.get_mut(&node.physical).filter(|_| node.spec_as::<Role>().is_some())
        else {
            continue;
        };
        let at = graph.origin.get(&node.id).map(|at| config.document.written(&config.environment, at));
        let span = at.and_then(|at| config.document.key_span(&at));
        role.line = span.map(|span| config.document.line_column(span.start).0);
    }
    Some(expected)
}
