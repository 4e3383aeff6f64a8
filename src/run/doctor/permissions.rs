//! Whether the caller may do all that the deployer's documents allow, asked of IAM's simulator.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::Check;
use crate::aws::{OpErrorKind, OpResult, SdkResultExt};
use crate::domain::action;
use crate::policy::{self, Names, Whom};
use crate::run::Session;

const CHECK: &str = "permissions";
const AT_ONCE: usize = 4;
/// So many denied ones are named.
const NAMED: usize = 5;

/// What one statement of the deployer's documents asks for.
struct Question {
    actions: Vec<String>,
    resources: Vec<String>,
    context: Vec<(String, String)>,
}

/// Whether every permission that the config needs is there.
pub(super) async fn allowed(session: &Session) -> Check {
    const FIX: &str =
        "allow iam:SimulatePrincipalPolicy, or compare with what `opsctl policy deployer` prints";
    let principal = match principal(session).await {
        Ok(Principal::Of(arn)) => arn,
        Ok(Principal::Root) => {
            return Check::ok(CHECK, "the root user may do everything; use a role instead");
        }
        Ok(Principal::Unknown(arn)) => {
            return Check::unknown(CHECK, format!("IAM cannot be asked what {arn} may do"), FIX);
        }
        Err(error) => return Check::unknown(CHECK, error.to_string(), FIX),
    };
    let documents = policy::documents(&session.desired, &session.kinds, Whom::Deployer, Names::Exact);
    let questions: Vec<Question> = documents.iter().flat_map(questions).collect();
    let asked = stream::iter(&questions).map(|question| ask(session, &principal, question));
    let answers: Vec<OpResult<Vec<String>>> = asked.buffered(AT_ONCE).collect().await;
    let count: usize = questions.iter().map(|question| question.actions.len()).sum();
    let (mut denied, mut unasked) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(more) => denied.extend(more),
            Err(error) => unasked = unasked.or(Some(error)),
        }
    }
    if !denied.is_empty() {
        let named = denied.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = denied.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("{principal} may not {named}{more}");
        return Check::fails(CHECK, message, "attach what `opsctl policy deployer` prints");
    }
    match unasked {
        Some(error) => Check::unknown(CHECK, error.to_string(), FIX),
        None => Check::ok(CHECK, format!("all {count} that the config needs, by IAM's simulator")),
    }
}

enum Principal {
    Of(String),
    Root,
    Unknown(String),
}

/// Whose policies count: a session has those of its role, and does not say its path.
async fn principal(session: &Session) -> OpResult<Principal> {
    let aws = &session.context.aws;
    let identity = aws.sts.get_caller_identity().send().await.op(action::sts::GetCallerIdentity)?;
    let arn = identity.arn().unwrap_or_default().to_owned();
    if arn.ends_with(":root") {
        return Ok(Principal::Root);
    }
    if arn.contains(":user/") {
        return Ok(Principal::Of(arn));
    }
    let role = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let Some(role) = role else { return Ok(Principal::Unknown(arn)) };
    match aws.iam.get_role().role_name(role).send().await.op(action::iam::GetRole) {
        Ok(found) => Ok(Principal::Of(found.role().map_or("", |role| role.arn()).to_owned())),
        // Most are at the root.
        Err(error) if error.kind == OpErrorKind::Denied => {
            let scope = &session.context.scope;
            Ok(Principal::Of(format!("arn:{}:iam::{}:role/{role}", scope.partition, scope.account)))
        }
        Err(error) => Err(error),
    }
}

/// The statements of a document as questions about things that could be.
fn questions(document: &Value) -> Vec<Question> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let statements = document["Statement"].as_array().into_iter().flatten();
    let question = |statement: &Value| {
        let equals = statement.pointer("/Condition/StringEquals").and_then(Value::as_object);
        let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        Question {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]).iter().map(|arn| example(arn)).collect(),
            context: equals.into_iter().flatten().filter_map(pair).collect(),
        }
    };
    statements.map(question).collect()
}

/// One of the names that a pattern stands for.
fn example(arn: &str) -> String {
    if arn == "*" { arn.to_owned() } else { arn.replace('?', "0").replace('*', "x") }
}

/// What of it is denied.
async fn ask(session: &Session, principal: &str, question: &Question) -> OpResult<Vec<String>> {
    let entry = |(key, value): &(String, String)| {
        let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
        entry.context_key_type(ContextKeyTypeEnum::String).build()
    };
    // An empty list is no list to IAM's protocol.
    let context: Vec<ContextEntry> = question.context.iter().map(entry).collect();
    let call = session.context.aws.iam.simulate_principal_policy();
    let call = call
        .policy_source_arn(principal)
        .set_action_names(Some(question.actions.clone()))
        .set_resource_arns(Some(question.resources.clone()))
        .set_context_entries(Some(context).filter(|context| !context.is_empty()));
    let mut pages = call.into_paginator().send();
    let mut denied = Vec::new();
    while let Some(page) = pages.next().await {
        for result in page.op(action::iam::SimulatePrincipalPolicy)?.evaluation_results() {
            if *result.eval_decision() != PolicyEvaluationDecisionType::Allowed {
                let on = result.eval_resource_name().filter(|name| *name != "*");
                let on = on.map(|name| format!(" on {name}")).unwrap_or_default();
                denied.push(format!("{}{on}", result.eval_action_name()));
            }
        }
    }
    Ok(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_asked_about_with_names_that_could_be() {
        let document = serde_json::json!({ "Statement": [{
            "Action": ["iam:PassRole"], "Resource": ["arn:aws:s3:::b/*", "*", "a-??"],
            "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } }
        }] });
        let asked = questions(&document);
        assert_eq!(asked[0].resources, ["arn:aws:s3:::b/x", "*", "a-00"]);
        assert_eq!(asked[0].context, [("iam:PassedToService".to_owned(), "lambda.amazonaws.com".to_owned())]);
    }
}
