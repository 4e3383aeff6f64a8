//! `tests/projects`: projects as people write them, each with nothing of opsctl but its `opsctl.toml`.

use std::path::Path;
use std::time::Duration;

use opsctl::aws::{self, Clients, TargetOptions};
use serde_json::{Value, json};

use crate::models::held;
use crate::support::inside::sandbox;
use crate::support::tap::Tap;
use crate::support::{Served, World, copy, pause};

/// A copy of one of them.
fn project(name: &str, world: World) -> World {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects").join(name), &world.path(""));
    world
}

async fn clients(endpoint: &str) -> Clients {
    let (region, sandbox) = (Some("us-east-1".into()), Some(endpoint.to_owned()));
    Clients::new(&aws::connect(&TargetOptions { region, sandbox, ..TargetOptions::default() }).await)
}

/// Somebody's bucket, with data and models in it.
async fn others_data(endpoint: &str) {
    let aws = clients(endpoint).await;
    aws.s3.create_bucket().bucket("others-data").send().await.expect("made");
    for (key, text) in [
        ("iris/train/a.csv", "5.1,3.5,setosa\n7.0,3.2,versicolor\n"),
        ("iris/train/b.csv", "6.3,3.3,virginica\n"),
        ("iris/test.csv", "7.0,3.2,versicolor\n5.1,3.5,virginica\n"),
        ("rows.csv", "1,1\n2,0\n"),
    ] {
        let put = aws.s3.put_object().bucket("others-data").key(key).body(text.as_bytes().to_vec().into());
        put.send().await.expect("put");
    }
}

/// A role and a boundary that an administrator made.
async fn others_role(endpoint: &str) {
    let iam = clients(endpoint).await.iam;
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "sagemaker.amazonaws.com" },
    }] });
    let role = iam.create_role().role_name("training").path("/team/");
    role.assume_role_policy_document(trust.to_string()).send().await.expect("made");
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let all = json!({ "Version": "2012-10-17", "Statement": [all] });
    let policy =
        iam.put_role_policy().role_name("training").policy_name("all").policy_document(all.to_string());
    policy.send().await.expect("put");
    let boundary = iam.create_policy().policy_name("developers").policy_document(all.to_string());
    boundary.send().await.expect("made");
}

/// Those whose containers, or packages of hundreds of megabytes, are not for a test: their jobs and servers
/// go through their states. All are in one account.
#[test]
fn they_deploy_as_they_are() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = runtime.block_on(sandbox(folder.path()));
    let endpoint = sandbox.endpoint_url().to_owned();
    runtime.block_on(others_role(&endpoint));
    let tap = Tap::on(&endpoint);
    for name in ["builtin", "company", "huggingface", "own-container", "sklearn", "xgboost"] {
        let world = project(name, World::empty().credentials().env("AWS_ENDPOINT_URL", &tap.url));
        world.run(["check"]).success();
        world.run(["deploy", "--yes"]).success();
        world.run(["plan", "--detailed-exitcode"]).ended(0);
        let status = world.run(["status", "-o", "json"]).success().json();
        let resources = status["resources"].as_array().expect("a list");
        assert!(resources.iter().all(|resource| resource["ready"] == true), "{name}: {status:#}");
        if name == "company" {
            let has_url =
                |resource: &Value| resource["url"].as_str().is_some_and(|url| url.starts_with("http"));
            assert!(resources.iter().any(has_url), "{status:#}");
        }
        world.run(["destroy", "--yes"]).success();
    }
    assert_eq!(held(&tap.sent())["violations"], json!([]));
    runtime.block_on(sandbox.stop());
}

/// Those that need Python alone: their scripts train, serve and answer, in one sandbox that all share.
#[test]
fn they_train_serve_and_answer_as_they_are() {
    let served = Served::start(&["--speed", "60"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(others_data(served.endpoint()));
    let tap = Tap::on(served.endpoint());
    let deployed = |name: &str| {
        let world = project(name, World::empty().credentials().env("AWS_ENDPOINT_URL", &tap.url));
        world.run(["deploy", "--yes"]).success();
        world.run(["plan", "--detailed-exitcode"]).ended(0);
        world
    };
    let json = |world: &World, args: &[&str]| {
        let args = ["invoke", "-o", "json"].into_iter().chain(args.iter().copied());
        world.run(args).success().json()
    };

    // A flat repository: a photograph straight to the endpoint, its address through the function.
    let flat = deployed("flat");
    flat.run(["model", "pull", "ec2", "--to", "ec2.tar.gz"]).success();
    let listed = std::process::Command::new("tar").arg("-tzf").arg(flat.path("ec2.tar.gz")).output();
    assert_eq!(String::from_utf8_lossy(&listed.expect("tar is there").stdout), "model.json\n");
    std::fs::write(flat.path("dog.jpg"), [0xff, 0xd8, 0x61]).expect("written");
    let photo = json(&flat, &["--endpoint", "dogs", "--file", "dog.jpg"]);
    assert_eq!(photo["answer"][0].as_array().map(Vec::len), Some(2), "{photo:#}");
    let asked = json(&flat, &["--payload", "{\"url\": \"data:image/jpeg;base64,YWFh\"}"]);
    assert_eq!(asked["answer"][0][0].as_f64(), Some(0.0), "{asked:#}");
    // Neither a note, a log nor what the EC2 script leaves at home changes anything; nor does an edit of the
    // serving script train again.
    flat.write("README.md", "# Another text\n");
    flat.write("nohup.out", "epoch 1\n");
    flat.write("TrainedModels/model.pth", "weights");
    flat.run(["plan", "--detailed-exitcode"]).ended(0);
    let serving = flat.read("infernce2.py");
    flat.write("infernce2.py", &format!("{serving}# fix\n"));
    flat.run(["plan", "--detailed-exitcode"]).ended(2).says("+ model/dogs").does_not_say("+ training/");
    flat.write("infernce2.py", &serving);

    // CSV in and out, by the endpoint, the function and its URL.
    let prices = deployed("pretrained");
    prices.write("rows.csv", "1,1\n2,0\n");
    let rows = ["--file", "rows.csv", "--accept", "text/csv"];
    for through in [&["--endpoint", "prices"][..], &[]] {
        let answer = json(&prices, &[through, &rows].concat());
        assert_eq!(
            (&answer["answer"], &answer["content_type"]),
            (&json!("6.00\n5.00\n"), &json!("text/csv"))
        );
    }
    prices.run(["invoke", "--file", "rows.csv", "--accept", "text/csv", "--to", "prices.csv"]).success();
    assert_eq!(prices.read("prices.csv"), "6.00\n5.00\n");
    let refused = prices.run(["invoke", "--payload", "[1]"]).ended(1);
    refused.says("is not text/csv");
    let status = prices.run(["status", "-o", "json"]).success().json();
    let urls = status["resources"].as_array().into_iter().flatten().find_map(|r| r["url"].as_str());
    let answer = runtime.block_on(post(urls.expect("it has one"), "text/csv", "2,0\n"));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n[5.0]"), "{answer}");

    let iris = deployed("channels").run(["status", "-o", "json"]).success().json();
    let trained = iris["resources"].as_array().into_iter().flatten().find(|r| r["kind"] == "training");
    assert_eq!(trained.expect("it is there")["metrics"]["accuracy"], 0.5, "{iris:#}");

    let table = deployed("reads-s3");
    let answer = json(&table, &["--payload", "{\"bucket\": \"others-data\", \"key\": \"rows.csv\"}"]);
    assert!(answer["answer"].as_str().is_some_and(|text| text.contains("price")), "{answer:#}");
    // Its role may read that bucket because the config says so.
    let config = table.read("opsctl.toml");
    let without = config.lines().filter(|line| !line.starts_with("permissions")).collect::<Vec<_>>();
    table.write("opsctl.toml", &without.join("\n"));
    table.run(["deploy", "--yes"]).success();
    let refused = table.run(["invoke", "--payload", "{\"bucket\": \"others-data\", \"key\": \"rows.csv\"}"]);
    let refused =
        refused.ended(1).says("AccessDenied").says(":assumed-role/reads-s3-dev-function-table-us-east-1/");
    let refused = refused.says(
        "is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::others-data/rows.csv\" \
         because no identity-based policy allows the s3:GetObject action",
    );
    refused.says("help: `permissions = [{ actions = […], resources = […] }]` in its section lets it");
    let role = ["reads-s3-dev-function-table-us-east-1", "s3:GetObject", "arn:aws:s3:::others-data/rows.csv"];
    table.run([["audit-iam", "explain"].as_slice(), &role].concat()).success().says("no statement allows it");
    let stopped = config.replacen("[function.table]\n", "[function.table]\nreserved_concurrency = 0\n", 1);
    assert_ne!(stopped, config);
    table.write("opsctl.toml", &stopped);
    table.run(["deploy", "--yes"]).success();
    let refused = table.run(["invoke", "--payload", "{}"]).ended(1);
    refused.says("error[E207]").says("`reserved_concurrency` allows; 0 allows none");
    assert_eq!(held(&tap.sent())["violations"], json!([]));
}

/// On AWS a new fleet loads the model again, with the rights that its role has then.
#[test]
fn an_update_of_an_endpoint_loads_the_model_with_the_role_of_now() {
    let served = Served::start(&["--speed", "60"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let world =
        project("pretrained", World::empty().credentials().env("AWS_ENDPOINT_URL", served.endpoint()));
    world.run(["deploy", "--yes"]).success();
    let reason = runtime.block_on(async {
        let aws = clients(served.endpoint()).await;
        let all = aws.sagemaker.list_endpoints().send().await.expect("a list");
        let name = all.endpoints()[0].endpoint_name().expect("a name").to_owned();
        let of = async || {
            aws.sagemaker.describe_endpoint().endpoint_name(&name).send().await.expect("it is there")
        };
        let now = of().await.endpoint_config_name().expect("a name").to_owned();
        let config = aws.sagemaker.describe_endpoint_config().endpoint_config_name(now).send().await;
        let config = config.expect("it is there");
        let variants = config.production_variants().to_vec();
        let model = variants[0].model_name().expect("a name").to_owned();
        let model = aws.sagemaker.describe_model().model_name(model).send().await.expect("it is there");
        let role =
            model.execution_role_arn().and_then(|arn| arn.rsplit('/').next()).expect("a role").to_owned();
        let deny = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*" },
        ] });
        let put = aws.iam.put_role_policy().role_name(role).policy_name("denies");
        put.policy_document(deny.to_string()).send().await.expect("put");
        let create = aws.sagemaker.create_endpoint_config().endpoint_config_name("again");
        create.set_production_variants(Some(variants)).send().await.expect("made");
        let update = aws.sagemaker.update_endpoint().endpoint_name(&name).endpoint_config_name("again");
        update.send().await.expect("it begins");
        loop {
            let seen = of().await;
            if seen.endpoint_status().is_some_and(|status| status.as_str() != "Updating") {
                return seen.failure_reason().unwrap_or_default().to_owned();
            }
            pause(Duration::from_millis(50));
        }
    });
    assert!(reason.contains("cannot be downloaded") && reason.contains("explicit deny"), "{reason}");
}

/// A container that nobody plays here is no failure in the middle of a deploy.
#[test]
fn what_the_sandbox_cannot_play_is_said_before_anything_is_made() {
    let world = project("builtin", World::empty());
    world.run(["check"]).success().does_not_say("C134");
    world.run(["--sandbox", "check"]).success().says("warning[C134]").says("its program is in the image");
    world.run(["--sandbox", "plan"]).success().says("warning[C134]");
    let refused = world.run(["--sandbox", "deploy", "--yes"]).ended(1);
    refused.says("error[E266]").says("training/").says("nothing was made");
    world.run(["--sandbox", "status"]).success().does_not_say("bucket/main ready");

    let world = World::empty();
    world.write("code/inference.py", "def model_fn(model_dir):\n    return 1\n");
    world.write("model/saved_model.pb", "");
    let config = |image: &str, lint: &str| {
        format!(
            "[project]\nname = \"served\"\nregion = \"us-east-1\"\n{lint}[model.m]\nartifact = \"model\"\n\
             image = \"{image}\"\n[endpoint.e]\nmodel = \"m\"\ncode = \"code\"\n"
        )
    };
    world.write("opsctl.toml", &config("tensorflow-2.19", ""));
    let refused = world.run(["--sandbox", "deploy", "--yes"]).ended(1);
    refused.says("error[E266]").says("model/e: tensorflow-inference: its server is TensorFlow Serving");
    let own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/server:1";
    world.write("opsctl.toml", &config(own, ""));
    world.run(["--sandbox", "check"]).success().says("does not run the image team/server").says("predict_fn");
    let quiet = config(own, "[lint]\nallow = [\"C134\"]\n");
    world.write("opsctl.toml", &quiet);
    world.run(["--sandbox", "check"]).success().does_not_say("C134");
    world.run(["check"]).success().does_not_say("C117");
    world.write("opsctl.toml", &config("pytorch-2.6", ""));
    world.run(["--sandbox", "check"]).success().does_not_say("C134");
    // Without a script nothing serves anywhere, so that nothing is to be said of AWS.
    let wrong = config("sklearn-1.2", "").replace("code = \"code\"\n", "");
    world.write("opsctl.toml", &wrong);
    world.run(["--sandbox", "check"]).ended(3).says("C003").does_not_say("C134");
}

/// What an image holds has to come from somewhere, once.
#[test]
fn without_a_way_to_pypi_what_is_missing_is_named() {
    let cache = tempfile::tempdir().expect("a folder");
    let world = project("sklearn", World::empty().sandbox()).env("OPSCTL_CACHE", cache.path().display());
    let world = world.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PIP_RETRIES", "1");
    let refused = world.run(["deploy", "--yes"]).ended(1);
    refused.says("PyPI cannot be reached to install").says("scikit-learn==1.2.1").says("PIP_INDEX_URL");
}

/// The answer of an address, head and body.
async fn post(address: &str, content_type: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = address.trim_start_matches("http://").split_once('/').expect("an address");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("it listens");
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}
