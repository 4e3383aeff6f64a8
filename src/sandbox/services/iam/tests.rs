//! IAM as a client sees it: the real SDK over real HTTP.

use aws_sdk_iam as iam;
use iam::types::{EntityType, Tag};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{AssumeRoleError, assumable, control};
use crate::wire_tests::{client, sandbox};
use crate::{Sandbox, SandboxOptions, StatePace};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// The code that an operation is refused with.
macro_rules! refused {
    ($call:expr) => {
        $call.send().await.unwrap_err().into_service_error().meta().code().unwrap_or_default().to_owned()
    };
}

#[tokio::test]
async fn a_role_lives_and_is_deleted_only_when_nothing_hangs_on_it() {
    let (_root, sandbox) = sandbox(&[]).await;
    let client = client!(iam, sandbox);
    let create = |name: &str| client.create_role().role_name(name).assume_role_policy_document(TRUST);
    let made = create("trainer").path("/opsctl/").description("d").tags(tag("opsctl:project", "dogs"));
    let role = made.send().await.unwrap().role.unwrap();
    assert_eq!(role.arn(), "arn:aws:iam::123456789012:role/opsctl/trainer");
    assert_eq!(refused!(create("TRAINER")), "EntityAlreadyExists");
    assert_eq!(refused!(create("bad name")), "ValidationError");
    assert_eq!(refused!(create("x").assume_role_policy_document("{")), "MalformedPolicyDocument");
    assert_eq!(refused!(create("x").tags(tag("aws:x", "y"))), "InvalidInput");
    assert_eq!(refused!(client.get_role().role_name("x")), "NoSuchEntity");

    let got = client.get_role().role_name("trainer").send().await.unwrap().role.unwrap();
    let trust = got.assume_role_policy_document().unwrap();
    let trust: Value = serde_json::from_str(&percent_decode_str(trust).decode_utf8().unwrap()).unwrap();
    assert_eq!(trust, serde_json::from_str::<Value>(TRUST).unwrap());
    assert_eq!((got.tags().len(), got.description(), got.max_session_duration()), (1, Some("d"), Some(3600)));
    assert!(got.role_last_used().unwrap().last_used_date().is_none());
    let listed = client.list_roles().path_prefix("/opsctl/").send().await.unwrap();
    assert!(listed.roles()[0].tags().is_empty() && listed.roles()[0].role_last_used().is_none());

    let put = client.put_role_policy().role_name("trainer").policy_name("read");
    assert_eq!(refused!(put.clone().policy_document(TRUST)), "MalformedPolicyDocument");
    put.policy_document(READ).send().await.unwrap();
    let s3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let attach = client.attach_role_policy().role_name("trainer");
    attach.clone().policy_arn(s3).send().await.unwrap();
    assert_eq!(refused!(attach.policy_arn("arn:aws:iam::aws:policy/AmazonS4FullAccess")), "NoSuchEntity");
    client.create_instance_profile().instance_profile_name("trainer").send().await.unwrap();
    let add = client.add_role_to_instance_profile().instance_profile_name("trainer").role_name("trainer");
    add.clone().send().await.unwrap();
    assert_eq!(refused!(add), "LimitExceeded");

    assert_eq!(refused!(client.delete_role().role_name("trainer")), "DeleteConflict");
    assert_eq!(refused!(client.delete_instance_profile().instance_profile_name("trainer")), "DeleteConflict");
    let remove = client.remove_role_from_instance_profile().instance_profile_name("trainer");
    remove.role_name("trainer").send().await.unwrap();
    client.delete_instance_profile().instance_profile_name("trainer").send().await.unwrap();
    assert_eq!(refused!(client.delete_role().role_name("trainer")), "DeleteConflict");
    client.detach_role_policy().role_name("trainer").policy_arn(s3).send().await.unwrap();
    assert_eq!(refused!(client.delete_role().role_name("trainer")), "DeleteConflict");
    client.delete_role_policy().role_name("trainer").policy_name("read").send().await.unwrap();
    client.delete_role().role_name("trainer").send().await.unwrap();
    assert!(crate::tags::all(sandbox.state()).is_empty());

    client.create_service_linked_role().aws_service_name("spot.amazonaws.com").send().await.unwrap();
    assert_eq!(
        refused!(client.create_service_linked_role().aws_service_name("spot.amazonaws.com")),
        "InvalidInput"
    );
    assert_eq!(refused!(client.delete_role().role_name("AWSServiceRoleForEC2Spot")), "UnmodifiableEntity");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_policy_keeps_five_versions_and_goes_when_detached_and_single() {
    let (_root, sandbox) = sandbox(&[]).await;
    let client = client!(iam, sandbox);
    let create = client.create_policy().policy_name("p").policy_document(READ);
    let arn = create.clone().send().await.unwrap().policy.unwrap().arn.unwrap();
    assert_eq!(refused!(create), "EntityAlreadyExists");
    let version = client.create_policy_version().policy_arn(&arn).policy_document(READ).set_as_default(true);
    for _ in 0..4 {
        version.clone().send().await.unwrap();
    }
    assert_eq!(refused!(version), "LimitExceeded");
    let got = client.get_policy().policy_arn(&arn).send().await.unwrap().policy.unwrap();
    assert_eq!((got.default_version_id(), got.attachment_count()), (Some("v5"), Some(0)));
    assert_eq!(refused!(client.delete_policy().policy_arn(&arn)), "DeleteConflict");
    assert_eq!(refused!(client.delete_policy_version().policy_arn(&arn).version_id("v5")), "DeleteConflict");
    for id in ["v1", "v2", "v3", "v4"] {
        client.delete_policy_version().policy_arn(&arn).version_id(id).send().await.unwrap();
    }
    client.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    client.attach_role_policy().role_name("r").policy_arn(&arn).send().await.unwrap();
    assert_eq!(refused!(client.delete_policy().policy_arn(&arn)), "DeleteConflict");
    let entities = client.list_entities_for_policy().policy_arn(&arn).entity_filter(EntityType::Role);
    assert_eq!(entities.send().await.unwrap().policy_roles()[0].role_name(), Some("r"));
    client.detach_role_policy().role_name("r").policy_arn(&arn).send().await.unwrap();
    client.delete_policy().policy_arn(&arn).send().await.unwrap();
    assert_eq!(refused!(client.get_policy().policy_arn(&arn)), "NoSuchEntity");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_audit_reads_the_whole_account_in_pages() {
    let root = tempfile::tempdir().unwrap();
    // So slow that however busy the machine is, a job is asked about before it ends.
    let options = SandboxOptions { speed: 0.001, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client!(iam, sandbox);
    for name in ["a", "b", "c"] {
        client.create_role().role_name(name).assume_role_policy_document(TRUST).send().await.unwrap();
        client
            .put_role_policy()
            .role_name(name)
            .policy_name("read")
            .policy_document(READ)
            .send()
            .await
            .unwrap();
    }
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    client.attach_role_policy().role_name("b").policy_arn(admin).send().await.unwrap();
    let past = json!({"role": "b", "created": "2020-01-01T00:00:00Z", "last_used": "2020-02-01T00:00:00Z",
                      "services": {"s3": {"last": "2026-01-01T00:00:00Z", "region": "eu-west-1"}}});
    control::post(sandbox.state(), past).unwrap();

    let (mut roles, mut policies, mut marker, mut pages) = (Vec::new(), Vec::new(), None, 0);
    loop {
        let page =
            client.get_account_authorization_details().max_items(2).set_marker(marker).send().await.unwrap();
        roles.extend(page.role_detail_list().to_vec());
        policies.extend(page.policies().to_vec());
        pages += 1;
        if !page.is_truncated() {
            break;
        }
        marker = page.marker;
    }
    assert_eq!((pages, roles.len(), policies.len()), (3, 3, 1), "one user, three roles, one policy");
    assert_eq!(policies[0].policy_name(), Some("AdministratorAccess"));
    assert_eq!(roles[1].create_date().unwrap().secs(), 1_577_836_800);
    // Use of more than 400 days ago is not known.
    assert!(roles[1].role_last_used().unwrap().last_used_date().is_none());
    assert_eq!(roles[1].role_policy_list()[0].policy_name(), Some("read"));

    let arn = roles[1].arn().unwrap();
    let job = client.generate_service_last_accessed_details().arn(arn).send().await.unwrap().job_id.unwrap();
    let ask = || client.get_service_last_accessed_details().job_id(&job).send();
    assert_eq!(ask().await.unwrap().job_status().as_str(), "IN_PROGRESS");
    sandbox.state().clock.advance(std::time::Duration::from_secs(2));
    let done = ask().await.unwrap();
    assert_eq!(done.job_status().as_str(), "COMPLETED");
    let used: Vec<_> =
        done.services_last_accessed().iter().filter(|s| s.last_authenticated().is_some()).collect();
    assert_eq!((used.len(), used[0].service_namespace()), (1, "s3"));
    assert!(done.services_last_accessed().len() > 10, "an administrator may use every service");
    let summary = client.get_account_summary().send().await.unwrap();
    assert_eq!(summary.summary_map().unwrap()[&iam::types::SummaryKeyType::from("Roles")], 3);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_new_role_cannot_be_assumed_at_once() {
    let root = tempfile::tempdir().unwrap();
    let options = SandboxOptions { pace: StatePace::Realistic, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client!(iam, sandbox);
    let role = client
        .create_role()
        .role_name("r")
        .assume_role_policy_document(TRUST)
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    let ask = |service| assumable(sandbox.state(), role.arn(), service);
    assert_eq!(ask("sagemaker.amazonaws.com"), Err(AssumeRoleError::NotYet));
    sandbox.state().clock.advance(std::time::Duration::from_secs(9));
    assert_eq!(ask("sagemaker.amazonaws.com"), Ok(()));
    assert_eq!(ask("lambda.amazonaws.com"), Err(AssumeRoleError::No));
    assert_eq!(assumable(sandbox.state(), "arn:aws:iam::123456789012:role/x", "a"), Err(AssumeRoleError::No));
    sandbox.stop().await;
}

/// The same engine answers for a role, and for policies that nobody has yet.
#[tokio::test]
async fn policies_are_simulated_before_anybody_has_them() {
    use iam::types::PolicyEvaluationDecisionType as Decision;
    let (_root, sandbox) = sandbox(&[]).await;
    let client = client!(iam, sandbox);
    const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/no"}]}"#;
    let ask = |policies: &[&str], boundary: &[&str]| {
        let texts = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let call = client.simulate_custom_policy().set_policy_input_list(texts(policies));
        let call = call.set_permissions_boundary_policy_input_list(texts(boundary).filter(|b| !b.is_empty()));
        call.action_names("s3:GetObject").action_names("s3:PutObject").resource_arns("arn:aws:s3:::b/no")
    };
    let decisions = async |policies: &[&str], boundary: &[&str]| {
        let answer = ask(policies, boundary).send().await.unwrap();
        let results = answer.evaluation_results().iter();
        results.map(|result| result.eval_decision().clone()).collect::<Vec<_>>()
    };
    assert_eq!(decisions(&[READ], &[]).await, [Decision::Allowed, Decision::ImplicitDeny]);
    assert_eq!(decisions(&[READ, DENY], &[]).await, [Decision::ExplicitDeny, Decision::ExplicitDeny]);
    assert_eq!(decisions(&[READ], &[READ]).await, [Decision::Allowed, Decision::ImplicitDeny]);
    assert_eq!(decisions(&[READ], &[DENY]).await, [Decision::ExplicitDeny, Decision::ExplicitDeny]);
    assert_eq!(refused!(ask(&["{"], &[])), "InvalidInput");
    assert_eq!(refused!(ask(&[READ], &[]).caller_arn("arn:aws:iam::123456789012:user/u")), "InvalidInput");

    // What a role has, with what it would have besides.
    client.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    let role = "arn:aws:iam::123456789012:role/r";
    let of_role = client.simulate_principal_policy().policy_source_arn(role).action_names("s3:GetObject");
    for (call, decision) in
        [(of_role.clone(), Decision::ImplicitDeny), (of_role.policy_input_list(READ), Decision::Allowed)]
    {
        let answer = call.send().await.unwrap();
        assert_eq!(answer.evaluation_results()[0].eval_decision(), &decision);
    }
    sandbox.stop().await;
}
