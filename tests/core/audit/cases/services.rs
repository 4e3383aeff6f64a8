//! Passing a role to what exists: every row of the table, with the role that is reached.

use opsctl::audit::services::PASSING;

use super::*;

/// A role that may pass one administrator, and take all actions of a way.
fn passes(service: &str, actions: &[&str]) -> World {
    let statements = vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), allow(actions, &["*"])];
    World::of([t().can(statements), admin_of(service)])
}

#[test]
fn a_trust_in_one_thing_that_the_caller_cannot_make() {
    let machine = |name: &str| format!("arn:aws:states:*:{ACCOUNT}:stateMachine:{name}");
    let world = |made: &str, trusted: &str| {
        let makes = allow(&["states:CreateStateMachine", "states:StartExecution"], &[made]);
        let by_states = trust(json!({"Service": "states.amazonaws.com"}));
        let adm = role("adm").can(everything());
        let adm = adm.trusts(document(when(by_states, "ArnLike", "aws:SourceArn", machine(trusted))));
        World::of([t().can(vec![allow(&["iam:PassRole"], &["*"]), makes]), adm])
    };
    check("it", world(&machine("mine-*"), "mine-1"), &["IAM203:critical", "IAM208"], &[]);
    check("any", world("*", "other"), &["IAM203:critical", "IAM208"], &[]);
    check("another", world(&machine("mine-*"), "other"), &[], &["IAM203:critical", "IAM208"]);
}

/// `POST` makes an API of a definition where it is allowed on all APIs, and deploys one.
/// <https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html>
#[test]
fn an_api_is_imported_with_the_role() {
    let world = |action: &str, on: &[&str]| {
        let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
        World::of([t().can(vec![pass, allow(&[action], on)]), admin_of("apigateway")])
    };
    let up = &["IAM203:critical", "IAM208"];
    check("all", world("apigateway:POST", &["*"]), up, &[]);
    check("APIs", world("apigateway:POST", &["arn:aws:apigateway:*::/restapis"]), up, &[]);
    let one = ["arn:aws:apigateway:*::/restapis/abc/deployments"];
    check("deployments of one", world("apigateway:POST", &one), &[], &["IAM203:critical", "IAM208"]);
    check("not deployed", world("apigateway:PUT", &["*"]), &[], &["IAM203:critical", "IAM208"]);
}

/// An association may be with a document that another account shares.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateAssociation.html>
#[test]
fn an_association_with_a_shared_document_runs_with_the_role() {
    let world = |documents: &str| {
        let on = [documents, "arn:aws:ec2:*:*:instance/*", "arn:aws:ssm:*:*:association/*"];
        let makes = allow(&["ssm:CreateAssociation"], &on);
        World::of([t().can(vec![allow(&["iam:PassRole"], &["*"]), makes]), admin_of("ssm")])
    };
    check("of others", world("arn:aws:ssm:*:*:document/*"), &["IAM203:critical", "IAM208"], &[]);
    let own = format!("arn:aws:ssm:*:{ACCOUNT}:document/*");
    check("of one's own", world(&own), &[], &["IAM203:critical", "IAM208"]);
}

#[test]
fn an_administrator_passed_to_a_service_outside_the_table() {
    let world = |action: &str, passed: &str| {
        let rights = vec![allow(&["iam:PassRole"], &[&role_arn(passed)]), allow(&[action], &["*"])];
        World::of([t().can(rights), admin_of("chatbot"), low()])
    };
    check("it", world("chatbot:CreateSlackChannelConfiguration", "adm"), &["IAM203:high"], &[]);
    check("nothing of it", world("lambda:CreateFunction", "adm"), &[], &["IAM203"]);
    check("another role", world("chatbot:CreateSlackChannelConfiguration", "low"), &[], &["IAM203"]);
}

#[test]
fn an_identity_pool_gives_the_roles_that_trust_it() {
    let pools = "cognito-identity.amazonaws.com";
    let world = |action: &str| {
        let statement = json!({"Effect": "Allow", "Principal": {"Federated": pools},
            "Action": "sts:AssumeRoleWithWebIdentity"});
        let aud = when(statement, "StringEquals", &format!("{pools}:aud"), "eu-west-1:1");
        let rights = vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), allow(&[action], &["*"])];
        World::of([t().can(rights), role("adm").can(everything()).trusts(document(aud))])
    };
    check("it", world("cognito-identity:SetIdentityPoolRoles"), &["IAM203:critical", "IAM208"], &[]);
    check("it reads only", world("cognito-identity:GetIdentityPoolRoles"), &[], &["IAM203", "IAM208"]);
}

#[test]
fn every_way_reaches_the_role_that_is_passed() {
    for (service, actions, page) in PASSING.iter() {
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

/// What a call asks for does not change what the role may do that it passes.
#[test]
fn limits_on_what_is_made_are_no_limits_on_who_makes_it() {
    let with = |service: &str, actions: &[&str], operator: &str, key: &str, value: &str| {
        let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
        let run = when(allow(actions, &["*"]), operator, key, value);
        World::of([t().can(vec![pass, run]), admin_of(service)])
    };
    let machine = &["ec2:RunInstances"][..];
    let task = &["ecs:RegisterTaskDefinition", "ecs:RunTask"][..];
    let function = &["lambda:CreateFunction", "lambda:InvokeFunction"][..];
    for (service, actions, operator, key, value) in [
        ("ec2", machine, "StringEquals", "ec2:InstanceType", "t3.micro"),
        ("ec2", machine, "StringEquals", "ec2:Region", "eu-west-1"),
        ("ec2", machine, "StringEquals", "ec2:MetadataHttpTokens", "required"),
        ("ecs-tasks", task, "ArnEquals", "ecs:cluster", "arn:aws:ecs:eu-west-1:111122223333:cluster/c"),
        (
            "sagemaker",
            &["sagemaker:CreateTrainingJob"],
            "ForAnyValue:StringLike",
            "sagemaker:InstanceTypes",
            "ml.t3.*",
        ),
    ] {
        let world = with(service, actions, operator, key, value);
        check(key, world, &["IAM203:critical", "IAM208"], &[]);
    }
    for (service, actions, operator, key, value) in [
        (
            "ec2",
            machine,
            "ArnEquals",
            "ec2:InstanceProfile",
            "arn:aws:iam::111122223333:instance-profile/app",
        ),
        (
            "lambda",
            function,
            "StringEquals",
            "lambda:CodeSigningConfigArn",
            "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:c",
        ),
        (
            "cloudformation",
            &["cloudformation:CreateStack"],
            "StringLike",
            "cloudformation:TemplateUrl",
            "https://reviewed.example/*",
        ),
    ] {
        check(key, with(service, actions, operator, key, value), &[], &["IAM203", "IAM208"]);
    }
}

/// Of CloudFormation's calls a condition tells which role they may be given.
#[test]
fn conditions_on_the_role_of_a_stack() {
    let key = "cloudformation:RoleArn";
    let (adm, low_role) = (role_arn("adm"), role_arn("low"));
    let pass = || allow(&["iam:PassRole"], &["*"]);
    let with = |statements: Vec<Value>| {
        let trust = trust_service("cloudformation.amazonaws.com");
        World::of([t().can(statements), admin_of("cloudformation"), low().trusts(trust)])
    };
    let change_set = &["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"][..];
    for call in ["cloudformation:CreateStack", "cloudformation:UpdateStack"] {
        let on = |operator: &str, value: &str| {
            with(vec![pass(), when(allow(&[call], &["*"]), operator, key, value)])
        };
        for (operator, value) in [
            ("StringEquals", adm.as_str()),
            ("ArnLike", "arn:aws:iam::*:role/a*"),
            ("StringNotEquals", low_role.as_str()),
            ("Null", "false"),
        ] {
            check(
                &format!("{call} {operator} {value}"),
                on(operator, value),
                &["IAM203:critical", "IAM208"],
                &[],
            );
        }
        for (operator, value) in [
            ("StringEquals", low_role.as_str()),
            ("ArnLike", "arn:aws:iam::*:role/l*"),
            ("StringNotEquals", adm.as_str()),
            ("Null", "true"),
        ] {
            let must_not = ["IAM203:critical", "IAM208"];
            check(&format!("{call} {operator} {value}"), on(operator, value), &[], &must_not);
        }
        // As most write it: denied unless it is this one.
        let unless = |role: &str| {
            with(vec![
                pass(),
                allow(&[call], &["*"]),
                when(deny(&[call], &["*"]), "StringNotEquals", key, role),
            ])
        };
        check("unless the mighty one", unless(&adm), &["IAM203:critical", "IAM208"], &[]);
        check("unless the other one", unless(&low_role), &[], &["IAM203", "IAM208"]);
    }
    // Executing one takes no role: a condition on it never holds.
    let both = with(vec![pass(), when(allow(change_set, &["*"]), "StringEquals", key, &*adm)]);
    check("a change set that is never executed", both, &[], &["IAM203", "IAM208"]);
    let create = when(allow(&change_set[..1], &["*"]), "StringEquals", key, &*adm);
    let both = with(vec![pass(), create, allow(&change_set[1..], &["*"])]);
    check("a change set", both, &["IAM203:critical", "IAM208"], &[]);
}

/// A region is where the account is.
#[test]
fn all_of_a_region_is_all_of_it() {
    let code = &["lambda:UpdateFunctionCode"][..];
    for resource in [
        "arn:aws:lambda:eu-west-1:111122223333:function:*",
        "arn:aws:lambda:eu-west-1:*:*",
        "arn:aws:lambda:eu-*:111122223333:function:*",
    ] {
        check(resource, one(allow(code, &[resource])), &["IAM204"], &[]);
        let denied = one(json!([allow(code, &["*"]), deny(code, &[resource])]));
        check(&format!("denied {resource}"), denied, &["IAM204"], &[]);
    }
    for resource in [
        "arn:aws:lambda:eu-west-1:111122223333:function:app-*",
        "arn:aws:lambda:eu-west-1:444455556666:function:*",
    ] {
        check(resource, one(allow(code, &[resource])), &[], &["IAM204"]);
    }
    let keys =
        |region: &str| one(allow(&["kms:Decrypt"], &[&format!("arn:aws:kms:{region}:111122223333:key/*")]));
    check("every key of a region", keys("eu-west-1"), &["IAM115"], &[]);
    let via =
        |service: &str| one(when(allow(&["kms:Decrypt"], &["*"]), "StringLike", "kms:ViaService", service));
    check("by any service", via("*"), &["IAM115"], &[]);
    check("by any service of a region", via("*.eu-west-1.amazonaws.com"), &["IAM115"], &[]);
    check("by one service", via("s3.*.amazonaws.com"), &[], &["IAM115"]);
}

#[test]
fn conditions_on_what_a_role_is_passed_to() {
    let with = |operator: &str, key: &str, value: &str| {
        let pass = when(allow(&["iam:PassRole"], &[&role_arn("adm")]), operator, key, value);
        let run = allow(&["states:CreateStateMachine", "states:StartExecution"], &["*"]);
        World::of([t().can(vec![pass, run]), admin_of("states")])
    };
    let to = "iam:PassedToService";
    let of = "iam:AssociatedResourceArn";
    for (operator, key, value) in [
        ("StringEquals", to, "states.amazonaws.com"),
        ("StringEquals", to, "states.eu-west-1.amazonaws.com"),
        ("StringLike", to, "states.*"),
        ("ArnLike", of, "arn:aws:states:*:111122223333:stateMachine:team-*"),
    ] {
        check(value, with(operator, key, value), &["IAM203:critical", "IAM208"], &[]);
    }
    for (operator, key, value) in [
        ("StringEquals", to, "ec2.amazonaws.com"),
        ("StringNotEquals", to, "states.amazonaws.com"),
        ("ArnLike", of, "arn:aws:lambda:*:111122223333:function:*"),
    ] {
        check(value, with(operator, key, value), &[], &["IAM203", "IAM208"]);
    }
}

#[test]
fn what_is_made_under_one_name_is_not_started_under_another() {
    let function = |account: &str, name: &str| format!("arn:aws:lambda:*:{account}:function:{name}");
    let with = |makes: &str, starts: &str| {
        let statements = vec![
            allow(&["iam:PassRole"], &[&role_arn("adm")]),
            allow(&["lambda:CreateFunction"], &[makes]),
            allow(&["lambda:InvokeFunction"], &[starts]),
        ];
        World::of([t().can(statements), admin_of("lambda")])
    };
    let passes: &[&str] = &["IAM203", "IAM208"];
    let (a, b) = (function(ACCOUNT, "a"), function(ACCOUNT, "b"));
    check("one name", with(&a, &a), passes, &[]);
    check("a pattern of it", with(&a, &function("*", "a*")), passes, &[]);
    check("two names", with(&a, &b), &[], passes);
    let foreign = function("999988887777", "*");
    check("another account's", with(&foreign, &foreign), &[], passes);
    let runs = |on: &[&str]| {
        let statements =
            vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), allow(&["ec2:RunInstances"], on)];
        World::of([t().can(statements), admin_of("ec2")])
    };
    check("images alone", runs(&["arn:aws:ec2:*::image/*"]), &[], passes);
    let images_and = |more: &[&str]| runs(&[&["arn:aws:ec2:*::image/*"], more].concat());
    check("machines too", images_and(&["arn:aws:ec2:*:*:instance/*"]), &[], passes);
    let network = ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:network-*"];
    check("a network too", images_and(&network), passes, &[]);
}

#[test]
fn a_shared_document_runs_with_the_role_and_a_known_one_does_not() {
    let with = |on: &str| {
        let statements = vec![
            allow(&["iam:PassRole"], &[&role_arn("adm")]),
            allow(&["ssm:StartAutomationExecution"], &[on]),
        ];
        World::of([t().can(statements), admin_of("ssm")])
    };
    check("any", with("*"), &["IAM203:critical"], &[]);
    check("any account's", with("arn:aws:ssm:*:*:automation-definition/*"), &["IAM203:critical"], &[]);
    let own = format!("arn:aws:ssm:*:{ACCOUNT}:automation-definition/restart:*");
    check("one of ours", with(&own), &[], &["IAM203", "IAM208"]);
}

#[test]
fn machines_of_another_service() {
    let with = |actions: &[&str]| passes("ec2", actions);
    check("keys", with(&["eks:CreateNodegroup", "ec2:ImportKeyPair"]), &["IAM203:critical"], &[]);
    check("no way in that is known", with(&["eks:CreateNodegroup"]), &["IAM203:high"], &["IAM208"]);
    check("it reads", with(&["eks:DescribeNodegroup"]), &[], &["IAM203"]);
}

#[test]
fn what_exists_keeps_its_role() {
    for actions in [
        &["ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion"][..],
        &["fis:UpdateExperimentTemplate", "fis:StartExperiment"],
        &["states:UpdateStateMachine"],
        &["sagemaker:UpdateNotebookInstanceLifecycleConfig"],
        &["rolesanywhere:CreateTrustAnchor"],
        &["iot:CreateKeysAndCertificate", "iot:AttachPolicy"],
    ] {
        check(&actions.join(" + "), one(allow(actions, &["*"])), &["IAM204:medium"], &[]);
        let first = one(allow(&["fis:UpdateExperimentTemplate"], &["*"]));
        check("half of it", first, &[], &["IAM204"]);
    }
    check("a build", passes("codebuild", &["codebuild:StartBuild"]), &["IAM203:critical", "IAM208"], &[]);
}

/// What a machine starts with, a condition on its instance profile tells, where there is one.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>
#[test]
fn a_machine_with_another_instance_profile() {
    let profile = |name: &str| format!("arn:aws:iam::{ACCOUNT}:instance-profile/{name}");
    let held = |name: &str| json!([{"InstanceProfileName": name}]);
    let world = |statements: Vec<Value>| {
        let adm = admin_of("ec2").set("InstanceProfileList", held("adm"));
        let trust = trust_service("ec2.amazonaws.com");
        let low = low().trusts(trust).set("InstanceProfileList", held("low"));
        World::of([role("t").trusts(trust_service("states.amazonaws.com")).can(statements), adm, low])
    };
    let pass = || allow(&["iam:PassRole"], &["*"]);
    let run_if = |resource: &str, operator: &str, value: &str| {
        when(allow(&["ec2:RunInstances"], &[resource]), operator, "ec2:InstanceProfile", value)
    };
    let if_exists = |value: &str| world(vec![pass(), run_if("*", "ArnEqualsIfExists", value)]);
    check("another", if_exists(&profile("low")), &[], &["IAM203:critical", "IAM208"]);
    check("it", if_exists(&profile("adm")), &["IAM203:critical", "IAM208"], &[]);
    check("it, below a path", if_exists(&profile("a/adm")), &["IAM203:critical", "IAM208"], &[]);
    check("any", if_exists("*"), &["IAM203:critical", "IAM208"], &[]);
    let rest = ["subnet", "volume", "network-interface", "security-group", "key-pair"];
    let rest: Vec<String> = rest.iter().map(|kind| format!("arn:aws:ec2:*:*:{kind}/*")).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).chain(["arn:aws:ec2:*::image/*"]).collect();
    let machines = "arn:aws:ec2:*:*:instance/*";
    let only =
        vec![pass(), run_if(machines, "ArnEquals", &profile("low")), allow(&["ec2:RunInstances"], &rest)];
    check("for machines alone", world(only.clone()), &[], &["IAM203:critical", "IAM208"]);
    let other_way = [&only[..], &[allow(&["ec2:RequestSpotInstances"], &["*"])]].concat();
    check("by another call", world(other_way), &["IAM203:critical", "IAM208"], &[]);
    let free = vec![pass(), allow(&["ec2:RunInstances"], &[machines]), allow(&["ec2:RunInstances"], &rest)];
    check("no condition", world(free), &["IAM203:critical", "IAM208"], &[]);
}

/// A command on a machine has the rights of its role, those too that it is given a moment before.
#[test]
fn a_machine_whose_role_is_given_rights() {
    let world = |writes: Value, profiles: Value| {
        let machine = low().trusts(trust_service("ec2.amazonaws.com")).set("InstanceProfileList", profiles);
        World::of([t().can(vec![writes, allow(&["ssm:SendCommand"], &["*"])]), machine, role("a")])
    };
    let held = || json!([{"InstanceProfileName": "low"}]);
    let puts = |on: &str| allow(&["iam:PutRolePolicy"], &[&role_arn(on)]);
    check("it", world(puts("low"), held()), &["IAM204:high"], &[]);
    let both = allow(&["iam:PutRolePolicy"], &[&role_arn("a"), &role_arn("low")]);
    check("it and another", world(both, held()), &["IAM204:high"], &[]);
    check("another", world(puts("a"), held()), &["IAM204:medium"], &[]);
    check("of no machine", world(puts("low"), json!([])), &["IAM204:medium"], &[]);
}

/// The id of an anchor is AWS's choice: a new one is none that a trust policy names.
/// <https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/API_CreateTrustAnchor.html>
#[test]
fn a_new_anchor_is_none_that_is_trusted() {
    let world = |call: &str, anchor: &str| {
        let by = json!({"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]});
        let arn = format!("arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}:trust-anchor/{anchor}");
        let adm = role("adm").can(everything());
        let adm = adm.trusts(document(when(by, "ArnLike", "aws:SourceArn", arn)));
        let calls = allow(&[call, "rolesanywhere:CreateProfile"], &["*"]);
        World::of([t().can(vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), calls]), adm])
    };
    let (create, update) = ("rolesanywhere:CreateTrustAnchor", "rolesanywhere:UpdateTrustAnchor");
    let id = "11111111-2222-3333-4444-555555555555";
    check("a new one", world(create, id), &[], &["IAM203:critical", "IAM208"]);
    check("that one, changed", world(update, id), &["IAM203:critical", "IAM208"], &[]);
    check("any", world(create, "*"), &["IAM203:critical", "IAM208"], &[]);
}
