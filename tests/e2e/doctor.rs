//! `opsctl doctor`, and what a deploy looks at by itself: what would keep it from succeeding is found before
//! anything is made.

use opsctl_sandbox::Sandbox;
use opsctl_sandbox::faults::FaultRule;
use serde_json::{Value, json};

use crate::support::inside::{DEPLOY, Project, post, sandbox};
use crate::support::{Ran, World};

async fn run(url: &str, arguments: &[&str]) -> Ran {
    run_edited(url, |config| config, arguments).await
}

/// The same with another config.
async fn run_edited(url: &str, edited: fn(String) -> String, arguments: &[&str]) -> Ran {
    let (url, arguments) = (url.to_owned(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let run = move || {
        let world = World::shipped().credentials();
        world.write("config/opsctl.toml", &edited(world.read("config/opsctl.toml")));
        let fixed = ["--endpoint-url", &url, "-c", "config/opsctl.toml"];
        world.run(fixed.into_iter().chain(arguments.iter().map(String::as_str)))
    };
    tokio::task::spawn_blocking(run).await.expect("it ends")
}

/// The answers, by what they are about.
fn answers(ran: &Ran) -> Vec<(String, String)> {
    let document = ran.json();
    let text = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let checks = document["checks"].as_array().expect("a list").iter();
    checks.map(|check| (text(check, "check"), text(check, "result"))).collect()
}

fn is(answers: &[(String, String)], check: &str, result: &str) -> bool {
    answers.iter().any(|(name, found)| name == check && found == result)
}

/// What the sandbox's user may do, beside everything else.
async fn user(sandbox: &Sandbox, denied: &[Value]) {
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let statements: Vec<&Value> = std::iter::once(&all).chain(denied).collect();
    post(sandbox, "iam", &json!({ "user_policies": [{ "Statement": statements }] })).await;
}

const DOCTOR: [&str; 3] = ["doctor", "-o", "json"];
const STANDARD: &str = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let url = sandbox.endpoint_url().to_owned();
    let found = answers(&run(&url, &DOCTOR).await.success());
    for check in
        ["identity", "region", "clock", "permissions", "lambda concurrency", "default VPC", "image", "quota"]
    {
        assert!(is(&found, check, "ok"), "{check}: {found:?}");
    }
    run(&url, &["doctor"])
        .await
        .success()
        .says("by AWS_ACCESS_KEY_ID")
        .says("Nothing is in the way")
        .says("pytorch-inference:2.6.0")
        .says("ml.m5.large for endpoint usage: 1 of 20, 0 in use")
        .says(&format!("{STANDARD}: 4 of 32 vCPUs, 0 in use"));

    // A right is missing: it is named, with the resource.
    let denied = json!({ "Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*" });
    let passes = json!({ "Effect": "Deny", "Action": "iam:PassRole", "Resource": "*",
        "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } } });
    user(&sandbox, &[denied, passes]).await;
    let ran = run(&url, &["doctor"]).await.ended(1);
    let ran = ran.says("fails    permissions").says(
        "sagemaker:CreateEndpoint on arn:aws:sagemaker:us-east-1:123456789012:endpoint/digits-dev-numbers",
    );
    ran.says("iam:PassRole on arn:aws:iam::123456789012:role/opsctl/digits/dev/digits-dev-function-classify-us-east-1")
        .does_not_say("digits-dev-training-numbers-us-east-1")
        .says("policy deployer`");

    // A policy that is tighter than ours and right: of the bucket only what is used.
    let bucket = "arn:aws:s3:::digits-dev-123456789012-us-east-1";
    let objects = |folder: &str| format!("{bucket}/{folder}/*");
    let used = ["data", "code", "training", "instances", "models", ".opsctl"].map(objects);
    let manifest = format!("{bucket}/data/numbers.opsctl-manifest.json");
    let used: Vec<String> = used.into_iter().chain([bucket.to_owned(), manifest]).collect();
    let s3 = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": used });
    let rest = json!({ "Effect": "Allow", "NotAction": "s3:*", "Resource": "*" });
    let list = json!({ "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" });
    post(&sandbox, "iam", &json!({ "user_policies": [{ "Statement": [s3, rest, list] }] })).await;
    assert!(is(&answers(&run(&url, &DOCTOR).await.success()), "permissions", "ok"));

    // What depends on more than the simulator is told is unknown.
    let mfa = json!({ "Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*",
        "Condition": { "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } } });
    user(&sandbox, &[mfa]).await;
    run(&url, &["doctor"])
        .await
        .success()
        .says("unknown  permissions")
        .says("depends on aws:MultiFactorAuthPresent");

    // What could not be asked is unknown, and no yes.
    for (refused, check) in [
        ("iam:SimulatePrincipalPolicy", "permissions"),
        ("servicequotas:ListServiceQuotas", "quota"),
        ("ecr:BatchGetImage", "image"),
    ] {
        let rule: FaultRule = format!("fail=AccessDenied@{refused}#1x0").parse().expect("a rule");
        sandbox.state().faults.extend(vec![rule]);
        let found = answers(&run(&url, &DOCTOR).await.success());
        assert!(is(&found, check, "unknown"), "{found:?}");
        sandbox.state().faults.clear();
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_cannot_succeed_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let url = sandbox.endpoint_url().to_owned();
    let deploy = ["deploy", "--yes"];
    // An account as AWS gives it to beginners: all that is missing is said at once.
    post(&sandbox, "quotas", &json!({ "L-B99A9384": 10 })).await;
    let found = answers(&run(&url, &DOCTOR).await.ended(1));
    assert!(is(&found, "lambda concurrency", "fails"), "{found:?}");
    post(&sandbox, "quotas", &json!({ "account": "fresh", "L-1216C47A": 1 })).await;
    run(&url, &["doctor"])
        .await
        .ended(1)
        .says("ml.m5.xlarge for training job usage: the config needs 1, the account may have 0")
        .says("L-CCE2AFA6");
    run(&url, &deploy)
        .await
        .ended(9)
        .says("E250")
        .says("L-B99A9384")
        .says("L-CCE2AFA6")
        .says(&format!("{STANDARD}: the config needs 4 vCPUs, the account may have 1"))
        .says("nothing was changed");
    post(&sandbox, "quotas", &json!({ "account": "granted", "L-B99A9384": 1000, "L-1216C47A": 32 })).await;

    let image = "pytorch-training:2.6.0-cpu-py312";
    post(&sandbox, "ecr", &json!({ "missing": [image] })).await;
    run(&url, &deploy).await.ended(9).says("E250").says("there is no image pytorch-training:2.6.0-cpu");
    // A whole repository that is missing is one that an emulator does not play.
    post(&sandbox, "ecr", &json!({ "missing": ["pytorch-training"] })).await;
    assert!(is(&answers(&run(&url, &DOCTOR).await), "image", "unknown"));
    post(&sandbox, "ecr", &json!({ "missing": [] })).await;

    let denied = json!({ "Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*" });
    user(&sandbox, &[denied]).await;
    run(&url, &deploy).await.ended(4).says("E252").says("sagemaker:CreateEndpoint on arn:");
    // Nor what AWS checks beside its calls.
    let denied = json!({ "Effect": "Deny", "Action": "lambda:GetLayerVersion", "Resource": "*" });
    user(&sandbox, &[denied]).await;
    let layered = |config: String| {
        let layers = "layers = [\"arn:aws:lambda:us-east-1:999999999999:layer:pillow:3\"]";
        config
            .replace("[function.classify.environment]", &format!("{layers}\n[function.classify.environment]"))
    };
    run_edited(&url, layered, &deploy).await.ended(4).says("E252").says("lambda:GetLayerVersion on arn:");
    // What is not needed to make anything may be denied.
    let stops = ["sagemaker:StopTrainingJob", "sagemaker:Delete*"];
    let stop = json!({ "Effect": "Deny", "Action": stops, "Resource": "*" });
    user(&sandbox, &[stop]).await;
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0);

    // Nobody there knows the account's keys, and that is why.
    post(&sandbox, "regions", &json!({ "off": ["me-south-1"] })).await;
    run(&url, &["--region", "me-south-1", "deploy", "--yes"]).await.ended(4).says("E251").says("me-south-1");
    run(&url, &["--region", "me-central-1", "plan"]).await.success();

    // What the account has in use is beside what it may have; it may be the project's own.
    user(&sandbox, &[]).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    run(&url, &["doctor"]).await.success().says("ml.m5.large for endpoint usage: 1 of 20, 1 in use");
    post(&sandbox, "quotas", &json!({ "L-614B09FD": 1 })).await;
    run(&url, &["doctor"])
        .await
        .success()
        .says("unknown  quota")
        .says("ml.m5.large for endpoint usage: 1 of 1, and 1 in use, of this project or of others");

    // What is there and becomes another counts, too.
    post(&sandbox, "quotas", &json!({ "L-2F737F8D": 0 })).await;
    let larger = |config: String| config.replace("\"ml.m5.large\"", "\"ml.m5.xlarge\"");
    let ran = run_edited(&url, larger, &deploy).await.ended(9).says("E250");
    ran.says("ml.m5.xlarge for endpoint usage: the config needs 1, the account may have 0");
    sandbox.stop().await;
}
