//! Sessions of roles over HTTP: what is refused, and AWS's words for it.

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_iam as iam;
use aws_sdk_lambda as lambda;
use aws_sdk_s3 as s3;
use aws_sdk_sagemaker as sagemaker;
use aws_sdk_sts as sts;
use opsctl_iam::catalogue::Catalogue;
use s3::types::{Delete, ObjectIdentifier};
use serde_json::{Value, json};

use super::resources::action_of;
use crate::authority::Session;
use crate::wire_tests::client;
use crate::{Sandbox, SandboxOptions};

const ROLE: &str = "arn:aws:iam::123456789012:role/app/reader";
const ME: &str = "User: arn:aws:sts::123456789012:assumed-role/reader/f is not authorized to perform:";

/// A client with the credentials of a session.
macro_rules! as_role {
    ($service:ident, $sandbox:expr, $session:expr) => {{
        let keys = $session.credentials();
        let (id, secret, token) = (keys.access_key_id, keys.secret_access_key, keys.session_token);
        let keys = $service::config::Credentials::new(id, secret, Some(token), None, "test");
        let config = client!($service, $sandbox).config().to_builder().credentials_provider(keys);
        $service::Client::from_conf(config.build())
    }};
}

/// Code and message of a refusal.
macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.unwrap_err().into_service_error();
        let meta = error.meta();
        (meta.code().unwrap_or_default().to_owned(), meta.message().unwrap_or_default().to_owned())
    }};
}

fn said(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), format!("{ME} {message}"))
}

fn policy(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// A sandbox with the role, which may do what the statements say, and a bucket with two objects.
async fn lab(statements: &Value) -> (tempfile::TempDir, Sandbox, Session) {
    let root = tempfile::tempdir().unwrap();
    let options = SandboxOptions { runs: false, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let roles = client!(iam, sandbox);
    let trust = json!([
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "123456789012"}},
    ]);
    let create = roles.create_role().role_name("reader").path("/app/");
    create.assume_role_policy_document(policy(&trust)).send().await.unwrap();
    let put = roles.put_role_policy().role_name("reader").policy_name("p");
    put.policy_document(policy(statements)).send().await.unwrap();
    let buckets = client!(s3, sandbox);
    let place = s3::types::CreateBucketConfiguration::builder()
        .location_constraint(s3::types::BucketLocationConstraint::EuWest1);
    buckets.create_bucket().bucket("b-1").create_bucket_configuration(place.build()).send().await.unwrap();
    for key in ["ok/a b", "no/k"] {
        buckets.put_object().bucket("b-1").key(key).body(b"x".to_vec().into()).send().await.unwrap();
    }
    (root, sandbox, Session::new(ROLE, "f"))
}

#[tokio::test]
async fn objects_that_a_role_does_not_name_are_refused() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b-1/ok/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b-1",
         "Condition": {"StringLike": {"s3:prefix": "ok/*"}}},
    ]);
    let (_root, sandbox, session) = lab(&statements).await;
    let client = as_role!(s3, sandbox, session);
    let get = |key: &str| client.get_object().bucket("b-1").key(key);
    get("ok/a b").send().await.unwrap();
    client.head_object().bucket("b-1").key("ok/a b").send().await.unwrap();
    client.copy_object().bucket("b-1").key("ok/c").copy_source("b-1/ok/a%20b").send().await.unwrap();
    client.list_objects_v2().bucket("b-1").prefix("ok/").send().await.unwrap();
    assert_eq!(refused!(get("ok/missing")).0, "NoSuchKey", "it may list");

    let words = |action: &str, resource: &str| {
        said(
            "AccessDenied",
            &format!(
                "s3:{action} on resource: \"arn:aws:s3:::{resource}\" because no identity-based policy allows the s3:{action} action"
            ),
        )
    };
    assert_eq!(refused!(get("no/k")), words("GetObject", "b-1/no/k"));
    assert_eq!(refused!(get("no/k").version_id("null")), words("GetObjectVersion", "b-1/no/k"));
    assert_eq!(refused!(client.list_objects_v2().bucket("b-1").prefix("no/")), words("ListBucket", "b-1"));
    assert_eq!(refused!(client.list_objects_v2().bucket("b-1")), words("ListBucket", "b-1"));
    assert_eq!(refused!(client.list_buckets()).0, "AccessDenied");
    let copy = client.copy_object().bucket("b-1").key("ok/d").copy_source("b-1/no/k");
    assert_eq!(refused!(copy), words("GetObject", "b-1/no/k"));
    let upload = client.create_multipart_upload().bucket("b-1").key("no/u");
    assert_eq!(refused!(upload), words("PutObject", "b-1/no/u"));
    let head = client.head_object().bucket("b-1").key("no/k").send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().status().as_u16(), 403);
    let objects = ["ok/c", "no/k"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.into())).build().unwrap();
    let deleted = client.delete_objects().bucket("b-1").delete(delete).send().await.unwrap();
    let errors: Vec<_> = deleted.errors().iter().map(|e| e.message().unwrap()).collect();
    assert_eq!(errors[1], words("DeleteObject", "b-1/no/k").1);
    assert_eq!(errors.len(), 2);
    // Who may not list is not told what is missing.
    let put = client!(iam, sandbox);
    let only =
        policy(&json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b-1/ok/*"}]));
    put.put_role_policy().role_name("reader").policy_name("p").policy_document(only).send().await.unwrap();
    assert_eq!(refused!(get("ok/missing")), words("ListBucket", "b-1"));
    sandbox.stop().await;
}

/// S3 asks KMS in the name of whoever asks S3.
#[tokio::test]
async fn an_object_under_a_key_needs_the_key() {
    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let objects = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let (_root, sandbox, session) = lab(&json!([objects])).await;
    let (owner, client) = (client!(s3, sandbox), as_role!(s3, sandbox, session));
    let by_default = s3::types::ServerSideEncryptionByDefault::builder()
        .sse_algorithm(s3::types::ServerSideEncryption::AwsKms)
        .kms_master_key_id(KEY);
    let rule = s3::types::ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default.build().unwrap());
    let rules = s3::types::ServerSideEncryptionConfiguration::builder().rules(rule.build());
    let put = owner.put_bucket_encryption().bucket("b-1");
    put.server_side_encryption_configuration(rules.build().unwrap()).send().await.unwrap();
    owner.put_object().bucket("b-1").key("k").body(b"x".to_vec().into()).send().await.unwrap();

    let get = || client.get_object().bucket("b-1").key("k");
    let put = || client.put_object().bucket("b-1").key("new").body(b"x".to_vec().into());
    let words = |action: &str| {
        let why = format!("because no identity-based policy allows the kms:{action} action");
        said("AccessDenied", &format!("kms:{action} on resource: {KEY} {why}"))
    };
    assert_eq!(refused!(get()), words("Decrypt"));
    assert_eq!(refused!(put()), words("GenerateDataKey"));
    client.get_object().bucket("b-1").key("no/k").send().await.unwrap();
    let roles = client!(iam, sandbox);
    let allow = |via: &str| {
        let with_key = json!({
            "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY,
            "Condition": {"StringEquals": {"kms:ViaService": [format!("{via}.eu-west-1.amazonaws.com")]}},
        });
        let put = roles.put_role_policy().role_name("reader").policy_name("p");
        put.policy_document(policy(&json!([objects, with_key]))).send()
    };
    allow("ec2").await.unwrap();
    assert_eq!(refused!(get()), words("Decrypt"));
    allow("s3").await.unwrap();
    get().send().await.unwrap();
    put().send().await.unwrap();
    sandbox.stop().await;
}

#[tokio::test]
async fn every_kind_of_policy_has_its_words() {
    let (_root, sandbox, session) =
        lab(&json!([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}])).await;
    let (roles, owner, client) =
        (client!(iam, sandbox), client!(s3, sandbox), as_role!(s3, sandbox, session));
    let get = || client.get_object().bucket("b-1").key("no/k");
    let words = |why: &str| {
        said("AccessDenied", &format!("s3:GetObject on resource: \"arn:aws:s3:::b-1/no/k\" {why}"))
    };
    get().send().await.unwrap();
    let bucket_policy = |effect: &str| {
        let (action, resource) = ("s3:GetObject", "arn:aws:s3:::b-1/no/*");
        let principal = json!({"AWS": ROLE});
        let of = json!([{"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}]);
        owner.put_bucket_policy().bucket("b-1").policy(policy(&of)).send()
    };
    bucket_policy("Deny").await.unwrap();
    assert_eq!(refused!(get()), words("with an explicit deny in a resource-based policy"));
    owner.get_object().bucket("b-1").key("no/k").send().await.unwrap();
    bucket_policy("Allow").await.unwrap();
    let own = |statements: Value| {
        let put = roles.put_role_policy().role_name("reader").policy_name("p");
        put.policy_document(policy(&statements)).send()
    };
    own(json!([{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}])).await.unwrap();
    get().send().await.unwrap();
    own(json!([{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}])).await.unwrap();
    assert_eq!(refused!(get()), words("with an explicit deny in an identity-based policy"));
    own(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])).await.unwrap();
    let boundary = roles.create_policy().policy_name("boundary");
    let boundary =
        boundary.policy_document(policy(&json!([{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])));
    let boundary = boundary.send().await.unwrap().policy.unwrap().arn.unwrap();
    roles
        .put_role_permissions_boundary()
        .role_name("reader")
        .permissions_boundary(boundary)
        .send()
        .await
        .unwrap();
    assert_eq!(refused!(get()), words("because no permissions boundary allows the s3:GetObject action"));
    sandbox.stop().await;
}

#[tokio::test]
async fn services_refuse_in_their_own_form() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
         "Resource": "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f:*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
         "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
        {"Effect": "Allow", "Action": "sagemaker:Create*", "Resource": "*"},
    ]);
    let (_root, sandbox, session) = lab(&statements).await;
    client!(logs, sandbox).create_log_group().log_group_name("/aws/lambda/f").send().await.unwrap();
    let (writer, models) = (as_role!(logs, sandbox, session), as_role!(sagemaker, sandbox, session));
    let stream = |group: &str| writer.create_log_stream().log_group_name(group).log_stream_name("s");
    stream("/aws/lambda/f").send().await.unwrap();
    let no = "because no identity-based policy allows the";
    let of = "arn:aws:logs:eu-west-1:123456789012:log-group:/other:log-stream:s";
    let words = format!("logs:CreateLogStream on resource: {of} {no} logs:CreateLogStream action");
    assert_eq!(refused!(stream("/other")), said("AccessDeniedException", &words));
    let words = format!("sagemaker:ListModels on resource: * {no} sagemaker:ListModels action");
    assert_eq!(refused!(models.list_models()), said("AccessDeniedException", &words));
    let model = models.create_model().model_name("m").execution_role_arn(ROLE);
    let words = format!("iam:PassRole on resource: {ROLE} {no} iam:PassRole action");
    assert_eq!(refused!(model), said("AccessDeniedException", &words));
    let words = format!("iam:GetRole on resource: {ROLE} {no} iam:GetRole action");
    assert_eq!(
        refused!(as_role!(iam, sandbox, session).get_role().role_name("reader")),
        said("AccessDenied", &words)
    );
    let functions = as_role!(lambda, sandbox, session);
    let of = "arn:aws:lambda:eu-west-1:123456789012:function:g:live";
    let words = format!("lambda:InvokeFunction on resource: {of} {no} lambda:InvokeFunction action");
    assert_eq!(
        refused!(functions.invoke().function_name("g").qualifier("live")),
        said("AccessDeniedException", &words)
    );
    sandbox.stop().await;
}

/// A function's tags are another permission than the function.
#[tokio::test]
async fn a_function_is_shown_without_its_tags() {
    for (actions, tags) in [(json!("lambda:GetFunction"), None), (json!("lambda:*"), Some(1))] {
        let statements = json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
        let (_root, sandbox, session) = lab(&statements).await;
        // Lambda knows a new role after some seconds.
        sandbox.state().clock.advance(std::time::Duration::from_secs(10));
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("a.py", zip::write::SimpleFileOptions::default()).unwrap();
        let zip = lambda::primitives::Blob::new(zip.finish().unwrap().into_inner());
        let code = lambda::types::FunctionCode::builder().zip_file(zip).build();
        let make = client!(lambda, sandbox).create_function().function_name("f").role(ROLE).code(code);
        let make = make.runtime("python3.12".into()).handler("a.b").tags("k", "v");
        make.send().await.unwrap();
        let found = as_role!(lambda, sandbox, session).get_function().function_name("f").send();
        let found = found.await.unwrap();
        assert_eq!(found.tags().map(std::collections::HashMap::len), tags);
        let error = found.tags_error().map(lambda::types::TagsError::error_code);
        assert_eq!(error, tags.is_none().then_some("AccessDeniedException"));
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn sessions_are_given_to_who_may_have_them() {
    let (_root, sandbox, session) =
        lab(&json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])).await;
    let me = as_role!(sts, sandbox, session).get_caller_identity().send().await.unwrap();
    assert_eq!(me.arn(), Some("arn:aws:sts::123456789012:assumed-role/reader/f"));
    let assume = |client: &sts::Client| client.assume_role().role_arn(ROLE).role_session_name("me");
    let narrow = policy(&json!([{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]));
    let given = assume(&client!(sts, sandbox)).policy(narrow).send().await.unwrap();
    let given = given.credentials().unwrap();
    let (id, secret, token) = (given.access_key_id(), given.secret_access_key(), given.session_token());
    let with = |token: Option<&str>| {
        let keys = s3::config::Credentials::new(id, secret, token.map(str::to_owned), None, "test");
        s3::Client::from_conf(client!(s3, sandbox).config().to_builder().credentials_provider(keys).build())
    };
    with(Some(token)).list_objects_v2().bucket("b-1").send().await.unwrap();
    let (code, message) = refused!(with(Some(token)).get_object().bucket("b-1").key("no/k"));
    assert_eq!(code, "AccessDenied");
    assert!(message.ends_with("because no session policy allows the s3:GetObject action"), "{message}");
    let without = with(None).list_buckets().send().await.unwrap_err();
    assert_eq!(without.raw_response().unwrap().status().as_u16(), 403);
    // The trust leaves it to the account's policies, and the role's own say nothing of it.
    let (code, message) = refused!(assume(&as_role!(sts, sandbox, session)));
    assert_eq!(code, "AccessDenied");
    assert!(
        message.ends_with("because no identity-based policy allows the sts:AssumeRole action"),
        "{message}"
    );
    let nobody = client!(sts, sandbox).assume_role().role_arn(format!("{ROLE}s")).role_session_name("me");
    assert_eq!(refused!(nobody).0, "AccessDenied");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_user_may_do_everything_until_a_test_says_otherwise() {
    let (_root, sandbox, _) = lab(&json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])).await;
    let given =
        json!({"user_policies": [{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}]});
    crate::services::iam::control::post(sandbox.state(), given).unwrap();
    client!(s3, sandbox).list_buckets().send().await.unwrap();
    let (code, message) = refused!(client!(iam, sandbox).get_role().role_name("reader"));
    assert_eq!(code, "AccessDenied");
    assert!(message.starts_with("User: arn:aws:iam::123456789012:user/sandbox is not"), "{message}");
    sandbox.stop().await;
}

/// An operation whose action AWS does not know would be allowed to everybody.
#[tokio::test]
async fn every_operation_has_an_action_of_aws() {
    let (_root, sandbox, _) = lab(&json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])).await;
    let mut unknown = Vec::new();
    for service in crate::services::all(sandbox.state()) {
        for (operation, _) in service.operations() {
            let action = match service.name() {
                "s3" => super::objects::action_of(operation),
                name => action_of(name, operation),
            };
            if Catalogue::embedded().find(&action).is_none() {
                unknown.push(action);
            }
        }
    }
    unknown.sort();
    unknown.dedup();
    // One action for each key of many; the sandbox's own URL; who asks is everybody's to ask.
    assert_eq!(unknown, ["lambda:GetCode", "s3:DeleteObjects"]);
    sandbox.stop().await;
}
