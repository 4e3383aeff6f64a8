//! Whether the roles of others that the config names are there, trust the service that is to run with them,
//! and may do what is needed. They are looked at, and never changed.

use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use futures_util::future::join_all;
use serde_json::Value;

use super::{Check, permissions};
use crate::aws::{OpErrorKind, OpResult, SdkResultExt};
use crate::desired::{GivenRole, Kind, Node};
use crate::domain::{Owner, action};
use crate::engine::OpCx;
use crate::policy::Question;
use crate::resources::bucket::{self, Bucket};
use crate::resources::instance::Instance;
use crate::resources::role::Role;
use crate::run::Session;
use opsctl_iam::arn::Arn;
use opsctl_iam::policy::{Condition, Document, Statement};

pub(super) const CHECK: &str = "role";

/// One answer for each role that something which is meant runs with.
pub(super) async fn roles(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Vec<Check> {
    let given: Vec<&GivenRole> = session.desired.given_to(is_meant).collect();
    join_all(given.into_iter().map(|given| role(session, given))).await
}

/// Whether the instance profiles are there that hold roles of others, and hold them: EC2 takes no role
/// without one.
pub(super) async fn profiles(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Vec<Check> {
    let desired = &session.desired;
    let of = desired.nodes.iter().filter(|node| is_meant(node)).filter_map(|node| {
        let at = desired.origin.get(&node.id)?;
        let given = desired.given.iter().find(|given| given.at == *at)?;
        Some((node.spec_as::<Instance>()?, given))
    });
    join_all(of.map(|(spec, given)| profile(session, &spec.profile_arn, given))).await
}

async fn profile(session: &Session, named: &str, given: &GivenRole) -> Check {
    let at = given.at.to_string();
    let name = named.rsplit('/').next().unwrap_or_default();
    let role = given.arn.rsplit('/').next().unwrap_or_default();
    let call = session.context.aws.iam.get_instance_profile().instance_profile_name(name);
    let is_meant = |arn: &str| !named.starts_with("arn:") || arn == named;
    let found = match call.send().await.op(action::iam::GetInstanceProfile) {
        Ok(found) => found.instance_profile.filter(|profile| is_meant(profile.arn())),
        Err(error) if error.kind == OpErrorKind::NotFound => None,
        Err(error) => {
            let fix = "allow iam:GetInstanceProfile on it, or ask whoever made it";
            return Check::unknown(CHECK, format!("the instance profile {named} (of {at}): {error}"), fix);
        }
    };
    match found {
        Some(profile) if profile.roles().iter().any(|held| held.arn() == given.arn) => {
            Check::ok(CHECK, format!("the instance profile {named} holds {}", given.arn))
        }
        Some(_) => {
            let message = format!("the instance profile {named} (of {at}) does not hold {}", given.arn);
            let fix = format!("have it put in ({}), or name another `instance_profile`", holding(name, role));
            Check::fails(CHECK, message, fix)
        }
        None => {
            let message =
                format!("there is no instance profile {named}, in which EC2 takes the `role` of {at}");
            let make = format!("aws iam create-instance-profile --instance-profile-name {name}");
            let hold = holding(name, role);
            let fix =
                format!("name the one that holds it by `instance_profile`, or have it made ({make}; {hold})");
            Check::fails(CHECK, message, fix)
        }
    }
}

/// The command that puts a role into an instance profile.
fn holding(profile: &str, role: &str) -> String {
    let to = "aws iam add-role-to-instance-profile";
    format!("{to} --instance-profile-name {profile} --role-name {role}")
}

/// Whether the boundary is there that the roles are made within.
pub(super) async fn boundary(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Option<Check> {
    const CHECK: &str = "permissions boundary";
    let roles = session.desired.nodes.iter().filter(|node| is_meant(node));
    let arn = roles.filter_map(|node| node.spec_as::<Role>()?.boundary.as_deref()).next()?;
    let found = session.context.aws.iam.get_policy().policy_arn(arn).send().await;
    Some(match found.op(action::iam::GetPolicy) {
        Ok(_) => Check::ok(CHECK, arn),
        Err(error) if error.kind == OpErrorKind::NotFound => {
            let elsewhere = Arn::parse(arn).is_none_or(|arn| arn.account != session.context.scope.account);
            let message = format!("there is no policy {arn}, which `permissions_boundary` names");
            match elsewhere {
                // A sandbox has an account of its own.
                true => Check::unknown(CHECK, message, "it is of another account"),
                false => Check::fails(
                    CHECK,
                    message,
                    "name the policy that your administrator made, or have it made",
                ),
            }
        }
        Err(error) => Check::unread(CHECK, &error),
    })
}

async fn role(session: &Session, given: &GivenRole) -> Check {
    let (arn, at) = (&given.arn, given.at.to_string());
    let fix = "allow iam:GetRole and iam:SimulatePrincipalPolicy on it, or ask whoever made it";
    let name = arn.rsplit('/').next().unwrap_or_default();
    let found = session.context.aws.iam.get_role().role_name(name).send().await.op(action::iam::GetRole);
    let elsewhere = Arn::parse(arn).is_none_or(|arn| arn.account != session.context.scope.account);
    let role = match found {
        Ok(found) => found.role.filter(|role| role.arn() == arn),
        Err(error) if error.kind == OpErrorKind::NotFound => None,
        Err(error) => return Check::unknown(CHECK, format!("{arn} (of {at}): {error}"), fix),
    };
    let Some(role) = role else {
        // A sandbox has an account of its own.
        return match elsewhere {
            true => Check::unknown(CHECK, format!("{arn} (of {at}) is of another account"), fix),
            false => Check::fails(
                CHECK,
                format!("there is no role {arn}, which {at} names"),
                "name another `role`",
            ),
        };
    };
    let trust = Document::read(role.assume_role_policy_document().unwrap_or_default().into());
    // What that depends on besides is not judged.
    if !trust.policy().is_some_and(|trust| trust.trusts(given.service)) {
        let message = format!("{arn} (of {at}) does not trust {}, which is to run with it", given.service);
        return Check::fails(CHECK, message, "name another `role`, or have its trust policy changed");
    }
    match lacks(session, given).await {
        Err(error) => Check::unknown(CHECK, format!("what {arn} (of {at}) may do: {error}"), fix),
        Ok(Lacks { denied, unclear }) if denied.is_empty() && unclear.is_empty() => {
            Check::ok(CHECK, format!("{arn} may do what {at} needs, by IAM's simulator"))
        }
        Ok(Lacks { denied, unclear }) if denied.is_empty() => {
            let message = format!(
                "whether {arn} (of {at}) may {} depends on what IAM's simulator is not told",
                unclear.join(", ")
            );
            Check::unknown(CHECK, message, "a policy of the resource may allow it: try it")
        }
        Ok(Lacks { denied, .. }) => {
            // All of them: whoever runs the account is asked once.
            let message = format!("{arn} (of {at}) may not {}", denied.join(", "));
            // The same for all, so that it is said once.
            let fix =
                "have allowed what `opsctl policy role` prints, name another `role`, or leave the key out";
            Check::fails(CHECK, message, fix)
        }
    }
}

#[derive(Default)]
struct Lacks {
    denied: Vec<String>,
    /// What a policy of the resource, or a key of a later call, may allow.
    unclear: Vec<String>,
}

/// Each statement that opsctl would have put into a role of its own, asked of the simulator.
async fn lacks(session: &Session, given: &GivenRole) -> OpResult<Lacks> {
    let own = own_bucket(session).await;
    let mut lacks = Lacks::default();
    for result in join_all(given.statements.iter().map(|statement| ask(session, given, statement))).await {
        for result in result? {
            let action = result.eval_action_name().to_owned();
            let each = result.resource_specific_results();
            let mut note = |on: &str, decision: &PolicyEvaluationDecisionType, missing: bool| {
                if *decision == PolicyEvaluationDecisionType::Allowed {
                    return;
                }
                let name = if on == "*" { action.clone() } else { format!("{action} on {on}") };
                let explicit = *decision == PolicyEvaluationDecisionType::ExplicitDeny;
                let open = missing || !explicit && has_policy_of_its_own(on, own.as_deref());
                if open { lacks.unclear.push(name) } else { lacks.denied.push(name) }
            };
            if each.is_empty() {
                let missing = !result.missing_context_values().is_empty();
                note(result.eval_resource_name().unwrap_or("*"), result.eval_decision(), missing);
            }
            for one in each {
                let missing = !one.missing_context_values().is_empty();
                note(one.eval_resource_name(), one.eval_resource_decision(), missing);
            }
        }
    }
    Ok(lacks)
}

/// Whether a policy of the resource may allow what the role's own do not. That of a bucket that opsctl made
/// allows nothing.
fn has_policy_of_its_own(resource: &str, own_bucket: Option<&str>) -> bool {
    let Some(arn) = Arn::parse(resource) else { return false };
    let bucket = arn.resource.split('/').next();
    match arn.service {
        "s3" => bucket != own_bucket,
        service => ["kms", "ecr", "secretsmanager", "lambda", "sqs", "sns", "dynamodb"].contains(&service),
    }
}

/// The project's bucket, if it is not somebody else's.
async fn own_bucket(session: &Session) -> Option<String> {
    let name = session.bucket();
    let cx = OpCx::new(&session.context, <Bucket as Kind>::id(Bucket::MAIN));
    match bucket::owner(&cx, name).await {
        Ok(Some(Owner::Ours) | None) => Some(name.to_owned()),
        _ => None,
    }
}

/// What a statement allows, of the names that its patterns could stand for.
async fn ask(session: &Session, given: &GivenRole, statement: &Value) -> OpResult<Vec<EvaluationResult>> {
    let plain = |text: &str| if text == "*" { text.to_owned() } else { text.replace(['*', '?'], "x") };
    let statement = Statement::from_json(statement.clone()).expect("opsctl writes what IAM takes");
    let entry = |condition: &Condition| {
        let value = condition.values.first().map(|value| plain(value)).unwrap_or_default();
        (condition.key.clone(), value)
    };
    let question = Question {
        actions: statement.actions.patterns().to_vec(),
        resources: statement.on().iter().map(|pattern| plain(pattern)).collect(),
        context: statement.conditions.iter().map(entry).collect(),
    };
    permissions::ask(session, &given.arn, &question).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that a bucket's or a key's own policy can change is no answer.
    #[test]
    fn what_a_policy_of_the_resource_may_allow_is_unclear() {
        for (resource, own, unclear) in [
            ("arn:aws:s3:::ours/data/x", Some("ours"), false),
            ("arn:aws:s3:::theirs/data/x", Some("ours"), true),
            ("arn:aws:s3:::ours/data/x", None, true),
            ("arn:aws:kms:us-east-1:123456789012:key/x", Some("ours"), true),
            ("arn:aws:logs:us-east-1:123456789012:log-group:x", Some("ours"), false),
            ("*", Some("ours"), false),
        ] {
            assert_eq!(has_policy_of_its_own(resource, own), unclear, "{resource}");
        }
    }
}
