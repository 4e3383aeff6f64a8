//! Data and code of others in the bucket of a project: beside its own, in a copy, in a bucket that is shared.

use opsctl::domain::KindName;
use opsctl::plan::Op;

use crate::strangers::{ADOPT, OURS, THEIRS, in_their_bucket, keys, put};
use crate::support::World;
use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

/// Below `data/NAME/`, too: what no upload has put there is somebody's, also in a bucket that opsctl made.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_put_beside_our_data_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    let aws = &project.world.aws;
    project.succeed(DEPLOY).await;
    put(aws, OURS, "data/digits/by-hand.csv", "1,2,3").await;
    put(aws, OURS, "data/digits.opsctl-manifest.json.bak", "a copy").await;
    let plan = project.plan(DESTROY).await.expect("planned");
    let last = plan.steps.last().expect("a step");
    assert_eq!((last.target.to_string().as_str(), &last.op), ("bucket/main", &Op::Release));
    let theirs = ["data/digits.opsctl-manifest.json.bak", "data/digits/by-hand.csv"];
    assert_eq!(plan.contents[&last.target].examples, theirs);
    project.succeed(DESTROY).await;
    assert_eq!(keys(aws, OURS).await, theirs);
    sandbox.stop().await;
}

/// A bucket that two projects share, or a copy of one: only what its own manifest names is a project's.
#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_project_is_neither_replaced_nor_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = in_their_bucket(&sandbox).await;
    let aws = &project.world.aws;
    aws.s3.create_bucket().bucket(THEIRS).send().await.expect("made");
    let code = ["code/0123456789abcdef/sourcedir.tar.gz", "code/one-dev-0123456789abcdef/sourcedir.tar.gz"];
    for key in code {
        put(aws, THEIRS, key, "an archive").await;
    }
    let manifest = "data/digits.opsctl-manifest.json";
    for (text, whose) in [
        (r#"{"format":2,"owner":"one/dev","digest":"d","files":{}}"#, "one/dev"),
        (r#"{"format":2,"digest":"d","files":{}}"#, manifest),
        ("no manifest at all", manifest),
    ] {
        put(aws, THEIRS, manifest, text).await;
        let refused = project.plan(ADOPT).await.expect_err("another project's");
        assert!(refused.contains("E203") && refused.contains(whose), "{refused}");
    }
    aws.s3.delete_object().bucket(THEIRS).key(manifest).send().await.expect("gone");
    project.succeed(ADOPT).await;
    project.succeed(DESTROY).await;
    assert_eq!(keys(aws, THEIRS).await, code);
    sandbox.stop().await;
}

/// An upload that was broken off does not make what a colleague has put beside it opsctl's; what it has sent,
/// or may have, is opsctl's on every machine.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_broken_off_takes_nothing_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    // The first file arrives, and nothing after it: there is the claim, and no manifest of what was sent.
    let rule = "fail=InternalError@s3:PutObject#4x0";
    sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
    let ended = project.run(DEPLOY).await.expect("it begins");
    assert!(ended.failed.iter().any(|(id, _)| id.kind == KindName::Data), "{:?}", ended.failed);
    sandbox.state().faults.clear();
    let aws = &project.world.aws;
    let sent: Vec<String> =
        keys(aws, OURS).await.into_iter().filter(|k| k.starts_with("data/digits/")).collect();
    assert!(!sent.is_empty(), "something was sent");
    put(aws, OURS, "data/digits/labels-by-hand.csv", "a week's work").await;
    // Elsewhere, where nobody knows how far it came.
    let mut elsewhere = Project::open(&sandbox).await;
    elsewhere.world.cache = folder.path().join("elsewhere");
    for project in [&project, &elsewhere] {
        let plan = project.plan(DESTROY).await.expect("planned");
        let last = plan.steps.last().expect("a step");
        assert_eq!(last.op, Op::Release);
        assert_eq!(plan.contents[&last.target].examples, ["data/digits/labels-by-hand.csv"]);
    }
    elsewhere.succeed(DESTROY).await;
    assert_eq!(keys(aws, OURS).await, ["data/digits/labels-by-hand.csv"]);
    sandbox.stop().await;
}

/// One config in two regions is deployed twice, and each of the two knows its own alone.
#[test]
fn a_project_in_two_regions_is_destroyed_in_each() {
    let world = World::with_config("[project]\nname = \"two\"\n\n[data.d]\npath = \"d\"\n").sandbox();
    world.write("d/a.csv", "1");
    let regions = ["us-east-1", "eu-west-1"];
    for region in regions {
        world.run(["deploy", "--yes", "--region", region]).success();
    }
    for region in regions {
        world.run(["status", "--region", region]).success();
        world.run(["destroy", "--yes", "--region", region]).success().says("Nothing is left");
    }
}
