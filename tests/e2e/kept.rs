//! What a destroy finds without its whole, and what it leaves to whom it leaves.

use std::time::Duration;

use opsctl::aws::SdkResultExt;
use opsctl::config::Document;
use opsctl::cost::{self, Prices};
use opsctl::domain::{Money, action};
use opsctl::engine::{OpCx, Probe};
use opsctl::plan::Mode;
use serde_json::Value;

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};
use crate::support::{Beside, World};

const TAGS: [&str; 3] = ["opsctl:project", "opsctl:environment", "opsctl:resource"];

/// The shipped project's name, and nothing else.
async fn bare(sandbox: &opsctl_sandbox::Sandbox, folder: &std::path::Path) -> Project {
    let text = "[project]\nname = \"digits\"\nregion = \"us-east-1\"\n".to_owned();
    let document = Document::parse(&folder.join("opsctl.toml"), text).expect("TOML");
    Project::of(sandbox, &document).await
}

/// Also what is made with a notebook or a role, when that was deleted by hand and has left the config.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_what_is_gone_goes_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let exact = |text: String| text.replace("[notebook.lab]", "[notebook.lab]\nname = \"Lab\"");
    let project = Project::edited(&sandbox, exact).await;
    project.succeed(DEPLOY).await;
    let (sagemaker, iam) = (&project.world.aws.sagemaker, &project.world.aws.iam);
    sagemaker.stop_notebook_instance().notebook_instance_name("Lab").send().await.expect("stopped");
    let cx = OpCx::new(&project.world, project.desired.nodes[0].id.clone());
    cx.wait("gone", Duration::from_secs(1), Duration::from_secs(60), || async {
        let deleted = sagemaker.delete_notebook_instance().notebook_instance_name("Lab").send().await;
        let _ = deleted.op(action::sagemaker::DeleteNotebookInstance);
        let found = sagemaker.describe_notebook_instance().notebook_instance_name("Lab").send().await;
        Ok(if found.is_err() { Probe::Ready(()) } else { Probe::Pending("there".into()) })
    })
    .await
    .expect("gone");
    let role = "digits-dev-instance-numbers-on-ec2-us-east-1";
    let call = iam.remove_role_from_instance_profile().instance_profile_name(role).role_name(role);
    call.send().await.expect("taken out");
    iam.delete_role_policy().role_name(role).policy_name("opsctl").send().await.expect("deleted");
    iam.delete_role().role_name(role).send().await.expect("deleted");

    let bare = bare(&sandbox, folder.path()).await;
    let plan = bare.plan(DESTROY).await.expect("planned");
    let goes = |name: &str| plan.steps.iter().any(|step| step.physical == name);
    assert!(goes("Lab") && goes(role), "{plan:?}");
    bare.succeed(DESTROY).await;
    let scripts = sagemaker.list_notebook_instance_lifecycle_configs().send().await.expect("a list");
    assert_eq!(scripts.notebook_instance_lifecycle_configs(), []);
    let profiles = iam.list_instance_profiles().send().await.expect("a list");
    assert_eq!(profiles.instance_profiles(), []);
    sandbox.stop().await;
}

/// Tags get lost: an endpoint that has none is at work all the same, and what it uses stays under it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_keeps_what_it_uses() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let (sagemaker, s3) = (&project.world.aws.sagemaker, &project.world.aws.s3);
    let arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/digits-dev-numbers";
    let keys = TAGS.map(str::to_owned).to_vec();
    sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys)).send().await.expect("untagged");
    project.succeed(DESTROY).await;
    let endpoint = sagemaker.describe_endpoint().endpoint_name("digits-dev-numbers").send().await;
    let config = endpoint.expect("it stays").endpoint_config_name.expect("it has one");
    let config = sagemaker.describe_endpoint_config().endpoint_config_name(config).send().await;
    let model = config.expect("it stays").production_variants()[0].model_name.clone().expect("a model");
    sagemaker.describe_model().model_name(model).send().await.expect("it stays");
    let role = "digits-dev-endpoint-numbers-us-east-1";
    project.world.aws.iam.get_role().role_name(role).send().await.expect("it stays");
    s3.head_bucket().bucket(crate::strangers::OURS).send().await.expect("it stays");
    let lab = sagemaker.describe_notebook_instance().notebook_instance_name("digits-dev-lab").send().await;
    assert!(lab.is_err(), "nobody uses that");
    let plan = project.plan(DESTROY).await.expect("planned");
    assert!(plan.is_empty(), "{plan:?}");
    let user = plan.foreign.iter().find(|foreign| foreign.target.to_string() == "bucket/main");
    let user = user.and_then(|bucket| bucket.used_by.as_ref()).expect("it is said for whom");
    assert_eq!(user.to_string(), "endpoint/numbers");

    // With its tags all of it goes.
    let tag =
        |(key, value): (&str, &str)| aws_sdk_sagemaker::types::Tag::builder().key(key).value(value).build();
    let tags = TAGS.into_iter().zip(["digits", "dev", "endpoint/numbers"]).map(tag).collect();
    sagemaker.add_tags().resource_arn(arn).set_tags(Some(tags)).send().await.expect("tagged");
    project.succeed(DESTROY).await;
    assert!(project.plan(DESTROY).await.expect("planned").foreign.is_empty());
    assert!(s3.head_bucket().bucket(crate::strangers::OURS).send().await.is_err());
    sandbox.stop().await;
}

/// Also where the section has left the config: AWS says what it uses.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_config_and_has_no_tags_keeps_what_it_uses() {
    keeps_what_it_uses(["digits-dev-numbers", "digits-dev-lab", "digits-dev-classify"], str::to_owned).await;
}

/// A name that the config had fixed is in no list then, but in the name of its log group and in its role.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_config_and_has_no_tags_is_found_by_its_exact_name() {
    let exact = |text: &str| {
        let named = [("endpoint.numbers", "Numbers"), ("notebook.lab", "Lab"), ("function.classify", "Sort")];
        named.into_iter().fold(text.to_owned(), |text, (section, name)| {
            let section = format!("\n[{section}]");
            assert!(text.contains(&section));
            text.replacen(&section, &format!("{section}\nname = \"{name}\" #"), 1)
        })
    };
    keeps_what_it_uses(["Numbers", "Lab", "Sort"], exact).await;
}

/// The names of the endpoint, the notebook and the function.
async fn keeps_what_it_uses([endpoint_name, notebook, function]: [&str; 3], edit: fn(&str) -> String) {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::edited(&sandbox, |text| edit(&text)).await;
    project.succeed(DEPLOY).await;
    let (aws, keys) = (&project.world.aws, TAGS.map(str::to_owned).to_vec());
    for arn in [format!("endpoint/{endpoint_name}"), format!("notebook-instance/{notebook}")] {
        let arn = format!("arn:aws:sagemaker:us-east-1:123456789012:{arn}").to_lowercase();
        let untag = aws.sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys.clone()));
        untag.send().await.expect("untagged");
    }
    let function = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
    let untag = aws.lambda.untag_resource().resource(function).set_tag_keys(Some(keys.clone()));
    untag.send().await.expect("untagged");

    let bare = bare(&sandbox, folder.path()).await;
    bare.succeed(Mode::Deploy { prune: true, adopt: false }).await;
    for _ in 0..2 {
        let endpoint = aws.sagemaker.describe_endpoint().endpoint_name(endpoint_name).send().await;
        let config = endpoint.expect("it stays").endpoint_config_name.expect("it has one");
        let config = aws.sagemaker.describe_endpoint_config().endpoint_config_name(config).send().await;
        let model = config.expect("it stays").production_variants()[0].model_name.clone().expect("a model");
        aws.sagemaker.describe_model().model_name(model).send().await.expect("it stays");
        for user in ["endpoint-numbers", "notebook-lab", "function-classify"] {
            let role = format!("digits-dev-{user}-us-east-1");
            aws.iam.get_role().role_name(role).send().await.expect("it stays");
        }
        aws.s3.head_bucket().bucket(crate::strangers::OURS).send().await.expect("it stays");
        let scaling = aws.autoscaling.describe_scalable_targets().service_namespace("sagemaker".into());
        assert_eq!(scaling.send().await.expect("a list").scalable_targets().len(), 1, "it stays");
        bare.succeed(DESTROY).await;
    }
    let plan = bare.plan(DESTROY).await.expect("planned");
    assert!(plan.is_empty(), "{plan:?}");
    let used_by = |name: &str| {
        let it = plan.foreign.iter().find(|it| it.physical == name).expect("it is said");
        it.used_by.as_ref().map(ToString::to_string)
    };
    assert_eq!(used_by(endpoint_name), None);
    assert_eq!(
        used_by("digits-dev-notebook-lab-us-east-1").as_deref(),
        Some(format!("notebook/{notebook}").as_str())
    );
    // Nothing that serves was trained there.
    let role = "digits-dev-instance-numbers-on-ec2-us-east-1";
    let role = aws.iam.get_role().role_name(role).send().await;
    assert!(role.is_err(), "nobody uses it");
    sandbox.stop().await;
}

/// A script that tears down each night reads this.
#[test]
fn what_is_kept_is_said_with_its_price() {
    let world = World::shipped().sandbox();
    let served = Beside::start(&world, &[]);
    let _ = world.run(["deploy", "--yes"]).success();
    served.with("us-east-1", async |aws| {
        let function = "arn:aws:lambda:us-east-1:123456789012:function:digits-dev-classify";
        let keys = TAGS.map(str::to_owned).to_vec();
        let untag = aws.lambda.untag_resource().resource(function).set_tag_keys(Some(keys));
        untag.send().await.expect("untagged");
    });
    let until = "until `opsctl --sandbox destroy` when function/classify has its tags again, or is gone";
    let ran = world.run(["destroy", "--yes"]).says("endpoint/numbers `digits-dev-numbers` stays");
    let said = format!("{}{}", ran.stdout, ran.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(until) && said.contains("What stays costs 0."), "{ran}");
    let ran = world.run(["destroy", "--yes", "-o", "json"]);
    let kept: Vec<Value> = ran.events().into_iter().filter(|event| event["event"] == "kept").collect();
    let find = |id: &str| kept.iter().find(|event| event["target"] == id);
    let of = |id: &str| find(id).unwrap_or_else(|| panic!("{id}: {ran}"));
    assert_eq!(of("endpoint/numbers")["used_by"], "function/classify");
    assert_eq!(of("autoscaling/numbers")["used_by"], "function/classify");
    assert_eq!(of("function/classify")["used_by"], Value::Null);
}

/// What is kept is kept with its parts, and one that scales itself does so as before.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_keeps_its_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let function = "arn:aws:lambda:us-east-1:123456789012:function:digits-dev-classify";
    let keys = TAGS.map(str::to_owned).to_vec();
    let untag = aws.lambda.untag_resource().resource(function).set_tag_keys(Some(keys));
    untag.send().await.expect("untagged");
    let plan = project.plan(DESTROY).await.expect("planned");
    let kept = plan.foreign.iter().find(|it| it.target.to_string() == "autoscaling/numbers");
    let user = kept.and_then(|it| it.used_by.as_ref()).expect("it stays with its endpoint");
    assert_eq!(user.to_string(), "function/classify");
    project.succeed(DESTROY).await;
    let scaling = aws.autoscaling.describe_scalable_targets().service_namespace("sagemaker".into());
    assert_eq!(scaling.send().await.expect("a list").scalable_targets().len(), 1, "it stays");
    sandbox.stop().await;
}

/// A pipeline that tears an environment down must not take for gone what is not.
#[test]
fn what_a_destroy_leaves_of_ours_is_no_success() {
    let lab = "[project]\nname = \"lab\"\nregion = \"us-east-1\"\n\
               [notebook.lab]\ninstance_type = \"ml.t3.xlarge\"\n";
    let world = World::with_config(lab).sandbox();
    let served = Beside::start(&world, &[]);
    world.run(["deploy", "--yes"]).success();
    let arn = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/lab-dev-lab";
    let untag = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        served.with("us-east-1", async |aws| {
            aws.sagemaker
                .delete_tags()
                .resource_arn(arn)
                .set_tag_keys(Some(keys))
                .send()
                .await
                .expect("untagged");
        });
    };
    // One of three tags, then all: the first is seen to be this project's, the others have its name.
    for (keys, left) in [(&TAGS[2..], "notebook/lab"), (&TAGS[..2], "role/notebook-lab")] {
        untag(keys);
        world.run(["destroy", "--dry-run"]).success().says(&format!("{left} `"));
        let ran =
            world.run(["destroy", "--yes"]).ended(1).says("error[E203]: not all of lab / dev is gone: ");
        ran.says(left).says("bucket/main").does_not_say("Nothing is left");
        let ran = world.run(["destroy", "--yes", "-o", "json"]).ended(1);
        assert_eq!(ran.finished()["result"], "failed");
        let told = ran.events().into_iter().find(|event| event["event"] == "error").expect("it is told");
        assert_eq!((&told["error"]["code"], &told["error"]["retryable"]), (&"E203".into(), &false.into()));
    }
    let tag =
        |(key, value): (&str, &str)| aws_sdk_sagemaker::types::Tag::builder().key(key).value(value).build();
    served.with("us-east-1", async |aws| {
        let tags = TAGS.into_iter().zip(["lab", "dev", "notebook/lab"]).map(tag).collect();
        aws.sagemaker.add_tags().resource_arn(arn).set_tags(Some(tags)).send().await.expect("tagged");
    });
    world.run(["destroy", "--yes"]).success().says("Nothing is left of lab / dev");
}

/// What left the config is billed as before, with what is on it.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_config_costs_what_it_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let dollar = |item| (item, Money::dollars(1));
    let items = [
        "hosting/ml.m5.large",
        "hosting/ml.c5.large",
        "notebook/ml.t3.xlarge",
        "lambda/provisioned-x86_64",
        "lambda/provisioned-arm64",
        "storage/ml",
        "storage/s3",
    ];
    let prices = Prices::given("us-east-1", "2026-10-05", items.map(dollar));
    let bill = async |project: &Project| {
        let have = project.observe().await.expect("readable");
        cost::live(&project.desired, &have, &project.kinds, &prices)
    };
    let (before, bare) = (bill(&project).await, bare(&sandbox, folder.path()).await);
    let after = bill(&bare).await;
    assert!(before.most().per_hour() > before.now().per_hour());
    assert_eq!((after.now(), after.idle(), after.most()), (before.now(), before.idle(), before.most()));
    assert_eq!(after.unknown(), Vec::<&str>::new());
    // A plan says which of it that is.
    let plan = bare.plan(DEPLOY).await.expect("planned");
    let bills = plan.leftovers.iter().filter(|left| left.bills).map(|left| left.id.to_string());
    let expected = ["endpoint/digits-dev-numbers", "function/digits-dev-classify", "notebook/digits-dev-lab"];
    let mut bills: Vec<String> = bills.collect();
    bills.sort();
    assert_eq!(bills, expected);
    // What cannot be read of it is in no sum.
    let rule = "fail=AccessDeniedException@lambda:GetProvisionedConcurrencyConfig#1x0";
    sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
    let denied = bill(&bare).await;
    assert!(!denied.unknown().is_empty(), "{denied:?}");
    sandbox.stop().await;
}

const LAB: &str = "[project]\nname = \"small\"\nregion = \"us-east-1\"\n[notebook.n]\nname = \"lab-exact\"\n";

/// The commands that are named for it do what they say.
#[test]
fn what_had_a_name_of_its_own_is_found_by_it() {
    let world = World::with_config(LAB).sandbox();
    let beside = Beside::start(&world, &[]);
    world.run(["deploy", "--yes"]).success();
    // Without its tags it keeps its role, and a destroy does not say that nothing is left.
    let tag = async |aws: opsctl::aws::Clients, on: bool| {
        let arn = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/lab-exact";
        if !on {
            let keys = TAGS.map(str::to_owned).to_vec();
            let call = aws.sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys));
            call.send().await.expect("untagged");
            return;
        }
        let tag = |(key, value): (&str, &str)| {
            aws_sdk_sagemaker::types::Tag::builder().key(key).value(value).build()
        };
        let tags = TAGS.into_iter().zip(["small", "dev", "notebook/n"]).map(tag).collect();
        aws.sagemaker.add_tags().resource_arn(arn).set_tags(Some(tags)).send().await.expect("tagged");
    };
    beside.with("us-east-1", async |aws| tag(aws, false).await);
    let destroyed = world.run(["destroy", "--yes"]).ended(1).does_not_say("Nothing is left");
    let destroyed = destroyed.says("notebook/n `lab-exact` stays");
    let _ =
        destroyed.says("role/notebook-n `small-dev-notebook-n-us-east-1` stays: notebook/n stays and may");
    // What has left the config too keeps its role, with --prune as without.
    let without = LAB.split_once("[notebook").expect("it is there").0;
    world.write("opsctl.toml", without);
    for options in [&["plan"][..], &["plan", "--prune"]] {
        let planned = world.run(options.iter().copied()).ended(0).does_not_say("--prune deletes them");
        planned.says("so it stays as it is:\n  notebook/").says("what stays may use it:\n  role/");
    }
    beside.with("us-east-1", async |aws| tag(aws, true).await);
    let stop = "stop notebook/lab-exact`";
    world.run(["plan"]).ended(0).says(stop);
    world.run(["stop", "notebook/lab-exact"]).success();
    world.run(["plan"]).ended(0).does_not_say(stop);
    world.run(["stop", "notebook/lab-exakt"]).ended(64).says("U303");
    // Its bucket is not to be seen for another one, which stays.
    beside.with("us-east-1", async |aws| {
        aws.s3.create_bucket().bucket("theirs").send().await.expect("made");
    });
    world.write("opsctl.toml", &format!("{without}[bucket]\nname = \"theirs\"\n"));
    let destroyed = world.run(["destroy", "--yes"]).success().says("Nothing else is left of small / dev");
    let _ = destroyed.says("bucket/main `theirs` stays");
}

/// A run for a part of the config is told of what it may leave behind, to people and to programs.
#[test]
fn an_earlier_job_that_cannot_be_read_is_told() {
    let config = "[project]\nname = \"lab\"\nregion = \"us-east-1\"\n[training.a]\nsource = \"src\"\n\
                  entry = \"train.py\"\nimage = \"pytorch-2.6\"\ninstance_type = \"ml.m5.large\"\n\
                  max_runtime = \"1h\"\n";
    let world = World::with_config(config).sandbox();
    world.write("src/train.py", "print(1)\n");
    let served = Beside::start(&world, &[]);
    world.run(["train", "--yes"]).success();
    world.write("src/train.py", "print(2)\n");
    world.run(["train", "--yes"]).success();
    let unread = || served.strike(&["fail=AccessDeniedException@sagemaker:DescribeTrainingJob#2x0"]);
    unread();
    let planned = world.run(["train", "--dry-run", "-o", "json"]).success();
    assert_eq!(planned.json()["unread"].as_array().map(Vec::len), Some(1), "{planned}");
    unread();
    let told = world.run(["train", "--yes", "-o", "json"]).success().says("could not be read");
    assert!(told.events().iter().any(|event| event["event"] == "unread"), "{told}");
    unread();
    world.run(["train", "--yes"]).success().says("could not be read, and may be of this project");
    served.strike(&[]);
}
