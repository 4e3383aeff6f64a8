//! Tests of one kind: `role`.

use serde_json::json;

use opsctl::policy::{self, Names, Whom};
use opsctl::resources::instance::Instance;
use opsctl::resources::kinds;
use opsctl::resources::role::Role;

use super::{made_again, put_right};
use crate::plan::world::{Account, DEPLOY, Files, shown};

#[test]
fn what_is_gone_is_made_again() {
    made_again("role/training-numbers");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("role/training-numbers", "/trust", json!({}), "trust policy: another -> generated"),
        ("role/training-numbers", "/policy", json!(null), "policy: another -> generated"),
        (
            "role/training-numbers",
            "/attached",
            json!(["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]),
            "attached policies: arn:aws:iam::aws:policy/AmazonSageMakerFullAccess -> none",
        ),
        ("role/instance-numbers-on-ec2", "/in_profile", json!(null), "instance profile: none -> one"),
        (
            "role/instance-numbers-on-ec2",
            "/in_profile",
            json!("other"),
            "instance profile: holds other -> one",
        ),
        ("role/training-numbers", "/more_policies", json!(["evil"]), "more inline policies: evil -> none"),
    ]);
}

const GIVEN: &str = "arn:aws:iam::000000000000:role/given";

/// A role that the config names is used and no resource: none is made, and whoever deploys may pass it on.
#[test]
fn a_role_of_others_is_used_and_no_resource() {
    let mut account = Account::with(&Files::new().desired());
    let mut files = Files::new();
    for table in ["[training.numbers]", "[endpoint.numbers]", "[function.classify]", "[notebook.lab]"] {
        files.edit(&format!("{table}\n"), &format!("{table}\nrole = \"{GIVEN}\"\n"));
    }
    files.edit("on = \"ec2\"", &format!("on = \"ec2\"\nrole = \"{GIVEN}\""));
    let want = files.desired();
    assert!(want.nodes.iter().all(|node| node.id.kind.as_str() != "role"));
    let instance = want.nodes.iter().find_map(|node| node.spec_as::<Instance>()).unwrap();
    assert_eq!(instance.profile_arn, "arn:aws:iam::000000000000:instance-profile/given");
    let plan = account.deploy(&want, DEPLOY);
    let said = shown(&plan);
    assert!(said.contains(&format!("-> {GIVEN}\n")), "{said}");
    assert!(plan.steps.iter().all(|step| step.target.kind.as_str() != "role"), "those of before are left");
    let left = plan.leftovers.iter().filter(|left| left.id.kind.as_str() == "role").count();
    assert_eq!(left, 5, "until somebody prunes: {said}");

    let documents = policy::documents(&want, &kinds(), Whom::Deployer, Names::Exact);
    let statements: Vec<&serde_json::Value> =
        documents.iter().flat_map(|document| document["Statement"].as_array().unwrap()).collect();
    let passes: Vec<String> = statements
        .iter()
        .filter(|statement| statement["Action"].to_string().contains("iam:PassRole"))
        .map(|s| format!("{} {}", s["Resource"], s["Condition"]["StringEquals"]["iam:PassedToService"]))
        .collect();
    let pass = |service: &str| format!("[\"{GIVEN}\"] \"{service}.amazonaws.com\"");
    for service in ["sagemaker", "ec2", "lambda"] {
        assert!(passes.contains(&pass(service)), "{service}: {passes:?}");
    }
    assert_eq!(passes.len(), 3, "{passes:?}");
    let makes = statements.iter().any(|s| s["Action"].to_string().contains("iam:CreateRole"));
    assert!(!makes, "nobody may make one");
}

/// With a boundary in the config, no role may be made without it.
#[test]
fn a_boundary_is_in_the_policy_of_whoever_makes_roles() {
    let mut files = Files::new();
    files.append("\n[access]\npermissions_boundary = \"arn:aws:iam::000000000000:policy/most\"\n");
    let documents = policy::documents(&files.desired(), &kinds(), Whom::Deployer, Names::Exact);
    let statements = documents.iter().flat_map(|document| document["Statement"].as_array().unwrap());
    for statement in statements {
        let actions = statement["Action"].to_string();
        for action in ["iam:CreateRole\"", "iam:PutRolePolicy\"", "iam:PutRolePermissionsBoundary\""] {
            let keys = &statement["Condition"]["StringEquals"];
            let bounded = keys["iam:PermissionsBoundary"] == "arn:aws:iam::000000000000:policy/most";
            assert!(bounded || !actions.contains(action), "{statement}");
        }
    }
}

#[test]
fn permissions_may_name_the_bucket_of_the_project() {
    let mut files = Files::new();
    files.append(
        "\n[[function.classify.permissions]]\nactions = [\"s3:PutObject\"]\n\
         resources = [\"arn:aws:s3:::${bucket}/in/*\", \"arn:aws:s3:::a/${aws:PrincipalTag/team}/*\"]\n",
    );
    let want = files.desired();
    let bucket = &want.node(&"bucket/main".parse().unwrap()).unwrap().physical;
    let role = want.node(&"role/function-classify".parse().unwrap()).unwrap();
    let policy = role.spec_as::<Role>().unwrap().policy.to_string();
    assert!(policy.contains(&format!("\"arn:aws:s3:::{bucket}/in/*\"")), "{policy}");
    assert!(policy.contains("\"arn:aws:s3:::a/${aws:PrincipalTag/team}/*\""), "IAM fills it in: {policy}");
}
