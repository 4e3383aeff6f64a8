//! Roles of AWS's services: assumed by them alone, with what AWS wrote for them.
//! See docs/decisions/0069-policies-of-aws-are-judged-by-hand.md.

use std::sync::LazyLock;

use super::account::{is_aws_owned, name_of};
use super::escalate::{EXISTING_WAYS, LEADS, PASSING_WAYS};
use super::role_view::{Admin, RoleView};
use super::trust::{Admission, Principal};
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::condition::plain_service;
use opsctl_iam::grant::Sourced;

/// Whether the statement is of a policy that AWS wrote for the roles of its services.
pub fn is_for_service(sourced: &Sourced) -> bool {
    is_aws_owned(&sourced.source.arn) && sourced.source.arn.contains(":policy/service-role/")
}

/// Services that run code of the customer with their role: what it holds, whoever writes the code holds.
const RUN_CODE: &[&str] = &[
    "airflow",
    "airflow-env",
    "bedrock-agentcore",
    "braket",
    "cloudformation",
    "codebuild",
    "codepipeline",
    "credentials.deadline",
    "datapipeline",
    "ec2",
    "ecs-tasks",
    "edgelambda",
    "elasticmapreduce",
    "emr-serverless",
    "events",
    "gamelift",
    "glue",
    "greengrass",
    "imagebuilder",
    "kinesisanalytics",
    "lambda",
    "omics",
    "pods.eks",
    "robomaker",
    "sagemaker",
    "scheduler",
    "ssm",
    "states",
    "tasks.apprunner",
];

/// Services that do with their role what a customer says, though they run no code of theirs: commands of a
/// chat, machines with the profile that a node class, a fleet or a layer names. So do those that a role is
/// passed to by a way of the table.
/// <https://docs.aws.amazon.com/chatbot/latest/adminguide/chatbot-cli-commands.html>,
/// <https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-fleet-prerequisites.html>
const DIRECTED: [&str; 7] =
    ["chatbot", "cloud9", "codecatalyst", "codecatalyst-runner", "eks", "opsworks", "spotfleet"];

/// What is part of any way up, or through what exists.
static WAYS: LazyLock<ActionSet> = LazyLock::new(|| {
    let mut all = LEADS.clone();
    all.extend(EXISTING_WAYS.iter().flat_map(|way| way.actions.iter().copied()));
    all
});

/// Whether the role is a service's alone, and what of it may lead up is what AWS wrote for that service.
/// Nobody tells the service what to do with it: whoever asks for something must be allowed to pass what that
/// is to have.
/// <https://docs.aws.amazon.com/batch/latest/userguide/IAM_policies.html>,
/// <https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/iam-servicerole.html>,
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/infrastructure_IAM_role.html>,
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/iam-service-roles.html>
pub fn serves(view: &RoleView<'_>) -> bool {
    view.touches_iam && view.admin != Admin::Yes && is_of_service(view) && {
        let services = || view.admissions.iter().flat_map(|a| &a.principals).filter_map(label);
        let leads = view.effective.allows.iter().filter(|s| s.grant.actions.meets(&WAYS));
        !services().any(is_directed)
            && leads.into_iter().all(|s| is_for_service(s) || services().any(|of| is_named_after(s, of)))
    }
}

/// The name of a service: `elasticbeanstalk`.
fn label<'a>(principal: &Principal<'a>) -> Option<&'a str> {
    match *principal {
        Principal::Service(name) => name.split('.').next(),
        _ => None,
    }
}

fn is_directed(service: &str) -> bool {
    let whole = format!("{service}.amazonaws.com");
    let plain = plain_service(&whole);
    DIRECTED.contains(&service) || PASSING_WAYS.iter().any(|(known, _)| *known == plain)
}

/// Whether AWS wrote a policy about a service: not all of those for its role have the path of these.
fn is_named_after(sourced: &Sourced, service: &str) -> bool {
    is_aws_owned(&sourced.source.arn) && name_of(&sourced.source.arn).to_ascii_lowercase().contains(service)
}

/// Whether nobody but services of AWS may assume the role, none of which runs code of the customer with it.
pub fn is_of_service(view: &RoleView<'_>) -> bool {
    *view.of_service.get_or_init(|| only_services_assume(view))
}

fn only_services_assume(view: &RoleView<'_>) -> bool {
    let is_plain = |principal: &Principal<'_>| match principal {
        Principal::Service(name) => {
            let name = name.strip_suffix(".amazonaws.com").unwrap_or(name);
            let runs = |known: &&str| {
                name.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            !RUN_CODE.iter().any(runs)
        }
        _ => false,
    };
    let only_plain = |a: &Admission<'_>| !a.negated && a.principals.iter().all(is_plain);
    !view.admissions.is_empty() && view.admissions.iter().all(only_plain)
}
