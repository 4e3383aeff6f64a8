//! Smaller policies for the roles of an account, as files to review. Nothing is applied.

use std::collections::BTreeSet;

use crate::audit::account::Role;
use crate::audit::evaluate::Engine;
use crate::audit::role_view::RoleKind;
use crate::audit::{Account, Settings, Usage, least};
use crate::domain::shown;

/// What was proposed.
#[derive(Debug, Default)]
pub struct Proposals {
    pub roles: Vec<Proposed>,
    /// Roles that used nothing which they may do: a policy without statements is none.
    pub unused: Vec<String>,
}

/// A role with a policy of its own, and the difference to what it has now.
#[derive(Debug)]
pub struct Proposed {
    pub name: String,
    pub notes: Vec<String>,
    /// The names of its files, and what is in them.
    pub files: [(String, String); 2],
}

/// A smaller policy and its difference, for each role that its owner can change.
pub fn propose(account: &Account, usage: &Usage, settings: &Settings) -> Proposals {
    let engine = Engine::at(account, settings.now);
    let (mut taken, mut proposals) = (BTreeSet::new(), Proposals::default());
    for role in account.roles.iter().filter(|role| is_ours_to_change(role, settings)) {
        let Some(used) = usage.roles.get(&role.arn) else { continue };
        let Some(proposal) = least::propose(&engine, role, used, settings) else { continue };
        if proposal.removed == 0 {
            continue;
        }
        if proposal.is_empty() {
            proposals.unused.push(role.name.clone());
            continue;
        }
        let name = file_name(role, &mut taken);
        let file = |ending, text: &str| (format!("{name}.{ending}"), shown::json(text).into_owned());
        let files = [file("json", &proposal.after), file("diff", &proposal.diff)];
        proposals.roles.push(Proposed { files, name, notes: proposal.notes });
    }
    proposals
}

/// Nobody edits the policies of a service-linked role; those of a platform come from its own templates, and a
/// role for emergencies is rightly idle.
fn is_ours_to_change(role: &Role, settings: &Settings) -> bool {
    RoleKind::of(role) == RoleKind::Ordinary && !settings.is_break_glass(role)
}

/// A file's name for a role. IAM allows letters, digits and `+=,.@_-`; a dump may hold anything, a path
/// included, and names that differ in case alone are one file on some disks.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
fn file_name(role: &Role, taken: &mut BTreeSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let name = &role.name;
    let can_be_one =
        (1..=64).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with(['.', '-']);
    if can_be_one && taken.insert(name.to_ascii_lowercase()) {
        return name.clone();
    }
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{kept}~{}", &blake3::hash(role.arn.as_bytes()).to_hex()[..16])
}
