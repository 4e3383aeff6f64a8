//! A company's account: tags of its own, a permissions boundary, roles that others have made.

use opsctl::domain::KindName;
use opsctl::plan::Op;
use opsctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox, with_ttl};
use crate::support::{Ran, World};

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/developers";
const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn with_tags(tags: &str) -> impl FnOnce(String) -> String {
    let line = format!("tags = {{ {tags} }}\nname   = \"digits\"");
    move |text| with_ttl(text).replacen("name   = \"digits\"", &line, 1)
}

/// All that carries tags in the sandbox: by ARN, without opsctl's own.
fn tags(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (arn, mut tags) in sandbox.state().store.list("tags", "") {
        if let Some(tags) = tags.as_object_mut() {
            tags.retain(|key, _| !key.starts_with("opsctl:") || key == "opsctl:tags");
        }
        all.push((arn, tags));
    }
    all
}

async fn changes(project: &Project) -> Vec<String> {
    let plan = project.plan(DEPLOY).await.expect("it can be planned");
    let mut all: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| match &step.op {
            Op::Update { changes, .. } => changes.iter().map(ToString::to_string).collect(),
            op => vec![format!("{} {}", op.verb().as_str(), step.target)],
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_on_everything_and_change_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let first = Project::edited(&sandbox, with_tags("team = \"vision\", \"cost center\" = \"7\"")).await;
    first.succeed(DEPLOY).await;
    assert_eq!(first.steps(DEPLOY).await, [""; 0]);
    let role =
        first.desired.nodes.iter().find(|node| node.id.kind == KindName::Role).expect("one").physical.clone();
    let tag = aws_sdk_iam::types::Tag::builder().key("theirs").value("1").build().expect("complete");
    first.world.aws.iam.tag_role().role_name(&role).tags(tag).send().await.expect("it is there");
    assert_eq!(first.steps(DEPLOY).await, [""; 0], "others may tag it too");

    let calls = || sandbox.state().calls.of("sagemaker:CreateTrainingJob");
    let trained = calls();
    let second = Project::edited(&sandbox, with_tags("team = \"sound\"")).await;
    assert_eq!(changes(&second).await, ["tags.cost center: 7 -> none", "tags.team: vision -> sound"]);
    second.succeed(DEPLOY).await;
    assert_eq!(second.steps(DEPLOY).await, [""; 0]);
    assert_eq!(calls(), trained, "nothing is trained again");
    // An instance ends itself, with the tags that it was started with.
    let of_instance = |arn: &str| arn.contains(":instance/") || arn.contains(":volume/");
    let own = tags(&sandbox);
    assert!(own.len() >= 15, "{own:?}");
    for (of, tags) in own.iter().filter(|(of, _)| !of_instance(of)) {
        assert_eq!((&tags["team"], &tags["opsctl:tags"]), (&json!("sound"), &json!("team")), "{of}: {tags}");
        assert!(tags.get("cost center").is_none(), "{of}: {tags}");
    }

    // Without the key everything that opsctl has put goes, and nothing else.
    let none = Project::whole(&sandbox).await;
    none.succeed(DEPLOY).await;
    assert_eq!(none.steps(DEPLOY).await, [""; 0]);
    let left: Vec<(String, Value)> = tags(&sandbox).into_iter().filter(|(of, _)| !of_instance(of)).collect();
    let of_others = left.iter().filter(|(_, tags)| tags.as_object().is_some_and(|tags| !tags.is_empty()));
    let of_others: Vec<&Value> = of_others.map(|(_, tags)| tags).collect();
    assert_eq!(of_others, [&json!({ "theirs": "1" })]);
    sandbox.stop().await;
}

fn with_boundary(text: String) -> String {
    with_ttl(text).replacen("[access]", &format!("[access]\npermissions_boundary = \"{BOUNDARY}\""), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_is_within_the_boundary() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let bounded = Project::edited(&sandbox, with_boundary).await;
    let iam = &bounded.world.aws.iam;
    let url = sandbox.endpoint_url().to_owned();
    let deploy = move || {
        let world = World::shipped().credentials();
        world.write("config/opsctl.toml", &with_boundary(world.read("config/opsctl.toml")));
        world.run(["--endpoint-url", &url, "-c", "config/opsctl.toml", "deploy", "--yes"])
    };
    let refused = tokio::task::spawn_blocking(deploy).await.expect("it ends");
    refused
        .says("error[E250]")
        .says(&format!("there is no policy {BOUNDARY}, which `permissions_boundary` names"));
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0, "nothing was made");
    for name in ["developers", "others"] {
        iam.create_policy().policy_name(name).policy_document(ALL).send().await.expect("it is new");
    }
    // Roles that are there get it.
    Project::whole(&sandbox).await.succeed(DEPLOY).await;
    assert_eq!(changes(&bounded).await, [format!("permissions boundary: none -> {BOUNDARY}")]);
    bounded.succeed(DEPLOY).await;
    assert_eq!(bounded.steps(DEPLOY).await, [""; 0]);
    let roles: Vec<&str> = bounded
        .desired
        .nodes
        .iter()
        .filter(|node| node.id.kind == KindName::Role)
        .map(|node| node.physical.as_str())
        .collect();
    let others = BOUNDARY.replace("developers", "others");
    let other = iam.put_role_permissions_boundary().role_name(roles[0]).permissions_boundary(&others);
    other.send().await.expect("it is there");
    assert_eq!(changes(&bounded).await, [format!("permissions boundary: {others} -> {BOUNDARY}")]);
    bounded.succeed(DEPLOY).await;
    for role in &roles {
        let found = iam.get_role().role_name(*role).send().await.expect("it is there");
        let boundary = found.role().and_then(|role| role.permissions_boundary());
        assert_eq!(boundary.and_then(|b| b.permissions_boundary_arn()), Some(BOUNDARY), "{role}");
    }
    // Without the key it stays, as that of an administrator does.
    assert_eq!(Project::whole(&sandbox).await.steps(DEPLOY).await, [""; 0]);
    bounded.succeed(DESTROY).await;
    bounded.succeed(DEPLOY).await;
    assert_eq!(bounded.steps(DEPLOY).await, [""; 0], "they are made with it");
    sandbox.stop().await;
}

/// A project of which every part runs with a role of others.
fn with_roles(text: &str) -> String {
    let role = |name: &str| format!("\nrole = \"arn:aws:iam::123456789012:role/{name}\"\n");
    text.replacen("on             = \"sagemaker\"", &format!("on = \"sagemaker\"{}", role("jobs")), 1)
        .replacen("on            = \"ec2\"", &format!("on = \"ec2\"{}", role("machines")), 1)
        .replacen("[notebook.lab]", &format!("[notebook.lab]{}", role("jobs")), 1)
        .replacen("[endpoint.numbers]", &format!("[endpoint.numbers]{}", role("jobs")), 1)
        .replacen(
            "endpoint                = \"numbers\"",
            &format!("endpoint = \"numbers\"{}", role("functions")),
            1,
        )
}

/// The roles of an administrator, with this policy.
async fn administrator(project: &Project, policy: &str) {
    let iam = &project.world.aws.iam;
    for (name, service) in [("jobs", "sagemaker"), ("machines", "ec2"), ("functions", "lambda")] {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Service": format!("{service}.amazonaws.com") }, "Action": "sts:AssumeRole" }] });
        let role = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
        role.send().await.expect("it is new");
        let put = iam.put_role_policy().role_name(name).policy_name("given").policy_document(policy);
        put.send().await.expect("it is there");
    }
    iam.create_instance_profile().instance_profile_name("machines").send().await.expect("it is new");
    let add = iam.add_role_to_instance_profile().instance_profile_name("machines").role_name("machines");
    add.send().await.expect("it is there");
}

/// What `opsctl policy role` prints: roles, of how many sections, and their documents.
async fn printed() -> Vec<(String, usize, Vec<Value>)> {
    let run = || {
        let world = World::shipped().credentials();
        let text = with_roles(&world.read("config/opsctl.toml"));
        world.write("config/opsctl.toml", &text);
        let asked = ["-c", "config/opsctl.toml", "-o", "json", "policy", "role", "--account", "123456789012"];
        world
            .run([
                "-c",
                "config/opsctl.toml",
                "policy",
                "role",
                "training/nobody",
                "--account",
                "123456789012",
            ])
            .ended(64)
            .says("training/nobody names no `role`")
            .says("these do: function/classify, ");
        world.run(asked).success().json()
    };
    let printed = tokio::task::spawn_blocking(run).await.expect("it ends");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let role = |role: &Value| {
        let name = role["role"].as_str().expect("an ARN").to_owned();
        (name, list(&role["sections"]).len(), list(&role["documents"]))
    };
    list(&printed["roles"]).iter().map(role).collect()
}

async fn deploy(url: &str) -> Ran {
    let url = url.to_owned();
    let run = move || {
        let world = World::shipped().credentials();
        let text = with_roles(&world.read("config/opsctl.toml"));
        world.write("config/opsctl.toml", &text);
        world.run(["--endpoint-url", &url, "-c", "config/opsctl.toml", "deploy", "--yes"])
    };
    tokio::task::spawn_blocking(run).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_others_are_used_looked_at_and_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::edited(&sandbox, |text| with_roles(&text)).await;
    assert!(project.desired.nodes.iter().all(|node| node.id.kind != KindName::Role), "none is made");
    let url = sandbox.endpoint_url().to_owned();

    let missing = deploy(&url).await;
    missing.says("error[E253]").says("there is no role arn:aws:iam::123456789012:role/jobs, which");
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0, "nothing was made");

    let little = ALL.replace("\"*\",\"Resource\"", "\"logs:*\",\"Resource\"");
    administrator(&project, &little).await;
    let lacking = deploy(&url).await;
    lacking
        .says("error[E253]")
        .says("role/jobs (of training.numbers) may not")
        .says("s3:GetObject on")
        .says("s3:PutObject on")
        .says(" policy role` prints, name another `role`")
        .does_not_say(" more");
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0, "nothing was made");

    // What `policy role` prints is enough, for the engine that the sandbox enforces it by too.
    let iam = &project.world.aws.iam;
    for (role, sections, documents) in printed().await {
        let name = role.rsplit('/').next().expect("a name").to_owned();
        assert!(sections > 0 && !documents.is_empty(), "{role}");
        for (i, document) in documents.iter().enumerate() {
            let put = iam.put_role_policy().role_name(&name).policy_name(format!("given{i}"));
            put.policy_document(document.to_string()).send().await.expect("it is there");
        }
        iam.delete_role_policy().role_name(&name).policy_name("given").send().await.expect("it was there");
    }
    // EC2 takes no role, but a profile that holds one.
    let take =
        iam.remove_role_from_instance_profile().instance_profile_name("machines").role_name("machines");
    take.send().await.expect("it holds it");
    deploy(&url).await.says("error[E253]").says("instance-profile/machines (of ").says("does not hold");
    iam.delete_instance_profile().instance_profile_name("machines").send().await.expect("it is empty");
    deploy(&url).await.says("error[E253]").says("there is no instance profile").says("`instance_profile`");
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0, "nothing was made");
    iam.create_instance_profile().instance_profile_name("machines").send().await.expect("it is new");
    let add = iam.add_role_to_instance_profile().instance_profile_name("machines").role_name("machines");
    add.send().await.expect("it is there");
    deploy(&url).await.success();
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, [""; 0]);
    let writes = ["CreateRole", "PutRolePolicy", "DeleteRole", "UpdateAssumeRolePolicy", "TagRole"];
    let count = || writes.map(|call| sandbox.state().calls.of(&format!("iam:{call}")));
    let before = count();
    project.succeed(DESTROY).await;
    assert_eq!(count(), before, "they are not touched");
    iam.get_role().role_name("jobs").send().await.expect("it is still there");

    // A role that does not trust the service is no use either.
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    let update = iam.update_assume_role_policy().role_name("functions").policy_document(trust.to_string());
    update.send().await.expect("it is there");
    deploy(&url).await.says("role/functions (of function.classify) does not trust lambda.amazonaws.com");
    sandbox.stop().await;
}
