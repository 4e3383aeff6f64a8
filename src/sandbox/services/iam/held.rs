//! The policies of the user and of roles, for what decides by them.

use std::collections::BTreeSet;

use opsctl_iam::policy::{Document, Policy};
use opsctl_iam::request::{Request, Verdict};
use serde_json::{Value, json};

use super::{PROFILES, ROLES, arn, assume, policies, roles};
use crate::authority::CALLER;
use crate::state::SandboxState;

/// What a test has given the sandbox's user: a list of documents.
pub(super) const USER: &str = "iam.user";
pub(super) const POLICIES: &str = "Policies";

/// What somebody may do, and what is at most allowed.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub policies: Vec<Policy>,
    pub boundary: Option<Vec<Policy>>,
}

impl Held {
    /// Keys of conditions that the question does not have.
    pub(super) fn missing(&self, request: &Request<'_>) -> BTreeSet<String> {
        let all: Vec<&Policy> = self.policies.iter().chain(self.boundary.iter().flatten()).collect();
        request.missing(&all).into_iter().map(str::to_owned).collect()
    }

    pub(super) fn verdict(&self, request: &Request<'_>) -> Verdict {
        let of = |policies: &[Policy]| request.verdict(&policies.iter().collect::<Vec<_>>());
        match (of(&self.policies), self.boundary.as_deref().map(of)) {
            (_, Some(Verdict::ExplicitDeny)) => Verdict::ExplicitDeny,
            (Verdict::Allowed, Some(Verdict::ImplicitDeny)) => Verdict::ImplicitDeny,
            (verdict, _) => verdict,
        }
    }
}

/// A role as whoever decides about its sessions sees it.
#[derive(Clone, Debug)]
pub struct AssumedRole {
    /// `AROA…`
    pub id: String,
    /// Who may assume it.
    pub trust: Option<Policy>,
    pub held: Held,
}

/// The role of an ARN.
pub fn assumed_role(shared: &SandboxState, role_arn: &str) -> Option<AssumedRole> {
    let role = assume::role(shared, role_arn)?;
    let managed = |arn: &str| read(policies::text(&policies::find(shared, arn)?)?.into());
    let inline = super::inline::of_role(&role);
    let inline = inline.iter().filter_map(|policy| read(policy["PolicyDocument"].clone()));
    let attached = roles::attached(&role).into_iter().filter_map(|(arn, _)| managed(&arn));
    let boundary = role["PermissionsBoundary"]["PermissionsBoundaryArn"].as_str();
    let boundary = boundary.map(|arn| managed(arn).into_iter().collect());
    Some(AssumedRole {
        id: role["RoleId"].as_str().unwrap_or_default().to_owned(),
        trust: read(role["AssumeRolePolicyDocument"].clone()),
        held: Held { policies: inline.chain(attached).collect(), boundary },
    })
}

/// What a test has given the user; without it, the user may do everything.
pub fn of_user(shared: &SandboxState) -> Option<Held> {
    let given = shared.global(USER).get(CALLER)?;
    let policies = given[POLICIES].as_array().into_iter().flatten().cloned().filter_map(read).collect();
    Some(Held { policies, boundary: None })
}

/// What the user or a role has, by ARN.
pub(super) fn of(shared: &SandboxState, source: &str) -> Option<Held> {
    if source != arn(shared, "user", "/", CALLER) {
        return Some(assumed_role(shared, source)?.held);
    }
    let everything = || read(json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}));
    let all = || Held { policies: everything().into_iter().collect(), boundary: None };
    Some(of_user(shared).unwrap_or_else(all))
}

/// The ARN, with its path, of a `role` or an `instance-profile`.
pub fn arn_of(shared: &SandboxState, kind: &str, name: &str) -> Option<String> {
    let table = if kind == "role" { ROLES } else { PROFILES };
    Some(shared.global(table).get(name)?["Arn"].as_str()?.to_owned())
}

fn read(document: Value) -> Option<Policy> {
    Document::read(document).policy().cloned()
}
