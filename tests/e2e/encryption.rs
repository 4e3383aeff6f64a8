//! `[encryption] kms_key`: what AWS's services were told, read back with the SDK; what somebody has changed;
//! whose bucket it is.

use aws_sdk_lambda::types::LastUpdateStatus;
use aws_sdk_s3::types::{
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};
use opsctl::domain::KindName;
use opsctl::plan::Mode;

use crate::support::World;
use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn with(key: &str) -> impl FnOnce(String) -> String {
    let line = format!("kms_key = \"{key}\"");
    move |text| {
        let with = text.replacen("# kms_key = \"alias/vision\"", &line, 1);
        assert_ne!(with, text);
        with
    }
}

fn default_encryption(
    algorithm: ServerSideEncryption,
    key: Option<&str>,
) -> ServerSideEncryptionConfiguration {
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(key.map(str::to_owned))
        .build();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default.expect("complete"))
        .build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("complete")
}

/// What each service answers, by its name.
async fn keys(project: &Project) -> Vec<(&'static str, Option<String>)> {
    let aws = &project.world.aws;
    let name = |kind| {
        let node = project.desired.nodes.iter().find(|node| node.id.kind == kind);
        node.expect("the shipped project has one").physical.clone()
    };
    let bucket = name(KindName::Bucket);
    let encryption = aws.s3.get_bucket_encryption().bucket(&bucket).send().await.expect("it has one");
    let rule = encryption.server_side_encryption_configuration().expect("it has one").rules()[0].clone();
    assert_eq!(rule.bucket_key_enabled(), Some(true));
    let by_default = rule.apply_server_side_encryption_by_default().expect("it has one");
    assert_eq!(by_default.sse_algorithm(), &ServerSideEncryption::AwsKms);
    let uploaded =
        aws.s3.list_objects_v2().bucket(&bucket).prefix("data/").send().await.expect("it is there");
    let key = uploaded.contents()[0].key().expect("it has one");
    let object = aws.s3.head_object().bucket(&bucket).key(key).send().await.expect("it is there");
    let job = aws.sagemaker.describe_training_job().training_job_name(name(KindName::Training));
    let job = job.send().await.expect("it is there");
    let config = aws.sagemaker.describe_endpoint_config();
    let config =
        config.endpoint_config_name(name(KindName::EndpointConfig)).send().await.expect("it is there");
    let notebook = aws.sagemaker.describe_notebook_instance();
    let notebook =
        notebook.notebook_instance_name(name(KindName::Notebook)).send().await.expect("it is there");
    let function = aws.lambda.get_function_configuration().function_name(name(KindName::Function));
    let function = function.send().await.expect("it is there");
    let groups = aws.logs.describe_log_groups().log_group_name_prefix("/aws/lambda/digits-dev-");
    let groups = groups.send().await.expect("they are there");
    let text = |key: Option<&str>| key.filter(|key| !key.is_empty()).map(str::to_owned);
    vec![
        ("bucket", text(by_default.kms_master_key_id())),
        ("object", text(object.ssekms_key_id())),
        ("output", text(job.output_data_config().and_then(|o| o.kms_key_id()))),
        ("volume", text(job.resource_config().and_then(|r| r.volume_kms_key_id()))),
        ("endpoint configuration", text(config.kms_key_id())),
        ("notebook", text(notebook.kms_key_id())),
        ("function", text(function.kms_key_arn())),
        ("log group", text(groups.log_groups()[0].kms_key_id())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_encrypted_with_the_key_of_the_config() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::edited(&sandbox, with(KEY)).await;
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, [""; 0]);
    for (of, key) in keys(&project).await {
        assert_eq!(key.as_deref(), Some(KEY), "{of}");
    }

    // Somebody takes it away.
    let (aws, bucket) = (&project.world.aws, "digits-dev-123456789012-us-east-1");
    let put = aws.s3.put_bucket_encryption().bucket(bucket);
    let put =
        put.server_side_encryption_configuration(default_encryption(ServerSideEncryption::Aes256, None));
    put.send().await.expect("it is there");
    let function = aws.lambda.update_function_configuration().function_name("digits-dev-classify");
    function.kms_key_arn("").send().await.expect("it is there");
    loop {
        let call = aws.lambda.get_function_configuration().function_name("digits-dev-classify");
        let found = call.send().await.expect("it is there");
        if found.last_update_status() == Some(&LastUpdateStatus::Successful) {
            break;
        }
        tokio::task::yield_now().await;
    }
    aws.lambda.publish_version().function_name("digits-dev-classify").send().await.expect("it is there");
    let group = "/aws/lambda/digits-dev-classify";
    aws.logs.disassociate_kms_key().log_group_name(group).send().await.expect("it is there");
    let mut steps = project.steps(DEPLOY).await;
    steps.sort();
    assert_eq!(
        steps,
        ["update bucket/main", "update function/classify", "update log-group/function-classify"]
    );
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, [""; 0]);
    for (of, key) in keys(&project).await {
        assert_eq!(key.as_deref(), Some(KEY), "{of}");
    }
    project.succeed(DESTROY).await;
    sandbox.stop().await;
}

/// Somebody else's bucket keeps its encryption, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_bucket_keeps_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::edited(&sandbox, with(KEY)).await;
    let (aws, bucket) = (&project.world.aws, "digits-dev-123456789012-us-east-1");
    aws.s3.create_bucket().bucket(bucket).send().await.expect("it is new");
    project.succeed(Mode::Deploy { prune: false, adopt: true }).await;
    assert_eq!(project.steps(DEPLOY).await, [""; 0]);
    assert_eq!(sandbox.state().calls.of("s3:PutBucketEncryption"), 0);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_looked_up_before_the_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let url = sandbox.endpoint_url().to_owned();
    let state = std::sync::Arc::clone(sandbox.state());
    let run = move || {
        let world = World::shipped().credentials();
        let text = with("alias/vision")(world.read("config/opsctl.toml"));
        world.write("config/opsctl.toml", &text);
        let run = |command: &[&str]| {
            world.run([&["--endpoint-url", &url, "-c", "config/opsctl.toml"], command].concat())
        };
        run(&["check"]).success();
        run(&["deploy", "--yes"]).success();
        run(&["plan", "--detailed-exitcode"]).ended(0);
        assert_eq!(state.calls.of("kms:DescribeKey"), 2);
        state.faults.extend(vec!["fail=NotFoundException@kms:DescribeKey".parse().expect("a rule")]);
        run(&["plan"]).ended(3).says("error[E263]: there is no key alias/vision").says("kms_key = ");
    };
    tokio::task::spawn_blocking(run).await.expect("it ends");
    let aws = opsctl::aws::Clients::new(
        &opsctl::aws::connect(&opsctl::aws::TargetOptions {
            region: Some("us-east-1".into()),
            sandbox: Some(sandbox.endpoint_url().to_owned()),
            ..Default::default()
        })
        .await,
    );
    sandbox.state().faults.clear();
    let key = aws.kms.key("alias/vision").await.expect("it is there").arn;
    let function = aws.lambda.get_function_configuration().function_name("digits-dev-classify");
    assert_eq!(function.send().await.expect("it is there").kms_key_arn(), Some(&*key));
    sandbox.stop().await;
}

/// What jobs have to use is the key that S3 would take, whatever the bucket calls it.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_bucket_of_others_is_the_one_behind_its_name() {
    const ADOPT: Mode = Mode::Deploy { prune: false, adopt: true };
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let theirs = |text: String| text.replacen("# name = \"my-files\"", "name = \"theirs\"", 1);
    let project = Project::edited(&sandbox, theirs).await;
    let aws = &project.world.aws;
    aws.s3.create_bucket().bucket("theirs").send().await.expect("made");
    let under = async |key: &str| {
        let encryption = default_encryption(ServerSideEncryption::AwsKms, Some(key));
        let call = aws.s3.put_bucket_encryption().bucket("theirs");
        call.server_side_encryption_configuration(encryption).send().await.expect("put");
        project.plan(ADOPT).await
    };
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/team";
    let key = aws.kms.key("alias/team").await.expect("it is there").arn;
    let refused = under(alias).await.expect_err("no role may use it");
    assert!(refused.contains("E265") && refused.contains(&key), "{refused}");
    let ours = aws.kms.key("alias/aws/s3").await.expect("it is there").arn;
    for named in [ours.as_str(), "alias/aws/s3"] {
        under(named).await.expect("whoever may use S3 here may use it");
    }
    // Who may not look an alias up is not stopped by it.
    sandbox
        .state()
        .faults
        .extend(vec!["fail=AccessDeniedException@kms:DescribeKey".parse().expect("a rule")]);
    under(alias).await.expect("nobody knows");
    sandbox.stop().await;
}
