//! Passing a role to what exists: every row of the table, with the role that is reached.

use opsctl::audit::services::PASSING;

use super::*;

/// A role that may pass one administrator, and take all actions of a way.
fn passes(service: &str, actions: &[&str]) -> World {
    let statements = vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), allow(actions, &["*"])];
    World::of([t().can(statements), admin_of(service)])
}

#[test]
fn every_way_reaches_the_role_that_is_passed() {
    for (service, actions, page) in PASSING {
        let actions: Vec<&str> = actions.split(' ').collect();
        check(
            &format!("{service}: {actions:?}"),
            passes(service, &actions),
            &["IAM203:critical", "IAM208"],
            &[],
        );
        let elsewhere = World::of([
            t().can(vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), allow(&actions, &["*"])]),
            admin_of("made-up"),
        ]);
        check(&format!("{service}: {actions:?} and another service"), elsewhere, &[], &["IAM203", "IAM208"]);
        assert!(
            page.ends_with(".html") && page.contains("/latest/") || page.contains("APIReference"),
            "{page}"
        );
    }
}

#[test]
fn what_exists_can_be_given_a_role() {
    for (service, actions) in [
        ("ecs-tasks", &["ecs:RegisterTaskDefinition", "ecs:UpdateService"][..]),
        ("ecs-tasks", &["ecs:StartTask"]),
        ("ec2", &["ec2:ReplaceIamInstanceProfileAssociation"]),
        ("ec2", &["iam:AddRoleToInstanceProfile"]),
        ("lambda", &["lambda:UpdateFunctionConfiguration"]),
        ("states", &["states:UpdateStateMachine", "states:StartExecution"]),
        ("codebuild", &["codebuild:UpdateProject", "codebuild:StartBuild"]),
        ("cloudformation", &["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"]),
        ("codepipeline", &["codepipeline:CreatePipeline"]),
        ("pods.eks", &["eks:CreatePodIdentityAssociation"]),
        ("amplify", &["amplify:UpdateApp", "amplify:StartJob"]),
        ("airflow", &["airflow:CreateEnvironment"]),
        ("credentials.iot", &["iot:CreateRoleAlias"]),
        ("rolesanywhere", &["rolesanywhere:CreateTrustAnchor", "rolesanywhere:CreateProfile"]),
    ] {
        check(service, passes(service, actions), &["IAM203:critical", "IAM208"], &[]);
        let statements = vec![allow(&["iam:PassRole"], &[&role_arn("low")]), allow(actions, &["*"])];
        let trust = trust_service(&format!("{service}.amazonaws.com"));
        let harmless = World::of([t().can(statements), low().trusts(trust), admin_of(service)]);
        check(&format!("{service}, a harmless role"), harmless, &[], &["IAM203", "IAM208"]);
    }
    let updates = passes("lambda", &["lambda:UpdateFunctionConfiguration"]);
    check("as what exists", updates, &["IAM204:critical"], &[]);
}

#[test]
fn services_of_one_region_are_the_same() {
    let actions = ["states:CreateStateMachine", "states:StartExecution"];
    check("in its trust", passes("states.eu-west-1", &actions), &["IAM203:critical", "IAM208"], &[]);
    let deputy = |service: &str| trusting(trust(json!({"Service": service})));
    check("confused", deputy("states.eu-west-1.amazonaws.com"), &["IAM309"], &[]);
    check("real", deputy("macie.amazonaws.com"), &[], &["IAM317"]);
}
