//! What opsctl owns it owns whole: what others hang on it, switch off or take away is seen by the plan and
//! put right.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction,
    ServiceNamespace, SuspendedState, TargetTrackingScalingPolicyConfiguration,
};
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, EphemeralStorage, LogFormat, LoggingConfig,
    ProvisionedConcurrencyStatusEnum, TracingConfig, TracingMode,
};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};
use opsctl::aws::Clients;
use opsctl::plan::{Mode, Observation, Op};
use serde_json::json;

use crate::support::inside::{self, DEPLOY, DESTROY, Project, sandbox};

const BUCKET: &str = "digits-dev-123456789012-us-east-1";
const ROLE: &str = "digits-dev-training-numbers-us-east-1";
const FUNCTION: &str = "digits-dev-classify";
const NOTEBOOK: &str = "digits-dev-lab";
const TARGET: &str = "endpoint/digits-dev-numbers/variant/AllTraffic";

async fn suspend_and_scale_otherwise(aws: &Clients) {
    let (namespace, dimension) =
        (ServiceNamespace::Sagemaker, ScalableDimension::SageMakerVariantDesiredInstanceCount);
    let call = aws.autoscaling.register_scalable_target().service_namespace(namespace.clone());
    let call = call.resource_id(TARGET).scalable_dimension(dimension.clone());
    let suspended = SuspendedState::builder().dynamic_scaling_out_suspended(true).build();
    call.suspended_state(suspended).send().await.expect("suspended");
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::SageMakerVariantInvocationsPerInstance)
        .build()
        .expect("complete");
    let tracking = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(1.0)
        .predefined_metric_specification(metric)
        .build()
        .expect("complete");
    let call = aws.autoscaling.put_scaling_policy().service_namespace(namespace).resource_id(TARGET);
    let call = call
        .scalable_dimension(dimension)
        .policy_name("night")
        .policy_type(PolicyType::TargetTrackingScaling);
    call.target_tracking_scaling_policy_configuration(tracking).send().await.expect("put");
}

/// A rule of ours that somebody has made delete current objects, in the console or by a tool that merges
/// rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_rule_of_ours_that_does_more_is_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let s3 = &project.world.aws.s3;
    let rules = async || {
        let found = s3.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await.expect("read");
        found.rules.expect("ours")
    };
    let ours = rules().await;
    let altered: [fn(LifecycleRule) -> LifecycleRule; 3] = [
        #[expect(deprecated, reason = "others may write it")]
        |mut rule| {
            (rule.filter, rule.prefix) = (None, Some("nowhere/".to_owned()));
            rule
        },
        |mut rule| {
            rule.expiration = Some(LifecycleExpiration::builder().days(1).build());
            rule
        },
        |mut rule| {
            rule.filter = Some(LifecycleRuleFilter::builder().object_size_greater_than(1000).build());
            rule
        },
    ];
    for alter in altered {
        let theirs = ours.iter().cloned().map(alter).collect();
        let theirs =
            BucketLifecycleConfiguration::builder().set_rules(Some(theirs)).build().expect("complete");
        let call = s3.put_bucket_lifecycle_configuration().bucket(BUCKET).lifecycle_configuration(theirs);
        call.send().await.expect("put");
        assert_eq!(project.steps(DEPLOY).await, ["update bucket/main"]);
        project.succeed(DEPLOY).await;
        assert_eq!(rules().await, ours);
    }
    sandbox.stop().await;
}

/// By hand in the console: an inline policy, a suspended target with another policy, reserved concurrency, a
/// variable.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_hang_on_ours_is_seen_and_put_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
    ] });
    let call = aws.iam.put_role_policy().role_name(ROLE).policy_name("evil");
    call.policy_document(everything.to_string()).send().await.expect("put");
    suspend_and_scale_otherwise(aws).await;
    let call =
        aws.lambda.put_function_concurrency().function_name(FUNCTION).reserved_concurrent_executions(5);
    call.send().await.expect("reserved");
    let other = Environment::builder().variables("ENDPOINT_NAME", "elsewhere").build();
    let call = aws.lambda.update_function_configuration().function_name(FUNCTION).environment(other);
    call.send().await.expect("changed");

    let mut steps = project.steps(DEPLOY).await;
    steps.sort();
    assert_eq!(
        steps,
        ["update autoscaling/numbers", "update function/classify", "update role/training-numbers"]
    );
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let policies = aws.iam.list_role_policies().role_name(ROLE).send().await.expect("listed");
    assert_eq!(policies.policy_names(), ["opsctl"]);
    let found = aws.lambda.get_function().function_name(FUNCTION).send().await.expect("there");
    assert!(found.concurrency().is_none());
    sandbox.stop().await;
}

async fn delete_archives(aws: &Clients) {
    let listed = aws.s3.list_objects_v2().bucket(BUCKET).send().await.expect("listed");
    let archives =
        listed.contents().iter().filter_map(|o| o.key()).filter(|key| key.ends_with("model.tar.gz"));
    for key in archives {
        aws.s3.delete_object().bucket(BUCKET).key(key).send().await.expect("deleted");
    }
}

/// An endpoint whose model is gone is not "nothing to do".
#[tokio::test(flavor = "multi_thread")]
async fn archives_and_buckets_that_are_gone_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;

    delete_archives(aws).await;
    let steps = project.steps(DEPLOY).await;
    assert!(steps.contains(&"create training/numbers".to_owned()), "{steps:?}");
    assert!(steps.contains(&"update model/numbers".to_owned()), "{steps:?}");
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());

    // The model resource too: it was E212 on every run.
    delete_archives(aws).await;
    let model = project.desired.node(&"model/numbers".parse().expect("an id")).expect("wanted");
    aws.sagemaker.delete_model().model_name(&model.physical).send().await.expect("deleted");
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());

    let bucket = project.desired.node(&"bucket/main".parse().expect("an id")).expect("wanted");
    let whole = Op::DeleteWhole { others: String::new() };
    inside::perform(&project, bucket, whole).await.expect("the bucket goes");
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let key = format!("models/{}/model.tar.gz", model.physical);
    aws.s3.head_object().bucket(BUCKET).key(key).send().await.expect("the model has its archive");
    sandbox.stop().await;
}

async fn schedule_and_scale_out_only(aws: &Clients) {
    let (namespace, dimension) =
        (ServiceNamespace::Sagemaker, ScalableDimension::SageMakerVariantDesiredInstanceCount);
    let call = aws.autoscaling.put_scheduled_action().service_namespace(namespace.clone());
    let call = call.resource_id(TARGET).scalable_dimension(dimension.clone()).schedule("cron(0 22 * * ? *)");
    let action = ScalableTargetAction::builder().min_capacity(3).build();
    call.scheduled_action_name("night").scalable_target_action(action).send().await.expect("scheduled");
    let call = aws.autoscaling.describe_scaling_policies().service_namespace(namespace.clone());
    let found = call.resource_id(TARGET).scalable_dimension(dimension.clone()).send().await.expect("listed");
    let ours = &found.scaling_policies()[0];
    let tracking = ours.target_tracking_scaling_policy_configuration().expect("it tracks").clone();
    let one_way = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(tracking.target_value())
        .set_predefined_metric_specification(tracking.predefined_metric_specification)
        .set_scale_in_cooldown(tracking.scale_in_cooldown)
        .set_scale_out_cooldown(tracking.scale_out_cooldown)
        .disable_scale_in(true)
        .build()
        .expect("complete");
    let call = aws.autoscaling.put_scaling_policy().service_namespace(namespace).resource_id(TARGET);
    let call = call.scalable_dimension(dimension).policy_name(ours.policy_name());
    let call = call.policy_type(PolicyType::TargetTrackingScaling);
    call.target_tracking_scaling_policy_configuration(one_way).send().await.expect("put");
}

/// The notebook without its script, which stops it: it runs, and is billed, forever.
async fn take_the_script_off(sandbox: &opsctl_sandbox::Sandbox, aws: &Clients) {
    aws.sagemaker.stop_notebook_instance().notebook_instance_name(NOTEBOOK).send().await.expect("stopped");
    sandbox.state().clock.advance(Duration::from_secs(600));
    let call = aws.sagemaker.update_notebook_instance().notebook_instance_name(NOTEBOOK);
    call.disassociate_lifecycle_config(true).send().await.expect("taken off");
    sandbox.state().clock.advance(Duration::from_secs(600));
}

/// What a config has no key for, and what is then by AWS's default: docs/managed.md.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_config_cannot_say_is_as_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    schedule_and_scale_out_only(aws).await;
    take_the_script_off(&sandbox, aws).await;
    // Published, and pointed to: the alias itself serves it.
    let call = aws.lambda.update_function_configuration().function_name(FUNCTION);
    let call = call.tracing_config(TracingConfig::builder().mode(TracingMode::Active).build());
    let call = call.ephemeral_storage(EphemeralStorage::builder().size(2048).build().expect("a size"));
    let elsewhere = LoggingConfig::builder().log_format(LogFormat::Json).log_group("/theirs").build();
    call.logging_config(elsewhere).send().await.expect("changed");
    sandbox.state().clock.advance(Duration::from_secs(60));
    let published = aws.lambda.publish_version().function_name(FUNCTION).send().await.expect("published");
    sandbox.state().clock.advance(Duration::from_secs(60));
    let call = aws.lambda.update_alias().function_name(FUNCTION).name("live");
    call.set_function_version(published.version).send().await.expect("moved");
    // Its concurrency goes along; until it has, that would be a change of its own.
    loop {
        let asked = aws.lambda.get_provisioned_concurrency_config().function_name(FUNCTION).qualifier("live");
        let found = asked.send().await.expect("it is there");
        if found.status() == Some(&ProvisionedConcurrencyStatusEnum::Ready) {
            break;
        }
        sandbox.state().clock.advance(Duration::from_secs(60));
    }

    let mut steps = project.steps(DEPLOY).await;
    steps.sort();
    assert_eq!(steps, ["update autoscaling/numbers", "update function/classify", "update notebook/lab"]);
    let plan = project.plan(DEPLOY).await.expect("it can be planned");
    let why: BTreeSet<&str> = plan.steps.iter().flat_map(|s| &s.why).map(String::as_str).collect();
    let said = [
        "ephemeral_storage_mb: 2048 -> 512",
        "lifecycle configuration: none or another -> its own",
        "log format: JSON -> default",
        "log group: /theirs -> default",
        "scale_in_disabled: true -> false",
        "scheduled actions: night -> none",
        "tracing: Active -> default",
    ];
    assert_eq!(why, BTreeSet::from(said));
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let found = aws.lambda.get_function_configuration().function_name(FUNCTION).qualifier("live");
    let found = found.send().await.expect("there");
    assert_eq!(found.ephemeral_storage().map(|s| s.size()), Some(512));
    sandbox.stop().await;
}

/// As of a job of SageMaker: the record of a job on EC2 is not its model.
#[tokio::test(flavor = "multi_thread")]
async fn the_lost_archive_of_a_job_on_ec2_is_made_again_when_it_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let on_ec2 = |text: String| {
        let changed = text.replace("model         = \"numbers\"", "model = \"numbers-on-ec2\"");
        assert_ne!(changed, text);
        changed
    };
    let project = Project::edited(&sandbox, on_ec2).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let job = project.desired.node(&"instance/numbers-on-ec2".parse().expect("an id")).expect("wanted");
    let archive = format!("instances/{}/output/model.tar.gz", job.physical);
    aws.s3.delete_object().bucket(BUCKET).key(&archive).send().await.expect("deleted");
    // The model has an archive of its own: it serves without.
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());

    delete_archives(aws).await;
    let mut steps = project.steps(DEPLOY).await;
    steps.sort();
    assert_eq!(
        steps,
        [
            "create instance/numbers-on-ec2",
            // Nothing is made of this one: its archive was all there is of it.
            "create training/numbers",
            "delete instance/numbers-on-ec2",
            "delete training/numbers",
            "update model/numbers",
        ]
    );
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    aws.s3.head_object().bucket(BUCKET).key(archive).send().await.expect("it is trained again");
    sandbox.stop().await;
}

/// While Lambda moves the alias to another version it has weights, and a put is refused as if it could never
/// be.
#[tokio::test(flavor = "multi_thread")]
async fn provisioned_concurrency_is_put_when_the_alias_has_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let node = project.desired.node(&"concurrency/classify".parse().expect("an id")).expect("wanted");
    inside::perform(&project, node, Op::Delete).await.expect("it goes");
    let call = aws.lambda.update_function_configuration().function_name(FUNCTION).description("another");
    call.send().await.expect("changed");
    sandbox.state().clock.advance(Duration::from_secs(60));
    let other = aws.lambda.publish_version().function_name(FUNCTION).send().await.expect("published");
    let route = |weights: HashMap<String, f64>| {
        let weights = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights));
        aws.lambda.update_alias().function_name(FUNCTION).name("live").routing_config(weights.build()).send()
    };
    let moving = HashMap::from([(other.version.expect("a number"), 0.5)]);
    route(moving).await.expect("weighted");

    let looked = || sandbox.state().calls.of("lambda:GetAlias");
    let before = looked();
    let put = inside::perform(&project, node, Op::Create { spec: node.spec.clone() });
    tokio::pin!(put);
    let end = async {
        while looked() == before {
            tokio::task::yield_now().await;
        }
        route(HashMap::new()).await.expect("moved");
    };
    let put = tokio::select! {
        early = &mut put => early,
        () = end => put.await,
    };
    put.expect("it is put");
    sandbox.stop().await;
}

/// What an administrator has set on a role, and is left, is named where something may fail because of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_is_left_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let iam = &project.world.aws.iam;
    let guard = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    iam.put_role_permissions_boundary()
        .role_name(ROLE)
        .permissions_boundary(guard)
        .send()
        .await
        .expect("put");
    iam.update_role().role_name(ROLE).max_session_duration(43_200).send().await.expect("put");
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "it is left");
    let have = project.observe().await.expect("readable");
    let left: Vec<String> = have
        .observations
        .values()
        .filter_map(|look| if let Observation::Present(seen) = look { Some(seen.left(None)) } else { None })
        .flatten()
        .collect();
    assert_eq!(
        left,
        [format!("permissions boundary {guard}"), "maximum session duration 43200 s".to_owned()]
    );
    sandbox.stop().await;
}

/// Data that others have replaced, deleted or added in the bucket is not trained on. The bucket is listed
/// when a training is about to read it, and not otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn data_that_others_changed_in_the_bucket_is_sent_again_before_it_is_trained_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let s3 = &project.world.aws.s3;
    let key = |name: &str| format!("data/digits/train/{name}.csv");
    let read = async |name: &str| {
        let found = s3.get_object().bucket(BUCKET).key(key(name)).send().await.expect("there");
        found.body.collect().await.expect("whole").into_bytes()
    };
    let (zero, one) = (read("0").await, read("1").await);
    let put = |name: &str| s3.put_object().bucket(BUCKET).key(key(name)).body(b"1,2,3".to_vec().into());
    put("0").send().await.expect("replaced");
    s3.delete_object().bucket(BUCKET).key(key("1")).send().await.expect("deleted");
    let listed = || sandbox.state().calls.of("s3:ListObjectsV2");
    let before = listed();
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "nobody is about to read it");
    let usual = listed() - before;

    let edited = Project::edited(&sandbox, |text| {
        assert!(text.contains("batch-size    = 32"));
        text.replace("batch-size    = 32", "batch-size    = 16")
    })
    .await;
    let before = listed();
    let plan = edited.plan(DEPLOY).await.expect("planned");
    assert_eq!(listed() - before, usual + 1, "one call for 1,000 objects");
    let steps: Vec<String> =
        plan.steps.iter().map(|s| format!("{} {}", s.op.verb().as_str(), s.target)).collect();
    let at = |step: &str| steps.iter().position(|s| s == step).unwrap_or_else(|| panic!("{step}: {steps:?}"));
    assert!(at("update data/digits") < at("create training/numbers"), "{steps:?}");
    assert_eq!(
        plan.steps[at("update data/digits")].why,
        ["in the bucket: 2 objects gone or replaced: train/0.csv, train/1.csv -> as in the folder"]
    );
    put("mine").send().await.expect("added");
    let refused = edited.plan(DEPLOY).await.expect_err("it would be trained on");
    assert!(refused.contains("E203") && refused.contains("train/mine.csv"), "{refused}");
    s3.delete_object().bucket(BUCKET).key(key("mine")).send().await.expect("moved");
    edited.succeed(DEPLOY).await;
    assert_eq!((read("0").await, read("1").await), (zero, one));
    assert_eq!(edited.steps(DEPLOY).await, Vec::<String>::new());
    sandbox.stop().await;
}

/// What runs is packed from the folder, whatever lies where it goes.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_somebody_put_under_our_name_never_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let s3 = &project.world.aws.s3;
    let packed = async || {
        let listed = s3.list_objects_v2().bucket(BUCKET).prefix("code/").send().await.expect("listed");
        let mut found = Vec::new();
        for object in listed.contents() {
            let key = object.key().expect("a key").to_owned();
            let got = s3.get_object().bucket(BUCKET).key(&key).send().await.expect("there");
            found.push((key, got.body.collect().await.expect("whole").into_bytes()));
        }
        found
    };
    let ours = packed().await;
    assert!(!ours.is_empty());
    project.succeed(DESTROY).await;
    let call = s3.create_bucket().bucket(BUCKET);
    call.send().await.expect("made again");
    for (key, _) in &ours {
        s3.put_object().bucket(BUCKET).key(key).body(b"theirs".to_vec().into()).send().await.expect("put");
    }
    assert_ne!(packed().await, ours);
    project.succeed(Mode::Deploy { prune: false, adopt: true }).await;
    assert_eq!(packed().await, ours);
}

/// Nobody consents to more than was shown: what `--prune` deletes of a data set is counted before.
#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_pruned_is_counted_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let more = |text: String| format!("{text}\n[data.more]\npath = \"data/digits\"\n");
    Project::edited(&sandbox, more).await.succeed(DEPLOY).await;
    let without = Project::open(&sandbox).await;
    let plan = without.plan(Mode::Deploy { prune: true, adopt: false }).await.expect("it can be planned");
    let data = plan.steps.iter().find(|step| step.physical.ends_with("/data/more/")).expect("it goes");
    let put = sandbox.state().store.list(&format!("s3.objects.{BUCKET}"), "data/more/").len();
    let counted = &plan.contents[&data.target];
    assert!(counted.ours.objects == put as u64 && counted.ours.bytes > 0 && put > 0, "{counted:?}, {put}");
    without.succeed(DESTROY).await;
    sandbox.stop().await;
}
