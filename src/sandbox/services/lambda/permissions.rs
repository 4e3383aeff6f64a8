//! Who else may invoke a function: the resource policies of a function, its versions and its aliases.

use opsctl_iam::arn::is_account_id;
use serde_json::{Value, json};

use super::region::{FUNCTIONS, LATEST, LambdaRegion, Target, conflict, invalid, not_found};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::state::{SandboxState, arn_of};

/// docs/aws/lambda.md#limits
const LARGEST_POLICY: usize = 20 << 10;

/// The policies of a function's document are named by qualifier; the function's own has none.
fn owner(target: &Target) -> &str {
    target.qualifier.as_deref().unwrap_or("-")
}

pub(super) fn add_permission(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    if target.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    let id = call.text("StatementId");
    let arn = lambda.find(&target)?.configuration["FunctionArn"].take();
    let statement = statement(call, &arn);
    let answer = json!({"Statement": statement.to_string()});
    change(call, &lambda, &target, |statements| {
        if statements.iter().any(|statement| statement["Sid"] == id) {
            return Err(conflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or \
                 remove the existing statement."
            )));
        }
        statements.push(statement);
        if Value::from(statements.as_slice()).to_string().len() > LARGEST_POLICY {
            let message = "The final policy size is bigger than the limit (20480).";
            return Err(Fault::new(400, "PolicyLengthExceededException", message));
        }
        Ok(())
    })?;
    Ok(Reply::json(201, &answer))
}

fn statement(call: &Call, arn: &Value) -> Value {
    let principal = call.text("Principal");
    let account = is_account_id(principal);
    let mut statement = json!({
        "Sid": call.text("StatementId"),
        "Effect": "Allow",
        "Principal": match principal {
            "*" => json!("*"),
            service if service.ends_with(".amazonaws.com") => json!({"Service": service}),
            _ if account => json!({"AWS": arn_of("iam", "", principal, "root")}),
            arn => json!({"AWS": arn}),
        },
        "Action": call.text("Action"),
        "Resource": arn,
    });
    for (member, operator, name) in [
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ] {
        if let Some(value) = call.maybe(member) {
            statement["Condition"][operator][name] = Value::from(value);
        }
    }
    if call.flag("InvokedViaFunctionUrl") {
        statement["Condition"]["Bool"]["lambda:InvokedViaFunctionUrl"] = Value::from("true");
    }
    statement
}

/// The policy of a function, or of what a qualifier names, if it has one.
pub fn policy_of(shared: &SandboxState, region: &str, name: &str, qualifier: Option<&str>) -> Option<Value> {
    let document = shared.table(FUNCTIONS, region).get(name)?;
    let statements = &document["Policies"][qualifier.unwrap_or("-")]["Statement"];
    statements.is_array().then(|| json!({"Statement": statements}))
}

pub(super) fn remove_permission(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    let id = call.text("StatementId");
    change(call, &lambda, &target, |statements| {
        if statements.is_empty() {
            return Err(not_found("No policy is associated with the given resource."));
        }
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != id);
        if statements.len() == before {
            return Err(not_found(format!("Statement {id} is not found in resource policy.")));
        }
        Ok(())
    })?;
    Ok(Reply::empty())
}

pub(super) fn get_policy(call: &Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(call), Target::of(call)?);
    lambda.find(&target)?;
    let document = lambda.function(&target.name)?;
    let policy = &document["Policies"][owner(&target)];
    if policy["Statement"].as_array().is_none_or(Vec::is_empty) {
        return Err(not_found("The resource you requested does not exist."));
    }
    let text =
        json!({"Version": "2012-10-17", "Id": "default", "Statement": policy["Statement"]}).to_string();
    Ok(Reply::json(200, &json!({"Policy": text, "RevisionId": policy["RevisionId"]})))
}

/// Changes the statements of one policy; when `change` refuses, nothing is changed.
fn change(
    call: &Call,
    lambda: &LambdaRegion,
    target: &Target,
    change: impl FnOnce(&mut Vec<Value>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let changed = lambda.functions().update(&target.name, |entry| {
        let policy = &mut entry.doc["Policies"][owner(target)];
        if !policy["RevisionId"].is_null() {
            super::region::check_revision(call, policy)?;
        }
        let mut statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        change(&mut statements)?;
        *policy = json!({"RevisionId": lambda.revision(&call.request_id), "Statement": statements});
        Ok(())
    })?;
    changed.ok_or_else(|| lambda.missing(&target.name, None))
}

/// An alias takes its policy with it.
pub(super) fn forget(lambda: &LambdaRegion, function: &str, alias: &str) -> Result<(), Fault> {
    let forgotten = lambda.functions().update(function, |entry| {
        if let Some(policies) = entry.doc["Policies"].as_object_mut() {
            policies.remove(alias);
        }
        Ok(())
    });
    forgotten.map(|_| ())
}
