//! Data and code of others in the bucket of a project: beside its own, in a copy, in a bucket that is shared.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use opsctl::config::Document;
use opsctl::domain::KindName;
use opsctl::plan::{Mode, Op};

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

/// What an upload has deleted is there as old versions: it is this project's while there is a data set, when
/// that has left the config, when it was pruned, and when the rest was deleted by hand. So it is in a bucket
/// of others.
#[tokio::test(flavor = "multi_thread")]
async fn old_versions_are_whose_the_data_set_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let config = async |more: &str| {
        let text = format!("[project]\nname = \"digits\"\nregion = \"us-east-1\"\n{more}");
        let document = Document::parse(&folder.path().join("opsctl.toml"), text).expect("TOML");
        Project::of(&sandbox, &document).await
    };
    const DATA: &str = "[data.d]\npath = \"d\"\ndelete = true\n";
    std::fs::create_dir(folder.path().join("d")).expect("a folder");
    let file = |name: &str| folder.path().join("d").join(name);
    // Uploads two files, and then deletes one.
    let upload = async |project: &str, mode: Mode| {
        std::fs::write(file("a.csv"), "1").expect("written");
        std::fs::write(file("b.csv"), "2").expect("written");
        config(project).await.succeed(mode).await;
        std::fs::remove_file(file("b.csv")).expect("it is there");
        let project = config(project).await;
        project.succeed(DEPLOY).await;
        project
    };
    let prune = Mode::Deploy { prune: true, adopt: false };
    for case in ["in the config", "not in the config", "pruned", "deleted by hand"] {
        let project = upload(DATA, DEPLOY).await;
        let aws = &project.world.aws;
        assert!(keys(aws, OURS).await.contains(&"data/d/b.csv".to_owned()), "an old version");
        let bare = if case == "in the config" { project } else { config("").await };
        let aws = &bare.world.aws;
        if case == "pruned" {
            bare.succeed(prune).await;
        }
        if case == "deleted by hand" {
            for key in ["data/d/a.csv", "data/d.opsctl-manifest.json"] {
                aws.s3.delete_object().bucket(OURS).key(key).send().await.expect("deleted");
            }
        }
        let plan = bare.plan(DESTROY).await.expect("planned");
        assert_eq!(plan.steps.last().expect("a step").op, Op::Delete, "{case}: {plan:?}");
        bare.succeed(DESTROY).await;
        assert!(aws.s3.head_bucket().bucket(OURS).send().await.is_err(), "{case}: it is gone");
    }

    // Beside what a colleague has there, and has deleted there.
    let theirs = format!("[bucket]\nname = \"{THEIRS}\"\n");
    let aws = &config(&theirs).await.world.aws;
    aws.s3.create_bucket().bucket(THEIRS).send().await.expect("made");
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let call = aws.s3.put_bucket_versioning().bucket(THEIRS).versioning_configuration(enabled);
    call.send().await.expect("versioned");
    let project = upload(&format!("{theirs}{DATA}"), ADOPT).await;
    put(aws, THEIRS, "data/d/colleague.csv", "3").await;
    aws.s3.delete_object().bucket(THEIRS).key("data/d/colleague.csv").send().await.expect("deleted");
    project.succeed(DESTROY).await;
    assert_eq!(keys(aws, THEIRS).await, ["data/d/colleague.csv"; 2]);
    sandbox.stop().await;
}
