//! Many of everything: lists are read to their end, batches stay within AWS's limits, and the cost of a plan
//! grows with the number of resources and no faster.

use opsctl_sandbox::{Sandbox, SandboxOptions};

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox, with_more};

/// AWS may end any page early, also an empty one. With an empty first page and one item on each of the
/// others, whoever reads one page only misses something: a plan would make again what is there, or a delete
/// would be refused.
#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = SandboxOptions::new(folder.path());
    (options.runs, options.short_pages) = (false, true);
    let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());

    // What is no longer wanted is found by lists alone.
    let name = |text: &str| text.replace("classify", "answer").replace("[notebook.lab]", "[notebook.desk]");
    let renamed = Project::edited(&sandbox, |text| name(&text)).await;
    let plan = renamed.plan(DEPLOY).await.expect("it can be planned");
    let left: Vec<_> = plan.leftovers.iter().map(|l| l.id.to_string()).collect();
    let expected = [
        "log-group//aws/lambda/digits-dev-classify",
        "role/digits-dev-function-classify-us-east-1",
        "role/digits-dev-notebook-lab-us-east-1",
        "function/digits-dev-classify",
        "notebook/digits-dev-lab",
    ];
    assert_eq!(left, expected);

    // IAM refuses to delete a role with anything left, and S3 a bucket.
    let (aws, role) = (&project.world.aws, "digits-dev-training-numbers-us-east-1");
    for policy in ["ReadOnlyAccess", "AdministratorAccess", "AmazonS3FullAccess"] {
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        aws.iam.attach_role_policy().role_name(role).policy_arn(arn).send().await.expect("it attaches");
        let document =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
        let put = aws.iam.put_role_policy().role_name(role).policy_name(policy).policy_document(document);
        put.send().await.expect("it is put");
        aws.iam.create_instance_profile().instance_profile_name(policy).send().await.expect("it is made");
        let add = aws.iam.add_role_to_instance_profile().instance_profile_name(policy).role_name(role);
        add.send().await.expect("it is added");
    }
    let bucket = "digits-dev-123456789012-us-east-1";
    for key in ["a", "b", "c"] {
        aws.s3
            .create_multipart_upload()
            .bucket(bucket)
            .key(format!("data/digits/{key}"))
            .send()
            .await
            .expect("it begins");
        for body in ["1", "2"] {
            let put = aws
                .s3
                .put_object()
                .bucket(bucket)
                .key(format!("data/digits/{key}"))
                .body(body.as_bytes().to_vec().into());
            put.send().await.expect("it is put");
        }
    }
    project.succeed(DESTROY).await;
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());
    sandbox.stop().await;
}

/// DescribeScalableTargets takes 50 names, and DescribeScalingPolicies tells 10 policies at a time.
#[tokio::test(flavor = "multi_thread")]
async fn more_endpoints_than_one_call_can_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::edited(&sandbox, |text| with_more(&text, 120)).await;
    let plan = project.plan(DEPLOY).await.expect("it can be planned");
    assert!(plan.steps.len() > 120 * 10);
    let calls = project.world.aws.calls.by_operation();
    assert_eq!(calls["Application Auto Scaling:DescribeScalableTargets"], 121 + 3, "{calls:?}");
    sandbox.stop().await;
}

/// What a plan asks AWS grows with the number of resources, and no faster.
#[tokio::test(flavor = "multi_thread")]
async fn each_more_resource_costs_the_same_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let mut reads = Vec::new();
    for more in [5, 10, 15] {
        let project = Project::edited(&sandbox, |text| with_more(&text, more)).await;
        project.succeed(DEPLOY).await;
        let before = project.world.aws.calls.total().reads;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
        reads.push(project.world.aws.calls.total().reads - before);
    }
    assert_eq!(reads[2] - reads[1], reads[1] - reads[0], "{reads:?}");
    assert!(reads[1] - reads[0] <= 5 * 33, "{reads:?}: 33 for an endpoint and its function, 10 resources");
    sandbox.stop().await;
}
