//! The project's roles, and what the audit of the account says of them.

use std::sync::Arc;

use serde_json::Value;

use super::{AuditOf, Gaps, Session};
use crate::audit::{self, Instant, Usage, collect};
use crate::desired::{Kind, Node};
use crate::domain::KindName;
use crate::evidence::{Audit, Gap, Grant, Role as RoleEvidence, Time};
use crate::plan::{Observation, Observed};
use crate::resources::role::Role;
use crate::run;
use opsctl_iam::policy::{Document, Principals, Selector, Statement};

/// The roles that are there, and the audit that is wanted.
pub async fn all(
    session: &Session,
    have: &Observed,
    of: AuditOf,
    now: Time,
    gaps: &mut Gaps,
) -> (Vec<RoleEvidence>, Option<Audit>) {
    let seen = session.desired.nodes.iter().filter_map(|node| match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => Some((node, &seen.of::<Role>()?.state)),
        _ => None,
    });
    let roles: Vec<RoleEvidence> = seen.map(|(node, state)| role(session, node, state)).collect();
    let audit = match of {
        AuditOf::Nobody => None,
        _ => audited(session, &roles, of, now, gaps).await,
    };
    (roles, audit)
}

async fn audited(
    session: &Session,
    roles: &[RoleEvidence],
    of: AuditOf,
    now: Time,
    gaps: &mut Gaps,
) -> Option<Audit> {
    let collected = collect::collect(&session.context.aws.iam).await;
    let account = collected.account(&session.context.scope.account);
    if account.roles.is_empty() && !collected.problems.is_empty() {
        let why = collected.problems.iter().map(|(_, why)| why.clone()).collect::<Vec<_>>().join("; ");
        gaps.0.push(Gap { what: "the audit of roles".into(), why });
        return None;
    }
    let mut settings = run::audit::settings(Some(&session.config), Instant(now.0));
    settings.expected = run::audit::expected(&session.desired, &account);
    let result = audit::audit(&account, &Usage::default(), &settings);
    let whole_account = of == AuditOf::Account;
    let is_ours = |resource: &str| roles.iter().any(|role| role.arn == resource);
    let wanted = |resource: &str| whole_account || is_ours(resource);
    let count = account.roles.iter().filter(|role| wanted(&role.arn)).count();
    for skipped in result.not_evaluated.iter().filter(|skipped| !skipped.optional) {
        gaps.0.push(Gap { what: format!("rule {} of the audit", skipped.rule), why: skipped.reason.clone() });
    }
    let concerns = |all: &[String]| all.is_empty() || all.iter().any(|resource| wanted(resource));
    Some(Audit {
        whole_account,
        roles: count,
        findings: result.findings.into_iter().filter(|finding| wanted(&finding.resource)).collect(),
        not_evaluated: result.not_evaluated.into_iter().filter(|rule| concerns(&rule.resources)).collect(),
    })
}

fn role(session: &Session, node: &Node, state: &<Role as Kind>::State) -> RoleEvidence {
    let users = session.desired.nodes.iter().filter(|user| user.needs.contains(&node.id));
    let scope = &session.context.scope;
    let path = &state.path;
    let mut attached = state.attached.clone();
    attached.extend(state.more_policies.iter().map(|name| format!("inline policy {name}")));
    RoleEvidence {
        name: node.physical.clone(),
        arn: scope.iam_arn(&format!("role{path}{}", node.physical)),
        trusted: statements(&state.trust).iter().flat_map(|statement| trusted(statement)).collect(),
        used_by: users.filter(|user| user.id.kind != KindName::Role).map(|user| user.id.clone()).collect(),
        grants: state.policy.iter().flat_map(statements).map(|statement| grant(&statement)).collect(),
        attached,
    }
}

/// None of a document that cannot be read: the audit says so.
fn statements(document: &Value) -> Vec<Arc<Statement>> {
    Document::read(document.clone()).statements().to_vec()
}

fn grant(statement: &Statement) -> Grant {
    let said = |selector: &Selector| match selector {
        Selector::Only(patterns) => patterns.clone(),
        Selector::Except(patterns) => patterns.iter().map(|text| format!("all but {text}")).collect(),
    };
    Grant {
        effect: if statement.allow { "Allow" } else { "Deny" }.to_owned(),
        actions: said(&statement.actions),
        resources: statement.resources.as_ref().map(said).unwrap_or_default(),
        conditional: !statement.conditions.is_empty(),
    }
}

fn trusted(statement: &Statement) -> Vec<String> {
    let Some(Principals { negated, listed }) = &statement.principals else { return Vec::new() };
    let said = |(_, value): &(String, String)| match negated {
        true => format!("all but {value}"),
        false => value.clone(),
    };
    listed.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_read_in_every_form_of_theirs() {
        let one = json!({ "Statement": { "Effect": "Allow", "Action": "s3:*", "NotResource": ["a", "b"] } });
        let grants: Vec<_> = statements(&one).iter().map(|statement| grant(statement)).collect();
        assert_eq!(
            (grants[0].actions.join(" "), grants[0].resources.join(" ")),
            ("s3:*".into(), "all but a all but b".into())
        );
        assert_eq!(statements(&json!({})).len(), 0);
        let who = |key: &str, who: Value| {
            let all = statements(&json!({ "Statement": [{ "Effect": "Allow", "Action": "*", key: who }] }));
            trusted(&all[0]).join(", ")
        };
        assert_eq!(who("Principal", json!({ "Service": ["x", "y"], "AWS": "*" })), "*, x, y");
        assert_eq!(who("Principal", json!("*")), "*");
        assert_eq!(who("NotPrincipal", json!({ "AWS": ["x", "y"] })), "all but x, all but y");
    }
}
