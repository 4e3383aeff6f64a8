//! One suite over every registered kind: a kind that is registered is tested.

use std::collections::{BTreeMap, BTreeSet};

use opsctl::desired::Node;
use opsctl::domain::KindName;
use opsctl::engine::OpCx;
use opsctl::plan::{Mode, Op};

use crate::support::inside::{self, DEPLOY, DESTROY, Project, sandbox};

async fn perform(project: &Project, node: &Node, op: Op) {
    let verb = op.verb();
    let done = inside::perform(project, node, op).await;
    done.unwrap_or_else(|error| panic!("{} {}: {error}", verb.as_str(), node.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_project_has_every_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    let kinds: BTreeSet<KindName> = project.desired.nodes.iter().map(|n| n.id.kind).collect();
    assert_eq!(kinds, KindName::ALL.iter().copied().collect());
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;

    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "a plan after a deploy is empty");

    for node in &project.desired.nodes {
        let driver = project.registry.of(node.id.kind);
        let cx = OpCx::new(&project.world, node.id.clone());

        // What a look gives is ours and ready, and reads as a type.
        let seen = driver.observe(&cx, &node.physical).await.expect("readable").expect("there");
        assert_eq!(*seen.owner(), opsctl::domain::Owner::Ours, "{}", node.id);
        assert_eq!(seen.status().phase, opsctl::domain::Phase::Ready, "{}", node.id);

        // Making what is there is success: a killed run is being repeated.
        perform(&project, node, Op::Create { spec: node.spec.clone() }).await;
        perform(&project, node, Op::Update { spec: node.spec.clone(), changes: Vec::new() }).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "{} made twice", node.id);
    }

    // Deleted behind our back: what is gone, and what went with it, is made again.
    for node in project.desired.nodes.iter().rev() {
        // The bucket holds what others are made of; emptying it is its own test (destroy).
        if node.id.kind == KindName::Bucket {
            continue;
        }
        perform(&project, node, Op::Delete).await;
        perform(&project, node, Op::Delete).await;
        let steps = project.steps(DEPLOY).await;
        assert!(steps.contains(&format!("create {}", node.id)), "{} deleted: {steps:?}", node.id);
        project.succeed(DEPLOY).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "{} made again", node.id);
    }

    project.succeed(DESTROY).await;
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());
    let have = project.observe().await.expect("readable");
    assert!(have.leftovers.is_empty(), "{:?}", have.leftovers);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_config_is_pruned_only_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    Project::open(&sandbox).await.succeed(DEPLOY).await;
    // The same project without its notebook.
    let without = |text: String| {
        let (before, rest) = text.split_once("[notebook.lab]").expect("the notebook");
        let after = rest.find("\n[").expect("a section follows");
        format!("{before}{}", &rest[after..])
    };
    let project = Project::edited(&sandbox, without).await;
    let plan = project.plan(DEPLOY).await.expect("planned");
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let leftovers: Vec<String> = plan.leftovers.iter().map(|l| l.id.to_string()).collect();
    assert_eq!(leftovers, ["role/digits-dev-notebook-lab-us-east-1", "notebook/digits-dev-lab"]);
    let prune = Mode::Deploy { prune: true, adopt: false };
    assert_eq!(
        project.steps(prune).await,
        ["delete notebook/digits-dev-lab", "delete role/digits-dev-notebook-lab-us-east-1"]
    );
    project.succeed(prune).await;
    assert!(project.plan(DEPLOY).await.expect("planned").leftovers.is_empty());
    sandbox.stop().await;
}

/// The calls of a whole life, against the actions that the kinds declare: the deployer's policy is made of
/// these.
#[tokio::test(flavor = "multi_thread")]
async fn the_kinds_declare_every_action_they_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    project.succeed(DESTROY).await;
    // S3 names its actions differently from its operations
    // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
    let renamed = BTreeMap::from([
        ("S3:HeadBucket", "ListBucket"),
        ("S3:ListBuckets", "ListAllMyBuckets"),
        ("S3:HeadObject", "GetObject"),
        ("S3:ListObjectsV2", "ListBucket"),
        ("S3:ListObjectVersions", "ListBucketVersions"),
        ("S3:ListMultipartUploads", "ListBucketMultipartUploads"),
        ("S3:DeleteObjects", "DeleteObjectVersion"),
        ("S3:GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
        ("S3:PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
        ("S3:GetBucketEncryption", "GetEncryptionConfiguration"),
        ("S3:PutBucketEncryption", "PutEncryptionConfiguration"),
        ("S3:GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
        ("S3:PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ]);
    let declared: BTreeSet<&str> =
        project.kinds.iter().flat_map(|k| k.calls()).flat_map(|call| call.needs()).collect();
    let undeclared: Vec<String> = project
        .world
        .aws
        .calls
        .by_operation()
        .into_keys()
        .filter(|call| {
            let (service, operation) = call.split_once(':').expect("service:operation");
            // `application-autoscaling` of "Application Auto Scaling", `logs` of "CloudWatch Logs".
            let squeezed = |text: &str| text.to_lowercase().replace([' ', '-'], "");
            let operation = renamed.get(call.as_str()).copied().unwrap_or(operation);
            !declared.iter().any(|action| {
                let (prefix, name) = action.split_once(':').expect("prefix:name");
                name == operation && squeezed(service).contains(&squeezed(prefix))
            })
        })
        .collect();
    assert_eq!(undeclared, Vec::<String>::new());
    sandbox.stop().await;
}
