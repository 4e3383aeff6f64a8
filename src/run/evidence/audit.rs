//! The project's roles, and what the audit of the account says of them.

use serde_json::Value;

use super::{AuditOf, Gaps, Session};
use crate::audit::{self, Instant, Usage, collect};
use crate::desired::{Kind, Node};
use crate::domain::KindName;
use crate::evidence::{Audit, Gap, Grant, Role as RoleEvidence, Time};
use crate::plan::{Observation, Observed};
use crate::resources::role::Role;
use crate::run;

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
        arn: format!("arn:{}:iam::{}:role{path}{}", scope.partition, scope.account, node.physical),
        trusted: statements(&state.trust).flat_map(|statement| principals(&statement["Principal"])).collect(),
        used_by: users.filter(|user| user.id.kind != KindName::Role).map(|user| user.id.clone()).collect(),
        grants: state.policy.iter().flat_map(statements).map(grant).collect(),
        attached,
    }
}

/// One, or a list of them.
fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    let statement = &policy["Statement"];
    let one = (!statement.is_null() && !statement.is_array()).then_some(statement);
    statement.as_array().into_iter().flatten().chain(one)
}

fn grant(statement: &Value) -> Grant {
    let either = |name: &str, not: &str| match texts(&statement[name]) {
        none if none.is_empty() => {
            texts(&statement[not]).into_iter().map(|text| format!("all but {text}")).collect()
        }
        given => given,
    };
    Grant {
        effect: statement["Effect"].as_str().unwrap_or_default().to_owned(),
        actions: either("Action", "NotAction"),
        resources: either("Resource", "NotResource"),
        conditional: !statement["Condition"].is_null(),
    }
}

fn principals(principal: &Value) -> Vec<String> {
    match principal {
        Value::Object(kinds) => kinds.values().flat_map(texts).collect(),
        other => texts(other),
    }
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_read_in_every_form_of_theirs() {
        let one = json!({ "Statement": { "Effect": "Allow", "Action": "s3:*", "NotResource": ["a", "b"] } });
        let grants: Vec<_> = statements(&one).map(grant).collect();
        assert_eq!(
            (grants[0].actions.join(" "), grants[0].resources.join(" ")),
            ("s3:*".into(), "all but a all but b".into())
        );
        assert_eq!(statements(&json!({})).count(), 0);
        assert_eq!(principals(&json!({ "Service": ["x", "y"], "AWS": "*" })).len(), 3);
        assert_eq!(principals(&json!("*")), ["*"]);
    }
}
