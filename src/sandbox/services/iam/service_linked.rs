//! Service-linked roles, which belong to a service and are changed by AWS only.

use serde_json::{Value, json};

use super::{ROLES, policies, roles};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::state::arn_of;
use crate::store::merge;

/// A service, the name of its role, and the policy of AWS attached to it where the sandbox has that.
struct Linked {
    service: &'static str,
    role: &'static str,
    policy: Option<&'static str>,
}

const fn linked(service: &'static str, role: &'static str, policy: Option<&'static str>) -> Linked {
    Linked { service, role, policy }
}

/// docs/aws/autoscaling.md#registering-a-target, docs/aws/iam.md#service-linked-roles.
const LINKED: &[Linked] = &[
    linked(
        "sagemaker.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
        Some("AWSApplicationAutoscalingSageMakerEndpointPolicy"),
    ),
    linked(
        "lambda.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
        Some("AWSApplicationAutoscalingLambdaConcurrencyPolicy"),
    ),
    linked("sagemaker.amazonaws.com", "AWSServiceRoleForAmazonSageMakerNotebooks", None),
    linked("spot.amazonaws.com", "AWSServiceRoleForEC2Spot", None),
    linked("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", None),
];

pub(super) fn create(call: &Call) -> Answer {
    let service = call.text("AWSServiceName");
    let invalid = |message: String| Fault::new(400, "InvalidInput", message);
    let linked = LINKED.iter().find(|linked| linked.service == service).ok_or_else(|| {
        invalid(format!("The sandbox knows no service-linked role of {service}; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md"))
    })?;
    if call.maybe("CustomSuffix").is_some_and(|suffix| !suffix.is_empty()) {
        return Err(invalid(format!("Custom suffix is not allowed for {service}")));
    }
    let role = linked.make(call)?.ok_or_else(|| {
        invalid(format!(
            "Service role name {} has been taken in this account, please try a different suffix.",
            linked.role
        ))
    })?;
    Ok(json!({"Role": roles::summary(&role)}))
}

/// The ARN of a service's own role, made when missing, as a service makes it at its first use in an account.
/// `None` when the sandbox knows no role of this service.
///
/// # Errors
/// Only when the sandbox cannot write its files.
pub fn ensure(call: &Call, service: &str) -> Result<Option<String>, Fault> {
    let Some(linked) = LINKED.iter().find(|linked| linked.service == service) else { return Ok(None) };
    linked.make(call)?;
    let role = call.shared.global(ROLES).get(linked.role);
    Ok(role.and_then(|role| role["Arn"].as_str().map(str::to_owned)))
}

impl Linked {
    /// The new role; none when it is there already.
    fn make(&self, call: &Call) -> Result<Option<Value>, Fault> {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": self.service},
                "Action": "sts:AssumeRole",
            }],
        });
        let path = format!("/aws-service-role/{}/", self.service);
        let mut role = roles::new_role(call, &path, self.role, &trust.to_string());
        if let Some(policy) = self.policy {
            let arn = arn_of("iam", "", "aws", &format!("policy/aws-service-role/{policy}"));
            debug_assert!(policies::find(&call.shared, &arn).is_some(), "{arn} is in aws_managed.json");
            merge(&mut role, json!({"Attached": {arn: policy}}));
        }
        merge(&mut role, json!({"Description": call.maybe("Description")}));
        Ok(call.shared.global(ROLES).insert_new(self.role, role.clone())?.then_some(role))
    }
}

/// Deletion is a task (docs/aws/iam.md#service-linked-roles); here nothing can hold it up, so it is done at
/// once.
pub(super) fn delete(call: &Call) -> Answer {
    let role = roles::named(call)?;
    let path = role["Path"].as_str().unwrap_or_default();
    let Some(service) = path.strip_prefix("/aws-service-role/") else {
        return Err(roles::missing(call.text("RoleName")));
    };
    roles::remove(&call.shared, &role)?;
    let task = format!("task/aws-service-role/{service}{}/{}", call.text("RoleName"), call.request_id);
    Ok(json!({"DeletionTaskId": task}))
}

pub(super) fn deletion_status(call: &Call) -> Answer {
    if call.text("DeletionTaskId").starts_with("task/aws-service-role/") {
        Ok(json!({"Status": "SUCCEEDED"}))
    } else {
        Err(super::no_such_entity("The specified deletion task cannot be found."))
    }
}
