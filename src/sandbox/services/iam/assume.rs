//! What other services ask about roles.

use opsctl_iam::arn::Arn;
use opsctl_iam::policy::Document;
use serde_json::{Value, json};

use super::{ROLES, stamp};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::merge;

/// Why a service cannot assume a role. Its caller is told the same in both cases
/// (docs/aws/errors-and-retries.md#new-roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssumeRoleError {
    /// The role is too new: trying again helps (rule `role-propagation`).
    NotYet,
    /// There is no such role in this account (rule `role-exists`), or it does not trust the service (rule
    /// `role-trust`).
    No,
}

/// Whether an ARN of IAM is of another account. AWS refuses those; the sandbox takes them as they are,
/// because a config names what is in the account that it is for, and the sandbox has one account of its own.
pub fn is_elsewhere(shared: &SandboxState, arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.account != shared.account && arn.account != "aws")
}

pub(super) fn role(shared: &SandboxState, arn: &str) -> Option<Value> {
    let role = shared.global(ROLES).get(arn.rsplit('/').next()?)?;
    (role["Arn"] == arn).then_some(role)
}

/// Whether a service (`sagemaker.amazonaws.com`) can assume the role with this ARN now.
///
/// # Errors
/// [`AssumeRoleError`]; every service has its own words for it.
pub fn assumable(shared: &SandboxState, role_arn: &str, service: &str) -> Result<(), AssumeRoleError> {
    let Some(role) = role(shared, role_arn) else {
        if is_elsewhere(shared, role_arn) {
            return Ok(());
        }
        return if shared.enforces(AwsRule::RoleExists) { Err(AssumeRoleError::No) } else { Ok(()) };
    };
    let trust = Document::read(role["AssumeRolePolicyDocument"].clone());
    if shared.enforces(AwsRule::RoleTrust) && !trust.policy().is_some_and(|trust| trust.trusts(service)) {
        return Err(AssumeRoleError::No);
    }
    let usable = role["UsableAt"].as_u64().is_none_or(|at| at <= shared.clock.now());
    if shared.enforces(AwsRule::RolePropagation) && !usable { Err(AssumeRoleError::NotYet) } else { Ok(()) }
}

/// Remembers that a role was used now, as AWS does when a service assumes it. A role that is gone is no
/// error.
pub fn note_use(shared: &SandboxState, role_arn: &str, region: &str) -> Result<(), Fault> {
    let Some(role) = role(shared, role_arn) else { return Ok(()) };
    let used = json!({"RoleLastUsed": {"LastUsedDate": stamp(shared.clock.now()), "Region": region}});
    let name = role["RoleName"].as_str().unwrap_or_default();
    shared.global(ROLES).update(name, |entry| {
        merge(&mut entry.doc, used);
        Ok(())
    })?;
    Ok(())
}
