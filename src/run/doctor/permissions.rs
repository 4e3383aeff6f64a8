//! Whether the caller may do what is to be done, asked of IAM's simulator.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use std::collections::BTreeSet;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures_util::{StreamExt, stream};

use super::Check;
use crate::aws::{OpError, OpErrorKind, OpResult, SdkResultExt};
use crate::desired::Node;
use crate::domain::{Scope, action, few};
use crate::policy::{self, Question, Work};
use crate::run::{Session, whoami};
use opsctl_iam::arn::Arn;

pub(super) const CHECK: &str = "permissions";
const AT_ONCE: usize = 8;
/// So many denied ones are named.
const NAMED: usize = 5;
const FIX: &str = "allow iam:SimulatePrincipalPolicy, or compare with what `opsctl policy deployer` prints";

/// What the simulator says of some questions.
#[derive(Default)]
struct Answers {
    denied: Vec<String>,
    /// What is denied unless keys have values that the simulator was not told: which keys.
    depends: Vec<(String, BTreeSet<String>)>,
    unasked: Option<OpError>,
}

/// Whether every permission that this work needs is there.
pub(super) async fn allowed(session: &Session, work: impl Fn(&Node) -> Option<Work>) -> Check {
    let questions = policy::questions(&session.desired, &session.kinds, work);
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
    let asked = stream::iter(&questions).map(|question| ask(session, &principal, question));
    let mut asked = asked.buffered(AT_ONCE);
    let scope = &session.context.scope;
    let is_open = |resource: &str| is_opened_elsewhere(resource, scope, session.bucket());
    let mut answers = Answers::default();
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(results) => results.iter().for_each(|result| answers.take(&is_open, result)),
            Err(error) => answers.unasked = answers.unasked.or(Some(error)),
        }
    }
    let actions: BTreeSet<&String> = questions.iter().flat_map(|question| &question.actions).collect();
    judge(&principal, &answers, actions.len())
}

fn judge(principal: &str, answers: &Answers, count: usize) -> Check {
    if !answers.denied.is_empty() {
        let message = format!("{principal} may not {}", few(&answers.denied, NAMED));
        return Check::fails(CHECK, message, "attach what `opsctl policy deployer` prints");
    }
    if let Some(error) = &answers.unasked {
        return Check::unknown(CHECK, error.to_string(), FIX);
    }
    if !answers.depends.is_empty() {
        let names: Vec<String> = answers.depends.iter().map(|(name, _)| name.clone()).collect();
        let keys: BTreeSet<&String> = answers.depends.iter().flat_map(|(_, keys)| keys).collect();
        let keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
        let message =
            format!("whether {principal} may {} depends on {}", few(&names, NAMED), keys.join(", "));
        return Check::unknown(CHECK, message, "IAM's simulator does not know these of a later call: try it");
    }
    Check::ok(CHECK, format!("all {count} that the config needs, by IAM's simulator"))
}

impl Answers {
    /// One action: AWS answers for each resource, and for all of them together
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>).
    fn take(&mut self, is_open: &impl Fn(&str) -> bool, result: &EvaluationResult) {
        let action = result.eval_action_name();
        let mut note = |on: &str, decision: &PolicyEvaluationDecisionType, missing: &[String]| {
            if *decision == PolicyEvaluationDecisionType::Allowed {
                return;
            }
            let name = if on == "*" { action.to_owned() } else { format!("{action} on {on}") };
            let mut missing: BTreeSet<String> = missing.iter().cloned().collect();
            let explicit = *decision == PolicyEvaluationDecisionType::ExplicitDeny;
            if !explicit && is_open(on) {
                missing.insert(format!("the policy of {on}"));
            }
            match missing.is_empty() {
                true => self.denied.push(name),
                false => self.depends.push((name, missing)),
            }
        };
        if result.resource_specific_results().is_empty() {
            let on = result.eval_resource_name().unwrap_or("*");
            note(on, result.eval_decision(), result.missing_context_values());
        }
        for each in result.resource_specific_results() {
            note(each.eval_resource_name(), each.eval_resource_decision(), each.missing_context_values());
        }
    }
}

/// Whether a policy of the resource may allow what those of the caller do not: that of a key, a registry or
/// a bucket of others, in the same account (an S3 ARN does not say which). In another account both have to.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
fn is_opened_elsewhere(resource: &str, scope: &Scope, own_bucket: &str) -> bool {
    let Some(arn) = Arn::parse(resource) else { return false };
    match arn.service {
        "s3" => arn.resource.split('/').next() != Some(own_bucket),
        "kms" | "ecr" => arn.account == scope.account,
        _ => false,
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
    let arn = whoami(aws).await?.arn;
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
            Ok(Principal::Of(scope.iam_arn(&format!("role/{role}"))))
        }
        Err(error) => Err(error),
    }
}

/// What IAM's simulator says of a principal.
pub(super) async fn ask(
    session: &Session,
    principal: &str,
    question: &Question,
) -> OpResult<Vec<EvaluationResult>> {
    let entry = |(key, value): &(String, String)| {
        let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
        let kind = match key.as_str() {
            "kms:GrantIsForAWSResource" => ContextKeyTypeEnum::Boolean,
            _ => ContextKeyTypeEnum::String,
        };
        entry.context_key_type(kind).build()
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
    let mut results = Vec::new();
    while let Some(page) = pages.next().await {
        results.extend(page.op(action::iam::SimulatePrincipalPolicy)?.evaluation_results.unwrap_or_default());
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::ResourceSpecificResult;

    use super::*;

    fn on(name: &str, decision: PolicyEvaluationDecisionType, missing: &[&str]) -> ResourceSpecificResult {
        let result =
            ResourceSpecificResult::builder().eval_resource_name(name).eval_resource_decision(decision);
        let missing = missing.iter().map(|key| (*key).to_owned()).collect();
        result.set_missing_context_values(Some(missing)).build().expect("all is given")
    }

    #[test]
    fn a_denial_is_of_one_resource_and_one_that_depends_on_more_is_none() {
        use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
        let result = EvaluationResult::builder().eval_action_name("s3:PutObject").eval_decision(ExplicitDeny);
        let result = result
            .resource_specific_results(on("a", Allowed, &[]))
            .resource_specific_results(on("b", ImplicitDeny, &[]))
            .resource_specific_results(on("c", ExplicitDeny, &["aws:MultiFactorAuthPresent"]));
        let mut answers = Answers::default();
        answers.take(&|_| false, &result.build().expect("all is given"));
        assert_eq!(answers.denied, ["s3:PutObject on b"]);
        assert!(judge("me", &answers, 1).message.contains("me may not s3:PutObject on b"));
        answers.denied.clear();
        let check = judge("me", &answers, 1);
        assert_eq!(check.result, super::super::Answer::Unknown);
        assert!(
            check.message.ends_with("s3:PutObject on c depends on aws:MultiFactorAuthPresent"),
            "{check:?}"
        );
    }

    #[test]
    fn a_policy_of_the_resource_opens_it_in_its_own_account() {
        let scope = Scope::new("p", "dev", "111122223333", "us-east-1");
        for (resource, opened) in [
            ("arn:aws:kms:us-east-1:111122223333:key/x", true),
            ("arn:aws:kms:us-east-1:999999999999:key/x", false),
            ("arn:aws:ecr:us-east-1:111122223333:repository/x", true),
            ("arn:aws:s3:::ours/data/x", false),
            ("arn:aws:s3:::theirs/data/x", true),
            ("arn:aws:lambda:us-east-1:111122223333:layer:x:1", false),
            ("*", false),
        ] {
            assert_eq!(is_opened_elsewhere(resource, &scope, "ours"), opened, "{resource}");
        }
    }
}
