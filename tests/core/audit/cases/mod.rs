//! Small accounts, each with one truth about the role `t`: what the audit once missed, or alarmed about
//! wrongly. The name says what it is; beside most stands one that differs in the one thing that makes it
//! harmless.

mod alarms;
mod bounded;
mod callers;
mod defaults;
mod joins;
mod leftovers;
mod loosened;
mod made;
mod moments;
mod moved;
mod named;
mod own_tags;
mod parts;
mod paths;
mod said;
mod services;
mod shares;
mod strangers;
mod tagged;
mod tags;
mod together;
mod walls;

use opsctl::audit::Audit;
use serde_json::{Value, json};

use super::world::*;

/// Checks that the rules are found on the role `t`, `IAM202:critical` with that severity, and that others are
/// not.
#[track_caller]
fn check(name: &str, world: World, must: &[&str], must_not: &[&str]) {
    verify(name, &world.audit(), must, must_not);
}

#[track_caller]
fn verify(name: &str, audit: &Audit, must: &[&str], must_not: &[&str]) {
    let on_t = audit.findings.iter().filter(|f| f.resource == role_arn("t"));
    let found: Vec<_> = on_t.map(|f| (f.rule, f.severity.word(), &f.evidence)).collect();
    let has = |wanted: &str| {
        let (rule, severity) = wanted.split_once(':').unwrap_or((wanted, ""));
        found.iter().any(|(r, s, _)| *r == rule && (severity.is_empty() || *s == severity))
    };
    let missing: Vec<_> = must.iter().filter(|rule| !has(rule)).collect();
    let wrong: Vec<_> = must_not.iter().filter(|rule| has(rule)).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "{name}: missing {missing:?}, wrong {wrong:?}: {found:#?}"
    );
}

/// The role in question, used by machines.
fn t() -> RoleMaker {
    role("t").trusts(trust_service("ec2.amazonaws.com"))
}

fn everything() -> Value {
    allow(&["*"], &["*"])
}

/// An administrator whom a service may be given.
fn admin_of(service: &str) -> RoleMaker {
    role("adm").trusts(trust_service(&format!("{service}.amazonaws.com"))).can(everything())
}

/// A role that may read one bucket.
fn low() -> RoleMaker {
    role("low").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]))
}

/// The role `t` with one statement.
fn one(statement: Value) -> World {
    World::of([t().can(statement)])
}

/// The role `t` with this trust policy.
fn trusting(statement: Value) -> World {
    World::of([role("t").trusts(document(statement)).can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]))])
}

/// Trust in everybody under one condition.
fn anyone_if(operator: &str, key: &str, value: impl Into<Value>) -> World {
    trusting(when(trust(json!({"AWS": "*"})), operator, key, value))
}

/// Trust in an OIDC provider under these conditions.
fn federated(host: &str, conditions: &[(&str, &str, &str)]) -> World {
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}");
    let statement = json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity"});
    let claims =
        conditions.iter().map(|(operator, claim, value)| (operator, format!("{host}:{claim}"), value));
    trusting(claims.fold(statement, |s, (operator, key, value)| when(s, operator, &key, *value)))
}
