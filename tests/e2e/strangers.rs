//! What is not ours is neither deleted nor replaced nor silently changed: others' objects, policies, rules,
//! roles and logs outlive an adoption and a destroy.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    Tag, Tagging,
};
use opsctl::aws::Clients;
use opsctl::plan::{Mode, Op};
use opsctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};
use crate::support::{Beside, World};

pub const ADOPT: Mode = Mode::Deploy { prune: false, adopt: true };
const DESTROY_ADOPTED: Mode = Mode::Destroy { adopted: true };
pub const OURS: &str = "digits-dev-123456789012-us-east-1";
pub const THEIRS: &str = "company-data";

/// Objects of others with names like ours: what opsctl writes ends with a fingerprint.
const THEIR_KEYS: [&str; 4] = [
    "data/digits/theirs.csv",
    ".opsctl/mine",
    "training/digits-dev-mine/x",
    "checkpoints/digits-dev-numbers-backup/c",
];

/// The shipped project in a bucket that somebody else has made.
pub async fn in_their_bucket(sandbox: &Sandbox) -> Project {
    Project::edited(sandbox, |text| {
        let from = "# name = \"my-files\"";
        assert!(text.contains(from));
        text.replace(from, &format!("name = \"{THEIRS}\""))
    })
    .await
}

pub async fn put(aws: &Clients, bucket: &str, key: &str, text: &str) {
    let body = text.as_bytes().to_vec().into();
    aws.s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("it can be put");
}

pub async fn keys(aws: &Clients, bucket: &str) -> Vec<String> {
    let listed = aws.s3.list_object_versions().bucket(bucket).send().await.expect("listed");
    let versions = listed.versions().iter().filter_map(|v| v.key());
    versions.chain(listed.delete_markers().iter().filter_map(|m| m.key())).map(str::to_owned).collect()
}

async fn policy(aws: &Clients, bucket: &str) -> Option<Value> {
    let found = aws.s3.get_bucket_policy().bucket(bucket).send().await.ok()?;
    Some(serde_json::from_str(found.policy().expect("a text")).expect("JSON"))
}

async fn rules(aws: &Clients, bucket: &str) -> Vec<String> {
    let found = aws.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let rules = found.map(|l| l.rules.unwrap_or_default()).unwrap_or_default();
    rules.into_iter().filter_map(|rule| rule.id).collect()
}

async fn tags(aws: &Clients, bucket: &str) -> BTreeMap<String, String> {
    let found = aws.s3.get_bucket_tagging().bucket(bucket).send().await;
    found.map(|t| t.tag_set.into_iter().map(|t| (t.key, t.value)).collect()).unwrap_or_default()
}

/// Adds a lifecycle rule `mine` to those that are there.
async fn add_rule(aws: &Clients, bucket: &str) {
    let found = aws.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let mut rules = found.map(|l| l.rules.unwrap_or_default()).unwrap_or_default();
    rules.push(
        LifecycleRule::builder()
            .id("mine")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("mine/").build())
            .expiration(LifecycleExpiration::builder().days(3650).build())
            .build()
            .expect("complete"),
    );
    let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().expect("complete");
    let call = aws.s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(rules);
    call.send().await.expect("it can be put");
}

/// A bucket with somebody's data, policy, rule and tag, and files where ours will lie.
async fn make_theirs(aws: &Clients) -> Value {
    aws.s3.create_bucket().bucket(THEIRS).send().await.expect("made");
    put(aws, THEIRS, "train/001/x.jpg", "the only copy").await;
    put(aws, THEIRS, "data/digits/theirs.csv", "1,2,3").await;
    put(aws, THEIRS, "code/readme.txt", "hello").await;
    let statement = json!({
        "Sid": "Partner", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{THEIRS}/train/*"),
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    aws.s3.put_bucket_policy().bucket(THEIRS).policy(policy.to_string()).send().await.expect("put");
    add_rule(aws, THEIRS).await;
    let tag = Tag::builder().key("team").value("vision").build().expect("complete");
    let tagging = Tagging::builder().tag_set(tag).build().expect("complete");
    aws.s3.put_bucket_tagging().bucket(THEIRS).tagging(tagging).send().await.expect("put");
    policy
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_bucket_is_used_merged_into_and_released() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = in_their_bucket(&sandbox).await;
    let aws = &project.world.aws;
    let their_policy = make_theirs(aws).await;

    assert!(project.plan(DEPLOY).await.expect_err("not ours").contains("E203"));
    // Where our data would go, theirs is: it would be trained on, and go with ours.
    let refused = project.plan(ADOPT).await.expect_err("theirs lies there");
    assert!(refused.contains("E203") && refused.contains("data/digits/theirs.csv"), "{refused}");
    aws.s3.delete_object().bucket(THEIRS).key("data/digits/theirs.csv").send().await.expect("moved");
    project.succeed(ADOPT).await;
    // Beside ours now: named like ours, and not by opsctl.
    for key in THEIR_KEYS {
        put(aws, THEIRS, key, "1,2,3").await;
    }
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "a plan after a deploy is empty");
    let policy_now = policy(aws, THEIRS).await.expect("a policy");
    let statements = policy_now["Statement"].as_array().expect("a list");
    assert_eq!(statements.len(), 2, "{policy_now}");
    assert!(opsctl_iam::has(&policy_now, &their_policy["Statement"][0]));
    assert!(rules(aws, THEIRS).await.contains(&"mine".to_owned()));
    let versioning = aws.s3.get_bucket_versioning().bucket(THEIRS).send().await.expect("read");
    assert_eq!(versioning.status(), None, "their settings are theirs");
    assert_eq!(tags(aws, THEIRS).await["team"], "vision");
    assert_eq!(tags(aws, THEIRS).await["opsctl:adopted"], "true");

    let plan = project.plan(DESTROY).await.expect("planned");
    let last = plan.steps.last().expect("a step");
    assert_eq!((last.target.to_string().as_str(), &last.op), ("bucket/main", &Op::Release));
    let contents = &plan.contents[&last.target];
    assert_eq!((contents.others.objects, contents.others.bytes), (6, 38), "{contents:?}");
    assert!(contents.ours.objects > 3, "{contents:?}");

    project.succeed(DESTROY).await;
    let kept: Vec<&str> = THEIR_KEYS.into_iter().chain(["code/readme.txt", "train/001/x.jpg"]).collect();
    let mut left = keys(aws, THEIRS).await;
    left.sort_by_key(|key| kept.iter().position(|other| other == key));
    assert_eq!(left, kept);
    assert_eq!(policy(aws, THEIRS).await, Some(their_policy));
    assert_eq!(rules(aws, THEIRS).await, ["mine"]);
    assert_eq!(tags(aws, THEIRS).await, BTreeMap::from([("team".to_owned(), "vision".to_owned())]));
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());

    // Only when it is said does it go too, after it was named and counted.
    aws.s3.delete_object().bucket(THEIRS).key(THEIR_KEYS[0]).send().await.expect("moved");
    project.succeed(ADOPT).await;
    let plan = project.plan(DESTROY_ADOPTED).await.expect("planned");
    assert!(
        matches!(&plan.steps.last().expect("a step").op, Op::DeleteWhole { others } if !others.is_empty())
    );
    project.succeed(DESTROY_ADOPTED).await;
    assert!(aws.s3.head_bucket().bucket(THEIRS).send().await.is_err(), "it is gone");
    sandbox.stop().await;
}

/// Rules of others survive an update, objects of others a destroy.
#[tokio::test(flavor = "multi_thread")]
async fn our_bucket_keeps_what_others_put_into_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    Project::open(&sandbox).await.succeed(DEPLOY).await;
    let project = Project::edited(&sandbox, |text| {
        let (from, to) = ("keep_old_versions   = \"30d\"", "keep_old_versions   = \"31d\"");
        assert!(text.contains(from));
        text.replace(from, to)
    })
    .await;
    let aws = &project.world.aws;
    add_rule(aws, OURS).await;
    assert_eq!(project.steps(DEPLOY).await, ["update bucket/main"]);
    project.succeed(DEPLOY).await;
    let mut ids = rules(aws, OURS).await;
    ids.sort();
    assert_eq!(ids, ["mine", "opsctl"]);

    put(aws, OURS, "precious/thesis.pdf", "a thesis").await;
    put(aws, OURS, "notebooks/mine.ipynb", "my work").await;
    let plan = project.plan(DESTROY).await.expect("planned");
    let last = plan.steps.last().expect("a step");
    assert_eq!((last.target.to_string().as_str(), &last.op), ("bucket/main", &Op::Release));
    assert_eq!(plan.contents[&last.target].examples, ["notebooks/mine.ipynb", "precious/thesis.pdf"]);
    project.succeed(DESTROY).await;
    assert_eq!(keys(aws, OURS).await, ["notebooks/mine.ipynb", "precious/thesis.pdf"]);
    assert_eq!((policy(aws, OURS).await, rules(aws, OURS).await), (None, vec!["mine".to_owned()]));
    assert_eq!(tags(aws, OURS).await, BTreeMap::new());
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());

    // Nothing says that it was ours: the next deploy is told how to use it, and can.
    let refused = project.plan(DEPLOY).await.expect_err("nobody's");
    assert!(refused.contains("E203") && refused.contains("`opsctl deploy --adopt`"), "{refused}");
    project.succeed(ADOPT).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    project.succeed(DESTROY).await;
    assert_eq!(keys(aws, OURS).await, ["notebooks/mine.ipynb", "precious/thesis.pdf"]);
    sandbox.stop().await;
}

/// What came after the plan was not agreed to.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_comes_after_the_plan_stops_the_deletion() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let plan = project.plan(DESTROY).await.expect("planned");
    assert_eq!(plan.steps.last().expect("a step").op, Op::Delete);
    put(&project.world.aws, OURS, "late.txt", "just now").await;
    let outcome = opsctl::engine::execute(&plan, &project.registry, &project.world).await;
    let [(target, error)] = outcome.failed.as_slice() else { panic!("{:?}", outcome.failed) };
    assert_eq!((target.to_string().as_str(), error.code().as_str()), ("bucket/main", "E216"));
    assert_eq!(keys(&project.world.aws, OURS).await, ["late.txt"]);
    sandbox.stop().await;
}

/// A log group on which nobody has set anything is in nobody's way, and deleted by nobody. One
/// that somebody has set up is somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_that_came_back_by_itself_is_adopted_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    let logs = &project.world.aws.logs;
    let group = "/aws/lambda/digits-dev-classify";
    for again in [false, true] {
        if !again {
            logs.create_log_group().log_group_name(group).send().await.expect("as AWS does");
        }
        let steps = project.steps(DEPLOY).await;
        assert!(steps.contains(&"update log-group/function-classify".to_owned()), "{steps:?}");
        project.succeed(DEPLOY).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
        project.succeed(DESTROY).await;
    }
    let found = logs.describe_log_groups().log_group_name_prefix(group).send().await.expect("listed");
    assert_eq!(found.log_groups().len(), 1, "it was there before");
    logs.put_retention_policy().log_group_name(group).retention_in_days(400).send().await.expect("put");
    let refused = project.plan(DEPLOY).await.expect_err("it is somebody's");
    assert!(refused.contains("E203"), "{refused}");
    sandbox.stop().await;
}

/// Roles that an administrator has made, and a log group that Lambda has made, keep all that is theirs.
#[tokio::test(flavor = "multi_thread")]
async fn adopted_roles_and_log_groups_are_released() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    let (iam, logs) = (&project.world.aws.iam, &project.world.aws.logs);
    let role = "digits-dev-training-numbers-us-east-1";
    let theirs = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Admin", "Effect": "Allow", "Principal": { "Service": "glue.amazonaws.com" },
        "Action": "sts:AssumeRole",
    }] });
    let allow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" },
    ] });
    let call = iam.create_role().role_name(role).path("/opsctl/digits/dev/");
    call.assume_role_policy_document(theirs.to_string()).send().await.expect("made");
    let call = iam.put_role_policy().role_name(role).policy_name("theirs");
    call.policy_document(allow.to_string()).send().await.expect("put");
    let group = "/aws/lambda/digits-dev-classify";
    logs.create_log_group().log_group_name(group).send().await.expect("made");

    project.succeed(ADOPT).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let listed = iam.list_role_policies().role_name(role).send().await.expect("listed");
    assert_eq!(listed.policy_names(), ["opsctl", "theirs"]);
    let groups = || async {
        let found = logs.describe_log_groups().log_group_name_prefix(group).send().await.expect("listed");
        found.log_groups().iter().map(|g| g.retention_in_days()).collect::<Vec<_>>()
    };
    assert_eq!(groups().await, [None], "their log keeps its length");

    project.succeed(DESTROY).await;
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());
    let listed = iam.list_role_policies().role_name(role).send().await.expect("listed");
    assert_eq!(listed.policy_names(), ["theirs"]);
    let found = iam.get_role().role_name(role).send().await.expect("there").role.expect("a role");
    let text = found.assume_role_policy_document().expect("a document");
    let trust: Value =
        serde_json::from_str(&percent_encoding::percent_decode_str(text).decode_utf8_lossy()).expect("JSON");
    assert!(opsctl_iam::same(&trust, &theirs), "{trust}");
    assert!(found.tags().is_empty());
    assert_eq!(groups().await, [None]);
    sandbox.stop().await;
}

/// What opsctl would put into an adopted whole, and somebody else has made under the same name: refused
/// before a write, whatever it is, until it is out of the way.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_under_a_name_of_ours_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = in_their_bucket(&sandbox).await;
    let aws = &project.world.aws;
    aws.s3.create_bucket().bucket(THEIRS).send().await.expect("made");
    let statement = json!({
        "Sid": "OpsctlDenyWithoutTls", "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{THEIRS}/*"),
    });
    let their_policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    aws.s3.put_bucket_policy().bucket(THEIRS).policy(their_policy.to_string()).send().await.expect("put");
    let rule = |status| {
        let rule = LifecycleRule::builder().id("opsctl").status(status);
        let rule = rule.filter(LifecycleRuleFilter::builder().prefix("mine/").build());
        rule.expiration(LifecycleExpiration::builder().days(3650).build()).build().expect("complete")
    };
    // One that is switched off is somebody's too.
    let theirs = BucketLifecycleConfiguration::builder().rules(rule(ExpirationStatus::Disabled)).build();
    let call = aws.s3.put_bucket_lifecycle_configuration().bucket(THEIRS);
    call.lifecycle_configuration(theirs.expect("complete")).send().await.expect("put");
    let role = "digits-dev-instance-numbers-on-ec2-us-east-1";
    let their_trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Opsctl", "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "glue.amazonaws.com" },
    }] });
    let call = aws.iam.create_role().role_name(role).path("/opsctl/digits/dev/");
    call.assume_role_policy_document(their_trust.to_string()).send().await.expect("made");
    let allow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" },
    ] });
    let call = aws.iam.put_role_policy().role_name(role).policy_name("opsctl");
    call.policy_document(allow.to_string()).send().await.expect("put");
    aws.iam.create_instance_profile().instance_profile_name(role).send().await.expect("made");

    let refused = project.plan(ADOPT).await.expect_err("theirs would be overwritten");
    for taken in [
        "the statement `OpsctlDenyWithoutTls` of its policy",
        "the lifecycle rule `opsctl`",
        "the inline policy `opsctl`",
        "the statement `Opsctl` of its trust policy",
        "the instance profile of its name",
    ] {
        assert!(refused.contains("E203") && refused.contains(taken), "{taken}: {refused}");
    }
    // Moved out of the way. What we use in our own bucket is anybody's name in theirs.
    aws.s3.delete_bucket_lifecycle().bucket(THEIRS).send().await.expect("deleted");
    let mut renamed = their_policy;
    renamed["Statement"][0]["Sid"] = "DenyWithoutTls".into();
    aws.s3.put_bucket_policy().bucket(THEIRS).policy(renamed.to_string()).send().await.expect("put");
    aws.iam.delete_role_policy().role_name(role).policy_name("opsctl").send().await.expect("deleted");
    aws.iam.delete_instance_profile().instance_profile_name(role).send().await.expect("deleted");
    let mut trust = their_trust;
    trust["Statement"][0]["Sid"] = "Glue".into();
    let call = aws.iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string());
    call.send().await.expect("put");
    project.succeed(ADOPT).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    project.succeed(DESTROY).await;
    let left = policy(aws, THEIRS).await.expect("theirs");
    assert!(opsctl_iam::same(&left, &renamed), "theirs is there, and ours is gone: {left}");
    sandbox.stop().await;
}

/// Our own statement under another name is nobody's to be counted on: ours is put beside it, and taken out.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_ours_that_was_renamed_is_put_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = in_their_bucket(&sandbox).await;
    let aws = &project.world.aws;
    aws.s3.create_bucket().bucket(THEIRS).send().await.expect("made");
    project.succeed(ADOPT).await;
    let mut renamed = policy(aws, THEIRS).await.expect("ours");
    renamed["Statement"][0]["Sid"] = "Renamed".into();
    aws.s3.put_bucket_policy().bucket(THEIRS).policy(renamed.to_string()).send().await.expect("put");
    assert_eq!(project.steps(DEPLOY).await, ["update bucket/main"]);
    project.succeed(DEPLOY).await;
    project.succeed(DESTROY).await;
    let left = policy(aws, THEIRS).await.expect("the renamed one");
    assert!(opsctl_iam::same(&left, &renamed), "{left}");
    sandbox.stop().await;
}

/// Half of our tags are no other project's: the plan says so, and `--adopt` puts them back.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_lost_a_tag_is_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let role = "digits-dev-training-numbers-us-east-1";
    aws.iam.untag_role().role_name(role).tag_keys("opsctl:environment").send().await.expect("untagged");
    let refused = project.plan(DEPLOY).await.expect_err("whose is it?");
    assert!(refused.contains("digits/?") && refused.contains("`opsctl deploy --adopt`"), "{refused}");
    let plan = project.plan(ADOPT).await.expect("it is no other project's");
    assert!(
        plan.steps[0].why[0].starts_with("owner: digits/?, as far as its tags say -> digits/dev"),
        "{plan:?}"
    );
    project.succeed(ADOPT).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    // The other half is another project's.
    aws.iam.untag_role().role_name(role).tag_keys("opsctl:environment").send().await.expect("untagged");
    let other =
        aws_sdk_iam::types::Tag::builder().key("opsctl:project").value("other").build().expect("complete");
    aws.iam.tag_role().role_name(role).tags(other).send().await.expect("tagged");
    let refused = project.plan(ADOPT).await.expect_err("another project's");
    assert!(refused.contains("belongs to other/?"), "{refused}");
    sandbox.stop().await;
}

/// Everything of our names is somebody else's: no command uses it or shows it as ours.
#[test]
fn no_command_takes_a_strangers_for_ours() {
    let world = World::shipped().sandbox();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let sandbox = sandbox(&world.sandbox_folder()).await;
        let project = Project::open(&sandbox).await;
        project.succeed(DEPLOY).await;
        let aws = &project.world.aws;
        aws.s3.delete_bucket_tagging().bucket(OURS).send().await.expect("untagged");
        let lambda =
            aws.lambda.get_function().function_name("digits-dev-classify").send().await.expect("there");
        let arn = lambda.configuration().and_then(|c| c.function_arn()).expect("an ARN").to_owned();
        let call = aws.lambda.untag_resource().resource(arn);
        let keys = ["opsctl:project", "opsctl:environment", "opsctl:resource"];
        call.set_tag_keys(Some(keys.map(str::to_owned).to_vec())).send().await.expect("untagged");
        for resource in ["endpoint/digits-dev-numbers", "notebook-instance/digits-dev-lab"] {
            let arn = format!("arn:aws:sagemaker:us-east-1:123456789012:{resource}");
            let call = aws.sagemaker.delete_tags().resource_arn(arn);
            call.set_tag_keys(Some(keys.map(str::to_owned).to_vec())).send().await.expect("untagged");
        }
        sandbox.stop().await;
    });
    let beside = Beside::start(&world, &[]);
    let run = |args: &[&str]| world.run(["-c", "config/opsctl.toml"].into_iter().chain(args.iter().copied()));
    for (args, thing) in [
        (&["invoke", "--payload", "{}"][..], "function `digits-dev-classify`"),
        (&["invoke", "--endpoint", "numbers", "--payload", "{}"], "endpoint `digits-dev-numbers`"),
        (&["logs", "function/classify"], "function `digits-dev-classify`"),
        (&["notebook", "stop"], "notebook `digits-dev-lab`"),
        (&["notebook", "url"], "notebook `digits-dev-lab`"),
        (&["model", "pull", "numbers"], "bucket `digits-dev-123456789012-us-east-1`"),
        (&["data", "pull"], "bucket `digits-dev-123456789012-us-east-1`"),
    ] {
        let ran = run(args).ended(1).says("E203").says(thing);
        let _ = ran.says("not this project's: its tags name nobody");
    }
    // The function is ours again; what is behind it is not, nor is its log group.
    beside.with("us-east-1", async |aws| {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:digits-dev-classify";
        let tags = [("project", "digits"), ("environment", "dev"), ("resource", "function/classify")];
        let tags = tags.map(|(key, value)| (format!("opsctl:{key}"), value.to_owned()));
        let call = aws.lambda.tag_resource().resource(arn);
        call.set_tags(Some(tags.into_iter().collect())).send().await.expect("tagged");
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/digits-dev-classify";
        let call = aws.logs.tag_resource().resource_arn(arn);
        call.tags("opsctl:project", "other").send().await.expect("tagged");
    });
    let ran = run(&["invoke", "--payload", "{}"]).ended(1).says("E203");
    let _ = ran.says("endpoint `digits-dev-numbers` is not this project's");
    let ran = run(&["logs", "function/classify"]).ended(1).says("E203");
    let _ = ran.says("/aws/lambda/digits-dev-classify` is not this project's: its tags name other/dev");
    for call in ["lambda:Invoke", "sagemaker:StopNotebookInstance", "sagemaker:InvokeEndpoint"] {
        assert_eq!(beside.count(call), 0, "{call}");
    }
    let status = run(&["status", "-o", "json"]).success().json();
    let strangers: Vec<&Value> = status["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|resource| resource["ours"] == false)
        .collect();
    // With what is on them, or in them.
    let word = |it: &Value, key: &str| it[key].as_str().expect("a text").to_owned();
    let mut names: Vec<String> =
        strangers.iter().map(|it| format!("{}/{}", word(it, "kind"), word(it, "name"))).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "autoscaling/numbers",
            "bucket/main",
            "data/digits",
            "endpoint/numbers",
            "log-group/function-classify",
            "notebook/lab"
        ]
    );
    assert!(strangers.iter().all(|it| it["ready"] == false), "{strangers:?}");
    let _ = run(&["status"]).success().says("InService, not this project's: nobody");
}

/// Their names beside ours, which is not there yet: nothing is made, and nothing of theirs overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_in_the_way_of_a_create_is_refused_before_a_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    let aws = &project.world.aws;
    let role = "digits-dev-instance-numbers-on-ec2-us-east-1";
    aws.iam.create_instance_profile().instance_profile_name(role).send().await.expect("made");
    let hook = aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook::builder().content("bHM=").build();
    let call = aws.sagemaker.create_notebook_instance_lifecycle_config().on_start(hook);
    call.notebook_instance_lifecycle_config_name("digits-dev-lab").send().await.expect("made");
    for mode in [DEPLOY, ADOPT] {
        let refused = project.plan(mode).await.expect_err("theirs is in the way");
        for what in ["the instance profile of its name", "the lifecycle configuration of its name"] {
            assert!(refused.contains("E203") && refused.contains(what), "{what}: {refused}");
        }
    }
    assert_eq!(project.steps(DESTROY).await, Vec::<String>::new());
    aws.iam.delete_instance_profile().instance_profile_name(role).send().await.expect("deleted");
    let call = aws.sagemaker.delete_notebook_instance_lifecycle_config();
    call.notebook_instance_lifecycle_config_name("digits-dev-lab").send().await.expect("deleted");
    project.succeed(DEPLOY).await;

    // Ours, which has lost its tags, and gets them back.
    let untag = || aws.iam.untag_instance_profile().instance_profile_name(role);
    for keys in [&["opsctl:project"][..], &["opsctl:project", "opsctl:environment", "opsctl:resource"]] {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        untag().set_tag_keys(Some(keys)).send().await.expect("untagged");
        assert_eq!(project.steps(DEPLOY).await, ["update role/instance-numbers-on-ec2"]);
        project.succeed(DEPLOY).await;
        let found = aws.iam.get_instance_profile().instance_profile_name(role).send().await.expect("there");
        assert_eq!(found.instance_profile().map(|profile| profile.tags().len()), Some(3));
    }

    // Somebody else's in the place of ours.
    let take_out = || aws.iam.remove_role_from_instance_profile().instance_profile_name(role).role_name(role);
    take_out().send().await.expect("taken out");
    aws.iam.delete_instance_profile().instance_profile_name(role).send().await.expect("deleted");
    aws.iam.create_instance_profile().instance_profile_name(role).send().await.expect("made");
    let refused = project.plan(DEPLOY).await.expect_err("theirs");
    assert!(refused.contains("E203") && refused.contains("instance profile of its name"), "{refused}");
    aws.iam.delete_instance_profile().instance_profile_name(role).send().await.expect("deleted");
    assert_eq!(project.steps(DEPLOY).await, ["update role/instance-numbers-on-ec2"]);
    project.succeed(DEPLOY).await;

    // The role is gone, and its profile is left: the destroy deletes that too.
    take_out().send().await.expect("taken out");
    aws.iam.delete_role_policy().role_name(role).policy_name("opsctl").send().await.expect("deleted");
    aws.iam.delete_role().role_name(role).send().await.expect("deleted");
    project.succeed(DESTROY).await;
    assert!(aws.iam.get_instance_profile().instance_profile_name(role).send().await.is_err());
    sandbox.stop().await;
}

/// A destroy says of what it leaves what is so: that its tags are gone, and how it goes with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_destroy_says_why_something_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let untag = |role: &'static str, keys: &[&str]| {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        aws.iam.untag_role().role_name(role).set_tag_keys(Some(keys)).send()
    };
    untag("digits-dev-training-numbers-us-east-1", &["opsctl:environment"]).await.expect("untagged");
    untag("digits-dev-notebook-lab-us-east-1", &["opsctl:project", "opsctl:environment"])
        .await
        .expect("untagged");
    let plan = project.plan(DESTROY).await.expect("planned");
    let why = |id: &str| {
        let foreign = plan.foreign.iter().find(|foreign| foreign.target.to_string() == id);
        foreign.expect("it stays").why(&plan.scope)
    };
    let tags = |role: &str| {
        format!(
            "give it `opsctl:environment=dev`, `opsctl:project=digits`, `opsctl:resource=role/{role}`, and \
             `opsctl destroy` deletes it"
        )
    };
    let partly = why("role/training-numbers");
    assert!(partly.starts_with("it has lost tags of opsctl's"), "{partly}");
    assert!(partly.ends_with(&tags("training-numbers")), "{partly}");
    let nobody = why("role/notebook-lab");
    assert!(nobody.starts_with("it has the name, but no tags"), "{nobody}");
    assert!(nobody.ends_with(&tags("notebook-lab")), "{nobody}");
    sandbox.stop().await;
}
