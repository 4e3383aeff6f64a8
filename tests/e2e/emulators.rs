//! The dog-breed case against emulators that we did not write: moto, and ministack for Lambda. What opsctl
//! says it has made counts for nothing here: boto3 reads every resource back, and the config file says how it
//! must be.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::python::Emulators;

const CONFIG: &str = "config/dog-breeds.toml";
const ACCOUNT: &str = "123456789012";
const BUCKET: &str = "dog-breeds-dev-123456789012-us-east-1";

/// One story, because each part stands on the one before, and because the emulators take their time to start.
#[test]
fn the_case_is_deployed_as_configured_scaled_and_destroyed() {
    let emulators = Emulators::start();
    let world = World::shipped()
        .credentials()
        .env("AWS_ENDPOINT_URL", &emulators.endpoint)
        .env("AWS_ENDPOINT_URL_LAMBDA", &emulators.lambda)
        .env("OPSCTL_CONFIG", CONFIG);
    let config = world.toml(CONFIG);
    let read_back = || emulators.read_back("dog-breeds", names(&config["notebook"]));

    plan_shows_everything(&world);
    assert_eq!(owned(&read_back()), Vec::<String>::new(), "a plan makes nothing");

    let done = world.run(["deploy", "--yes", "-o", "json"]).success().finished();
    assert_eq!(done["result"], "ok");
    let found = read_back();
    bucket_is_locked_down(&found);
    data_and_code_are_uploaded(&world, &found);
    roles_may_only_what_they_need(&found);
    training_has_its_numbers(&config, &found);
    instance_is_as_configured(&config, &found);
    model_has_its_serving_code(&found);
    endpoint_serves_the_model(&config, &found);
    endpoint_scales(&found, &json!(config["endpoint"]["breeds"]["autoscaling"]));
    function_answers_on_its_alias(&config, &found);
    notebook_is_as_configured(&config, &found);
    logs_expire(&found);
    everything_is_tagged(&found);

    nothing_is_left_to_do(&world);
    scaling_changes_exactly_that(&world, &found, read_back);

    let done = world.run(["destroy", "--yes", "-o", "json"]).success().finished();
    assert_eq!(done["result"], "ok");
    assert_eq!(owned(&read_back()), Vec::<String>::new(), "a destroy leaves nothing");
    let again = world.run(["destroy", "--yes", "-o", "json"]).success().finished();
    assert_eq!(again["calls"]["writes"], 0, "there is nothing to destroy twice");
}

fn plan_shows_everything(world: &World) {
    let planned = world.run(["plan", "--detailed-exitcode", "-o", "json"]).ended(2).json();
    let mut steps: Vec<String> = list(&planned["steps"])
        .map(|step| format!("{} {}", text(&step["op"]), text(&step["target"])))
        .collect();
    steps.sort();
    expect![[r#"
        create autoscaling/breeds
        create bucket/main
        create concurrency/classify
        create data/dogs
        create endpoint-config/breeds
        create endpoint/breeds
        create function/classify
        create instance/breeds-on-ec2
        create log-group/endpoint-breeds
        create log-group/function-classify
        create model/breeds
        create notebook/lab
        create role/endpoint-breeds
        create role/function-classify
        create role/instance-breeds-on-ec2
        create role/notebook-lab
        create role/training-breeds
        create training/breeds"#]]
    .assert_eq(&steps.join("\n"));
}

fn bucket_is_locked_down(found: &Value) {
    let bucket = &found["buckets"][BUCKET];
    let blocked = &bucket["public_access"]["PublicAccessBlockConfiguration"];
    let switches = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    assert!(switches.iter().all(|switch| blocked[switch] == true), "{blocked}");
    let rule = &bucket["encryption"]["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    assert_eq!(bucket["versioning"]["Status"], "Enabled");

    let statements = &bucket["policy"]["Statement"];
    assert_eq!(list(statements).count(), 1, "{statements}");
    let only_tls = &statements[0];
    assert_eq!((&only_tls["Effect"], &only_tls["Principal"]), (&json!("Deny"), &json!("*")));
    assert!(text(&only_tls["Action"]).eq_ignore_ascii_case("s3:*"), "{only_tls}");
    assert_eq!(only_tls["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
    let arn = format!("arn:aws:s3:::{BUCKET}");
    assert_eq!(only_tls["Resource"], json!([arn, format!("{arn}/*")]));

    let rules = &bucket["lifecycle"]["Rules"];
    assert_eq!(list(rules).count(), 1, "{rules}");
    assert_eq!(rules[0]["Status"], "Enabled");
    assert_eq!(rules[0]["Filter"], json!({ "Prefix": "" }), "the rule is for every object");
    assert_eq!(
        rules[0]["NoncurrentVersionExpiration"]["NoncurrentDays"], 30,
        "the default of keep_old_versions"
    );
    assert_eq!(rules[0]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
}

fn data_and_code_are_uploaded(world: &World, found: &Value) {
    let bucket = &found["buckets"][BUCKET];
    let keys: Vec<&str> = list(&bucket["keys"]).map(text).collect();
    let mut uploaded: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix("data/dogs/")).collect();
    let root = world.path("config/dog-breeds/data/dogImages");
    let mut files = files(&root, &root);
    files.sort();
    uploaded.sort();
    assert_eq!(uploaded, files, "the bucket has what the folder has");
    assert!(keys.contains(&"data/dogs.opsctl-manifest.json"), "{keys:?}");

    let archives = bucket["archives"].as_object().expect("a table");
    let sources: Vec<_> = archives.iter().filter(|(key, _)| key.starts_with("code/")).collect();
    assert_eq!(sources.len(), 2, "one of each training: {archives:?}");
    for (key, files) in sources {
        assert!(key.ends_with("/sourcedir.tar.gz"), "{key}");
        assert!(list(files).any(|file| file == "train.py"), "{key}: {files}");
    }
}

fn roles_may_only_what_they_need(found: &Value) {
    let roles = found["roles"].as_object().expect("a table");
    assert_eq!(roles.len(), 5, "{:?}", roles.keys());
    // Neither action takes a resource (Service Authorization Reference).
    let account_wide = [json!(["ecr:GetAuthorizationToken"]), json!(["cloudwatch:PutMetricData"])];
    for (name, role) in roles {
        assert_eq!(role["path"], "/opsctl/dog-breeds/dev/", "{name}");
        assert_eq!(role["attached"], json!([]), "{name}: no managed policy, so none with FullAccess");
        assert_eq!(names(&role["inline"]), ["opsctl"], "{name}");
        for statement in list(&role["inline"]["opsctl"]["Statement"]) {
            let everything = list(&statement["Resource"]).any(|resource| resource == "*");
            assert!(!everything || account_wide.contains(&statement["Action"]), "{name}: {statement}");
            assert!(
                !list(&statement["Action"]).any(|action| text(action).contains('*')),
                "{name}: {statement}"
            );
        }
        let trust = &role["trust"]["Statement"][0];
        let service = text(&trust["Principal"]["Service"]);
        let user = name.trim_start_matches("dog-breeds-dev-").split('-').next().unwrap_or_default();
        let expected = match user {
            "function" => "lambda.amazonaws.com",
            "instance" => "ec2.amazonaws.com",
            _ => "sagemaker.amazonaws.com",
        };
        assert_eq!(service, expected, "{name}");
        let of_account = trust["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT;
        assert_eq!(of_account, service.starts_with("sagemaker"), "{name}: {trust}");
        assert_eq!(list(&role["profiles"]).count(), usize::from(user == "instance"), "{name}");
    }
}

fn training_has_its_numbers(config: &Value, found: &Value) {
    let (wanted, job) = (&config["training"]["breeds"], only(&found["training_jobs"]));
    let mut hyperparameters = job["HyperParameters"].as_object().expect("a table").clone();
    // The toolkit's own: what SageMaker's script mode starts, and from where.
    assert_eq!(hyperparameters.remove("sagemaker_program"), Some(wanted["entry"].clone()));
    let archive = hyperparameters.remove("sagemaker_submit_directory").unwrap_or_default();
    assert!(text(&archive).starts_with(&format!("s3://{BUCKET}/code/")), "{archive}");
    hyperparameters.retain(|name, _| !name.starts_with("sagemaker_"));
    assert_eq!(Value::Object(hyperparameters), as_text(&wanted["hyperparameters"]));

    assert_eq!(list(&job["InputDataConfig"]).count(), 1);
    let channel = &job["InputDataConfig"][0];
    assert_eq!(channel["ChannelName"], wanted["data"][0]);
    assert_eq!(channel["DataSource"]["S3DataSource"]["S3Uri"], format!("s3://{BUCKET}/data/dogs/"));
    assert_eq!(job["OutputDataConfig"]["S3OutputPath"], format!("s3://{BUCKET}/training"));
    assert_eq!(job["ResourceConfig"]["InstanceType"], wanted["instance_type"]);
    assert_eq!(job["ResourceConfig"]["InstanceCount"], 1);
    let image = text(&job["AlgorithmSpecification"]["TrainingImage"]);
    assert!(image.contains("/pytorch-training:2.6."), "{image}");
    assert!(
        text(&job["RoleArn"]).ends_with("/dog-breeds-dev-training-breeds-us-east-1"),
        "{}",
        job["RoleArn"]
    );
}

fn instance_is_as_configured(config: &Value, found: &Value) {
    let wanted = &config["training"]["breeds-on-ec2"];
    let instances = &found["instances"];
    assert_eq!(list(instances).count(), 1, "one instance for one job");
    let instance = &instances[0];
    assert_eq!(instance["InstanceType"], wanted["instance_type"]);
    assert_eq!(instance["InstanceType"], "t2.xlarge");
    assert_eq!(instance["MetadataOptions"]["HttpTokens"], "required", "IMDSv2");
    assert_eq!(instance["on_shutdown"], "terminate");
    let profile = text(&instance["IamInstanceProfile"]["Arn"]);
    assert!(profile.ends_with(
        ":instance-profile/opsctl/dog-breeds/dev/dog-breeds-dev-instance-breeds-on-ec2-us-east-1"
    ));
    assert_eq!(list(&instance["volumes"]).count(), 1);
    let disk = &instance["volumes"][0];
    assert_eq!(
        (&disk["Encrypted"], &disk["Size"], &disk["VolumeType"]),
        (&json!(true), &json!(30), &json!("gp3"))
    );
    let job = text(&instance["tags"]["opsctl:job"]);
    // The token is that of the attempt (docs/decisions/0008): the same command twice starts one instance.
    assert!(
        instance["ClientToken"].as_str().is_some_and(opsctl::domain::fingerprint::is_suffix),
        "{}",
        instance["ClientToken"]
    );
    let script = text(&instance["user_data"]);
    assert!(script.starts_with("#!") && script.len() < 16_384, "{} bytes", script.len());
    for part in [job, &format!("s3://{BUCKET}/code/"), &format!("s3://{BUCKET}/data/dogs/")] {
        assert!(script.contains(part), "the user data lacks {part}:\n{script}");
    }
}

fn model_has_its_serving_code(found: &Value) {
    let model = only(&found["models"]);
    let container = &model["PrimaryContainer"];
    let key =
        text(&container["ModelDataUrl"]).strip_prefix(&format!("s3://{BUCKET}/")).expect("in the bucket");
    let files = &found["buckets"][BUCKET]["archives"][key];
    for file in ["code/inference.py", "model.npz"] {
        assert!(list(files).any(|f| f == file), "{key} lacks {file}: {files}");
    }
    assert!(text(&container["Image"]).contains("/pytorch-inference:2.6."), "{container}");
    assert_eq!(container["Environment"]["SAGEMAKER_PROGRAM"], "inference.py");
}

fn endpoint_serves_the_model(config: &Value, found: &Value) {
    let (endpoint, serving) =
        (&found["endpoints"]["dog-breeds-dev-breeds"], only(&found["endpoint_configs"]));
    assert_eq!(endpoint["EndpointStatus"], "InService");
    assert_eq!(endpoint["EndpointConfigName"], serving["EndpointConfigName"]);
    assert_eq!(list(&serving["ProductionVariants"]).count(), 1);
    let variant = &serving["ProductionVariants"][0];
    assert_eq!(variant["ModelName"], only(&found["models"])["ModelName"]);
    assert_eq!(variant["InstanceType"], config["endpoint"]["breeds"]["instance_type"]);
    assert_eq!(variant["InitialInstanceCount"], 1);
}

/// `numbers` is an `[endpoint.NAME.autoscaling]` table.
fn endpoint_scales(found: &Value, numbers: &Value) {
    let (targets, policies) = (&found["scaling"]["targets"], &found["scaling"]["policies"]);
    assert_eq!((list(targets).count(), list(policies).count()), (1, 1));
    let (target, policy) = (&targets[0], &policies[0]);
    assert_eq!(target["ResourceId"], "endpoint/dog-breeds-dev-breeds/variant/AllTraffic");
    assert_eq!(target["ScalableDimension"], "sagemaker:variant:DesiredInstanceCount");
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&numbers["min"], &numbers["max"]));
    assert_eq!(policy["PolicyType"], "TargetTrackingScaling");
    let tracking = &policy["TargetTrackingScalingPolicyConfiguration"];
    assert_eq!(tracking["TargetValue"].as_f64(), numbers["target_invocations_per_instance"].as_f64());
    let metric = &tracking["PredefinedMetricSpecification"]["PredefinedMetricType"];
    assert_eq!(metric, "SageMakerVariantInvocationsPerInstance");
    assert_eq!(
        (&numbers["scale_in_cooldown"], &numbers["scale_out_cooldown"]),
        (&json!("30s"), &json!("30s"))
    );
    assert_eq!((&tracking["ScaleInCooldown"], &tracking["ScaleOutCooldown"]), (&json!(30), &json!(30)));
}

fn function_answers_on_its_alias(config: &Value, found: &Value) {
    let (wanted, function) =
        (&config["function"]["classify"], &found["functions"]["dog-breeds-dev-classify"]);
    let configuration = &function["configuration"];
    assert_eq!(configuration["MemorySize"], wanted["memory_mb"]);
    assert_eq!(configuration["Runtime"], "python3.13");
    assert_eq!(configuration["Timeout"], 90);
    assert_eq!(configuration["Handler"], "handler.lambda_handler");
    assert_eq!(
        configuration["Environment"]["Variables"],
        json!({ "ENDPOINT_NAME": "dog-breeds-dev-breeds" })
    );
    assert!(text(&configuration["Role"]).ends_with("/dog-breeds-dev-function-classify-us-east-1"));
    assert_eq!(function["files"], json!(["handler.py"]));

    let live = &function["aliases"]["live"];
    assert_ne!(live["FunctionVersion"], "$LATEST", "the alias is on a published version");
    let provisioned = &function["provisioned"];
    assert_eq!(provisioned["live"], wanted["provisioned_concurrency"]);
    assert_eq!(provisioned["live"], 2);
    assert_eq!(provisioned["$LATEST"], 0);
}

fn notebook_is_as_configured(config: &Value, found: &Value) {
    let notebook = &found["notebooks"]["dog-breeds-dev-lab"];
    assert_eq!(notebook["InstanceType"], config["notebook"]["lab"]["instance_type"]);
    assert_eq!(notebook["InstanceType"], "ml.t3.xlarge");
    assert_eq!(notebook["NotebookInstanceStatus"], "InService");
    let script = only(&found["lifecycle_configs"]);
    assert_eq!(
        notebook["NotebookInstanceLifecycleConfigName"],
        script["NotebookInstanceLifecycleConfigName"]
    );
    assert_eq!(list(&script["OnStart"]).count(), 1, "it stops by itself when idle");
}

fn logs_expire(found: &Value) {
    let groups = found["log_groups"].as_object().expect("a table");
    let mut names: Vec<_> = groups.keys().collect();
    names.sort();
    assert_eq!(
        names,
        ["/aws/lambda/dog-breeds-dev-classify", "/aws/sagemaker/Endpoints/dog-breeds-dev-breeds"]
    );
    assert!(groups.values().all(|group| group["retentionInDays"] == 30), "{groups:?}");
}

fn everything_is_tagged(found: &Value) {
    let tables = [
        "buckets",
        "roles",
        "training_jobs",
        "models",
        "endpoint_configs",
        "endpoints",
        "notebooks",
        "functions",
        "log_groups",
    ];
    let resources = tables.iter().flat_map(|kind| found[kind].as_object().expect("a table").values());
    let mut marked = Vec::new();
    for resource in resources.chain(list(&found["instances"])) {
        let tags = &resource["tags"];
        let whose = (&tags["opsctl:project"], &tags["opsctl:environment"]);
        assert_eq!(whose, (&json!("dog-breeds"), &json!("dev")), "{resource}");
        marked.push(text(&tags["opsctl:resource"]));
    }
    marked.sort();
    // Data lies in our bucket; scaling and provisioned concurrency are parts of what is tagged.
    expect![[r#"
        bucket/main
        endpoint-config/breeds
        endpoint/breeds
        function/classify
        instance/breeds-on-ec2
        log-group/endpoint-breeds
        log-group/function-classify
        model/breeds
        notebook/lab
        role/endpoint-breeds
        role/function-classify
        role/instance-breeds-on-ec2
        role/notebook-lab
        role/training-breeds
        training/breeds"#]]
    .assert_eq(&marked.join("\n"));
}

fn nothing_is_left_to_do(world: &World) {
    let done = world.run(["deploy", "--yes", "-o", "json"]).success().finished();
    assert_eq!((&done["result"], &done["calls"]["writes"]), (&json!("ok"), &json!(0)));
    assert!(done["calls"]["reads"].as_u64() > Some(0), "{done}");
    world.run(["plan", "--detailed-exitcode"]).success().says("Nothing to do: 18 resources");
    let status = world.run(["status", "-o", "json"]).success().json();
    assert_eq!(list(&status["resources"]).count(), 18);
    assert!(list(&status["resources"]).all(|resource| resource["ready"] == true), "{status}");
    assert_eq!(status["leftovers"], json!([]));
}

fn scaling_changes_exactly_that(world: &World, before: &Value, read_back: impl Fn() -> Value) {
    let done =
        world.run(["scale", "--target", "20", "--max", "6", "--yes", "-o", "json"]).success().finished();
    // A slow machine has the lease confirmed once more.
    let writes = done["calls"]["writes"].as_u64().unwrap();
    assert!((4..=5).contains(&writes), "{writes}: the lease and its end, the target, and its policy");
    let after = read_back();
    let mut numbers = world.toml(CONFIG)["endpoint"]["breeds"]["autoscaling"].clone();
    numbers["max"] = json!(6);
    numbers["target_invocations_per_instance"] = json!(20);
    endpoint_scales(&after, &numbers);
    let others = |found: &Value| {
        let mut found = found.clone();
        found.as_object_mut().expect("a table").remove("scaling");
        found
    };
    assert_eq!(others(before), others(&after), "nothing else has changed");

    // The file has the last word.
    world.run(["plan", "--detailed-exitcode"]).ended(2).says("autoscaling/breeds");
    world.run(["scale", "--yes"]).success();
    endpoint_scales(&read_back(), &world.toml(CONFIG)["endpoint"]["breeds"]["autoscaling"]);
    world.run(["plan", "--detailed-exitcode"]).success();
}

/// Whatever of the project there is, as `kind/name`. Terminated instances stay visible for an hour, also on
/// AWS.
fn owned(found: &Value) -> Vec<String> {
    let mut left = Vec::new();
    for (kind, resources) in found.as_object().expect("a table") {
        match resources {
            Value::Object(table) if kind != "scaling" => {
                left.extend(table.keys().map(|name| format!("{kind}/{name}")))
            }
            Value::Object(lists) => {
                let all = lists.values().flat_map(list);
                left.extend(all.map(|part| format!("{kind}/{}", part["ResourceId"])));
            }
            Value::Array(instances) => {
                let alive = instances.iter().filter(|i| i["State"]["Name"] != "terminated");
                left.extend(alive.map(|i| format!("{kind}/{}", i["InstanceId"])));
            }
            _ => {} // the account's number
        }
    }
    left
}

/// The files of a folder, relative to `root`.
fn files(folder: &std::path::Path, root: &std::path::Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(folder).expect("the folder is there").map(|e| e.expect("readable").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path, root),
            false => vec![path.strip_prefix(root).expect("below it").to_string_lossy().into_owned()],
        })
        .collect()
}

/// AWS's hyperparameters are text.
fn as_text(table: &Value) -> Value {
    let table = table.as_object().expect("a table");
    table.iter().map(|(name, value)| (name.clone(), json!(value.to_string().trim_matches('"')))).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}"))
}

fn names(table: &Value) -> Vec<&str> {
    table.as_object().unwrap_or_else(|| panic!("not a table: {table}")).keys().map(String::as_str).collect()
}

/// The one entry of a table.
fn only(table: &Value) -> &Value {
    assert_eq!(names(table).len(), 1, "{table}");
    table.as_object().and_then(|table| table.values().next()).expect("just counted")
}
