//! `opsctl doctor`: what would keep a deploy from succeeding is found before anything is made.

use opsctl_sandbox::faults::FaultRule;
use serde_json::{Value, json};

use crate::support::inside::{post, sandbox};
use crate::support::{Ran, World};

async fn run(url: &str, arguments: &[&str]) -> Ran {
    let (url, arguments) = (url.to_owned(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let run = move || {
        let world = World::shipped().credentials();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_said_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let url = sandbox.endpoint_url().to_owned();
    let doctor = ["doctor", "-o", "json"];
    let found = answers(&run(&url, &doctor).await.success());
    for check in
        ["identity", "region", "clock", "permissions", "lambda concurrency", "default VPC", "image", "quota"]
    {
        assert!(is(&found, check, "ok"), "{check}: {found:?}");
    }
    run(&url, &["doctor"]).await.success().says("by AWS_ACCESS_KEY_ID").says("Nothing is in the way");

    // A right is missing: it is named, with the resource.
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let but = json!({ "Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*" });
    let passes = json!({ "Effect": "Deny", "Action": "iam:PassRole", "Resource": "*",
        "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } } });
    post(&sandbox, "iam", &json!({ "user_policies": [{ "Statement": [all, but, passes] }] })).await;
    let ran = run(&url, &["doctor"]).await.ended(1);
    let ran = ran.says("fails    permissions").says(
        "sagemaker:CreateEndpoint on arn:aws:sagemaker:us-east-1:123456789012:endpoint/digits-dev-numbers",
    );
    ran.says("iam:PassRole on arn:aws:iam::123456789012:role/opsctl/digits/dev/digits-dev-function-classify-us-east-1")
        .does_not_say("digits-dev-training-numbers-us-east-1")
        .says("policy deployer`");

    // What could not be asked is unknown, and no yes.
    let rule: FaultRule = "fail=AccessDenied@iam:SimulatePrincipalPolicy#1x0".parse().expect("a rule");
    sandbox.state().faults.extend(vec![rule]);
    let found = answers(&run(&url, &doctor).await.success());
    assert!(is(&found, "permissions", "unknown"), "{found:?}");
    sandbox.state().faults.clear();

    // An account as AWS gives it to beginners: a deploy says so, and has made nothing.
    post(&sandbox, "quotas", &json!({ "L-B99A9384": 10 })).await;
    let found = answers(&run(&url, &doctor).await.ended(1));
    assert!(is(&found, "lambda concurrency", "fails"), "{found:?}");
    post(&sandbox, "quotas", &json!({ "account": "fresh" })).await;
    let ran = run(&url, &["doctor"]).await.ended(1);
    ran.says("ml.m5.xlarge for training job usage: the config needs 1, the account may have 0")
        .says("L-CCE2AFA6");
    run(&url, &["deploy", "--yes"])
        .await
        .ended(9)
        .says("E250")
        .says("L-B99A9384")
        .says("nothing was changed");
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0);
    sandbox.stop().await;
}
