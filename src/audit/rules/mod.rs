//! The rules: one table per family, one row per rule, and beside each row the function that checks.

mod center;
mod data;
mod documents;
mod drift;
mod escalation;
mod exposure;
mod federation;
mod found;
mod guests;
pub(super) mod honesty;
mod hygiene;
mod objection;
mod on_all;
mod permissions;
mod resources;
mod rule;
mod shares;
mod takeover;
mod trust;
mod usage;
mod validity;

use std::sync::LazyLock;

use crate::audit::role_view::RoleView;
use crate::audit::serving;

pub use rule::{Check, Context, Family, Hit, Rule};

/// Every rule, in the order of the ids.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    static ALL: LazyLock<Vec<&Rule>> = LazyLock::new(|| {
        let families = [
            permissions::RULES,
            exposure::RULES,
            data::RULES,
            escalation::RULES,
            trust::RULES,
            federation::RULES,
            resources::RULES,
            usage::RULES,
            hygiene::RULES,
            validity::RULES,
            drift::RULES,
            honesty::RULES,
        ];
        let mut all: Vec<&Rule> = families.into_iter().flatten().collect();
        all.sort_by_key(|rule| rule.id);
        all
    });
    ALL.iter().copied()
}

/// A rule by its id (`IAM101`) or slug (`full-access-policy`), whatever the case.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(name) || rule.slug.eq_ignore_ascii_case(name))
}

/// Rules about what whoever is the role may make of it: nobody is a service.
const OF_CALLERS: [&str; 5] = ["IAM202", "IAM203", "IAM204", "IAM206", "IAM208"];

impl Rule {
    /// What the rule sees at a role.
    pub(super) fn check(&self, cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
        if cx.graph.serves(view.index) && OF_CALLERS.contains(&self.id) {
            return None;
        }
        let once = |look: fn(&Context<'_>, &RoleView<'_>) -> Option<Hit>| {
            cx.once(self.id, view.effective.serial, serving::is_of_service(view), || look(cx, view))
        };
        match self.check {
            Check::Permissions(look) => once(look),
            Check::Ways(look) if !cx.graph.reaches_admin(view.index) => once(look),
            Check::Role(look) | Check::Ways(look) => look(cx, view),
            Check::Documents(look) => validity::inline(cx, view, look),
            Check::Account(_) | Check::Reading => None,
        }
    }

    /// What the rule sees at the account.
    pub(super) fn look_at_account(&self, cx: &Context<'_>) -> Vec<Hit> {
        match self.check {
            Check::Account(look) => look(cx),
            Check::Documents(look) => validity::managed(cx, look),
            Check::Role(_) | Check::Permissions(_) | Check::Ways(_) | Check::Reading => Vec::new(),
        }
    }
}
