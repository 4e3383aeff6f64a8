//! The documents of `opsctl policy` against what opsctl really asks: each call is allowed, and nothing is
//! that no call needs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTargetAction, ServiceNamespace};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use opsctl::domain::KindName;
use opsctl::engine::{Cause, Event, Events, OpCx};
use opsctl::plan::Mode;
use opsctl::policy::{self, Names, Whom};
use opsctl_iam::policy::{Document, Policy, Selector};
use opsctl_iam::request::{Request, Verdict};
use opsctl_sandbox::{AwsRule, Sandbox, SandboxOptions, StatePace};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::World;
use crate::support::asked::{self, Asked, Place};
use crate::support::commands::{CHANGES, LOOKS, run};
use crate::support::inside::{DEPLOY, DESTROY, Project, post, sandbox, with_ttl};
use crate::support::tap::Tap;

const PLACE: Place = Place { project: "digits", environment: "dev" };

fn policies(documents: &[Value]) -> Vec<Policy> {
    let read = |document: &Value| Document::read(document.clone()).policy().cloned().expect("it is a policy");
    documents.iter().map(read).collect()
}

fn verdict(asked: &Asked, policies: &[Policy]) -> Verdict {
    let Asked { action, resource, context } = asked;
    let policies: Vec<&Policy> = policies.iter().collect();
    Request { action, resource, context }.verdict(&policies)
}

fn refused<'a>(asked: &'a BTreeSet<Asked>, policies: &[Policy]) -> Vec<&'a Asked> {
    asked.iter().filter(|asked| verdict(asked, policies) != Verdict::Allowed).collect()
}

/// Statements with one action or resource fewer, and what was taken away.
fn fewer(documents: &[Value], member: &str) -> Vec<(String, Vec<Value>)> {
    let mut all = Vec::new();
    for (d, document) in documents.iter().enumerate() {
        for (s, statement) in document["Statement"].as_array().expect("a list").iter().enumerate() {
            for (i, one) in statement[member].as_array().expect("a list").iter().enumerate() {
                let mut documents = documents.to_vec();
                documents[d]["Statement"][s][member].as_array_mut().expect("a list").remove(i);
                let of = statement["Action"][0].as_str().expect("a text");
                all.push((format!("{} of {of}", one.as_str().expect("a text")), documents));
            }
        }
    }
    all
}

/// What can be taken away without a call being refused.
fn idle(documents: &[Value], asked: &BTreeSet<Asked>) -> BTreeSet<String> {
    let without = |member| fewer(documents, member).into_iter();
    let all = without("Action").chain(without("Resource"));
    let idle = all.filter(|(_, fewer)| {
        // An empty list is no policy, and allows nothing.
        let left = policies_of_whole(fewer);
        refused(asked, &left).is_empty()
    });
    idle.map(|(what, _)| what).collect()
}

fn policies_of_whole(documents: &[Value]) -> Vec<Policy> {
    let mut read = policies(documents);
    for policy in &mut read {
        let is_whole = |list: &Selector| !list.patterns().is_empty();
        policy.statements.retain(|s| is_whole(&s.actions) && s.resources.as_ref().is_some_and(is_whole));
    }
    read
}

/// Needed where something is as no run of this test finds it: a session of a role asks about that role, and a
/// boundary that IAM counts and its listing leaves out, which the sandbox never does (`audit_pages` has
/// both).
const RARE: &[&str] = &[
    "arn:aws:iam::123456789012:role/* of iam:SimulatePrincipalPolicy",
    "arn:aws:iam::123456789012:policy/* of iam:ListEntitiesForPolicy",
    "arn:aws:iam::aws:policy/* of iam:ListEntitiesForPolicy",
    "iam:ListEntitiesForPolicy of iam:ListEntitiesForPolicy",
    // The shipped project reserves no concurrency.
    "lambda:PutFunctionConcurrency of lambda:CreateAlias",
    // Earlier manifests are read where a data set has left the config or deletes what left its folder.
    "s3:GetObjectVersion of s3:AbortMultipartUpload",
];

/// Others were here, and the jobs wrote lines.
async fn meddle(sandbox: &Sandbox, project: &Project) {
    let aws = &project.world.aws;
    let name = |kind| {
        let node = project.desired.nodes.iter().find(|node| node.id.kind == kind);
        node.expect("the shipped project has one").physical.clone()
    };
    let training = name(KindName::Training);
    for (group, stream) in [
        ("/aws/sagemaker/TrainingJobs".to_owned(), format!("{training}/algo-1")),
        ("/aws/sagemaker/NotebookInstances".to_owned(), "digits-dev-lab/jupyter.log".to_owned()),
        ("/aws/sagemaker/Endpoints/digits-dev-numbers".to_owned(), "AllTraffic/i-1".to_owned()),
        ("/aws/lambda/digits-dev-classify".to_owned(), "2026/11/28/[$LATEST]1".to_owned()),
    ] {
        // Some are there already.
        let _ = aws.logs.create_log_group().log_group_name(&group).send().await;
        let stream = aws.logs.create_log_stream().log_group_name(&group).log_stream_name(&stream);
        let _ = stream.send().await;
    }
    let role = "digits-dev-function-classify-us-east-1";
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    aws.iam.attach_role_policy().role_name(role).policy_arn(admin).send().await.expect("it is there");
    let trust = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRoleWithWebIdentity",
               "Condition":{{"StringEquals":{{"token.actions.githubusercontent.com:sub":"repo:a/b:ref:refs/heads/main"}}}}}}]}}"#
        )
    };
    let oidc = "oidc-provider/token.actions.githubusercontent.com";
    let federated = trust(&format!(r#"{{"Federated":"arn:aws:iam::123456789012:{oidc}"}}"#));
    let saml = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:saml-provider/corp"},"Action":"sts:AssumeRoleWithSAML"}]}"#;
    let own =
        aws.iam.create_policy().policy_name("own").policy_document(OWN).send().await.expect("it is new");
    let own = own.policy().and_then(|policy| policy.arn()).expect("it has one").to_owned();
    for (name, trust, policy) in [("pipeline", &*federated, admin), ("people", saml, &*own)] {
        let made = aws.iam.create_role().role_name(name).assume_role_policy_document(trust);
        made.permissions_boundary(policy).send().await.expect("it is new");
        for policy in [admin, &own] {
            aws.iam
                .attach_role_policy()
                .role_name(name)
                .policy_arn(policy)
                .send()
                .await
                .expect("it is there");
        }
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let past = json!({ "role": name, "created": "2024-01-01T00:00:00Z", "last_used": now });
        post(sandbox, "iam", &past).await;
    }
    // Nobody shares its policy, so it is asked about itself.
    let alone = aws.iam.create_role().role_name("alone").assume_role_policy_document(saml);
    alone.send().await.expect("it is new");
    let inline = aws.iam.put_role_policy().role_name("alone").policy_name("own").policy_document(OWN);
    inline.send().await.expect("it is there");
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    post(sandbox, "iam", &json!({ "role": "alone", "created": "2024-01-01T00:00:00Z", "last_used": now }))
        .await;
    let update = aws.iam.update_assume_role_policy().role_name("digits-dev-training-numbers-us-east-1");
    update.policy_document(saml).send().await.expect("it is there");
    let reserve = aws.lambda.put_function_concurrency().function_name("digits-dev-classify");
    reserve.reserved_concurrent_executions(5).send().await.expect("it is there");
    let url = aws.lambda.create_function_url_config().function_name("digits-dev-classify").qualifier("live");
    url.auth_type(FunctionUrlAuthType::None).send().await.expect("it has none");
    let scheduled = aws.autoscaling.put_scheduled_action().service_namespace(ServiceNamespace::Sagemaker);
    let scheduled = scheduled.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    let action = ScalableTargetAction::builder().min_capacity(1).max_capacity(2).build();
    let scheduled = scheduled.resource_id("endpoint/digits-dev-numbers/variant/AllTraffic");
    let scheduled = scheduled.scheduled_action_name("night").schedule("rate(1 day)");
    scheduled.scalable_target_action(action).send().await.expect("it is there");
}

const OWN: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn strike(sandbox: &Sandbox, rule: &str) {
    sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
}

/// Quotas that the account has not, or has by default only; a region that is off.
async fn look_at_little(sandbox: &Sandbox, world: World, url: &str) -> World {
    strike(sandbox, "fail=NoSuchResourceException@servicequotas:GetServiceQuota#1x0");
    post(sandbox, "regions", &json!({ "off": ["me-south-1"] })).await;
    let url = url.to_owned();
    let look = move || {
        let (from, to) = ("\"ml.m5.large\"", "\"ml.c5.large\"");
        run(&world, &url, &["doctor", "--region me-south-1 plan"]);
        world.edit("config/opsctl.toml", from, to);
        run(&world, &url, &["doctor"]);
        world.edit("config/opsctl.toml", to, from);
        world
    };
    let world = tokio::task::spawn_blocking(look).await.expect("they run");
    sandbox.state().faults.clear();
    world
}

/// Somebody has taken the tags away: it is adopted, and released again.
async fn lend(project: &Project, plain: &Project) {
    project.succeed(DEPLOY).await;
    let aws = &plain.world.aws;
    let tags = ["opsctl:project", "opsctl:environment", "opsctl:resource", "opsctl:name"];
    for node in &plain.desired.nodes {
        let name = &node.physical;
        match node.id.kind {
            KindName::Bucket => {
                aws.s3.delete_bucket_tagging().bucket(name).send().await.expect("it is there");
                // What is opsctl's in a policy of others is then all of it.
                aws.s3.delete_bucket_policy().bucket(name).send().await.expect("it is there");
            }
            KindName::Role => {
                let found = aws.iam.get_role().role_name(name).send().await.expect("it is there");
                let keys = found.role().map(|role| role.tags()).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|tag| tag.key().to_owned()).collect();
                let untag = aws.iam.untag_role().role_name(name).set_tag_keys(Some(keys));
                untag.send().await.expect("it is there");
            }
            KindName::LogGroup => {
                let arn = plain.world.scope.arn("logs", &format!("log-group:{name}"));
                let untag = aws.logs.untag_resource().resource_arn(arn);
                let untag = untag.set_tag_keys(Some(tags.map(str::to_owned).to_vec()));
                untag.send().await.expect("it is there");
            }
            _ => {}
        }
    }
    project.succeed(Mode::Deploy { prune: false, adopt: true }).await;
    project.succeed(DESTROY).await;
}

/// A training and an instance that run are stopped.
async fn stopped() -> BTreeSet<Asked> {
    let folder = tempfile::tempdir().expect("a folder");
    let at_once = [AwsRule::RolePropagation, AwsRule::ProfilePropagation, AwsRule::InstanceVisibility];
    let options = SandboxOptions {
        runs: false,
        pace: StatePace::Realistic,
        rules_off: at_once.into_iter().collect(),
        ..SandboxOptions::new(folder.path())
    };
    let sandbox = Sandbox::start(options).await.expect("it starts");
    let tap = Tap::on(sandbox.endpoint_url());
    let mut project = Project::through(&sandbox, &tap.url, |text| text).await;
    let (sender, mut events) = unbounded_channel();
    project.world.events = Events::to(sender);
    let cancel = project.world.cancel.clone();
    let interrupt = async {
        let mut waiting = BTreeSet::from([KindName::Training, KindName::Instance]);
        while !waiting.is_empty() {
            if let Some(Event::StepWaiting { target, .. }) = events.recv().await {
                waiting.remove(&target.kind);
            }
        }
        cancel.stop(Cause::Interrupt);
    };
    let (ended, ()) = tokio::join!(project.run(DEPLOY), interrupt);
    assert!(ended.expect("it can be planned").failed.is_empty());
    let project = Project::through(&sandbox, &tap.url, |text| text).await;
    for (kind, call) in
        [(KindName::Training, "sagemaker:StopTrainingJob"), (KindName::Instance, "ec2:TerminateInstances")]
    {
        let node = project.desired.nodes.iter().find(|node| node.id.kind == kind).expect("it has one");
        let cx = OpCx::new(&project.world, node.id.clone());
        let asked = async {
            while sandbox.state().calls.of(call) == 0 {
                tokio::task::yield_now().await;
            }
        };
        // It ends in minutes, which nobody waits for here.
        tokio::select! {
            ended = project.registry.of(kind).stop(&cx, &node.physical) => ended.expect("it is stopped"),
            () = asked => {}
        }
    }
    let asked = asked::all(&tap.sent(), PLACE);
    sandbox.stop().await;
    asked
}

/// Somebody else's are refused.
#[track_caller]
fn strangers_are_refused(documents: &[Policy]) {
    for (action, resource) in [
        ("s3:GetObject", "arn:aws:s3:::another/key"),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/admin"),
        ("sagemaker:DeleteEndpoint", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/theirs"),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/opsctl/digits/dev/digits-dev-training-numbers-us-east-1",
        ),
        ("ec2:TerminateInstances", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"),
    ] {
        let asked = Asked { action: action.into(), resource: resource.into(), context: Vec::new() };
        assert_eq!(verdict(&asked, documents), Verdict::ImplicitDeny, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_allowed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let tap = Tap::on(sandbox.endpoint_url());
    let project = Project::through(&sandbox, &tap.url, with_ttl).await;
    let document = |whom, names| policy::documents(&project.desired, &project.kinds, whom, names);
    project.succeed(DEPLOY).await;
    let plain = Project::whole(&sandbox).await;
    meddle(&sandbox, &plain).await;
    let world = World::shipped().credentials();
    world.edit("config/opsctl.toml", "# ttl  = ", "ttl  = ");
    let deployed = tap.sent().len();
    let url = tap.url.clone();
    let world = tokio::task::spawn_blocking(move || {
        run(&world, &url, LOOKS);
        world
    });
    let world = world.await.expect("they run");
    let world = look_at_little(&sandbox, world, &tap.url).await;
    let looked = asked::all(&tap.sent()[deployed..], PLACE);

    let (url, state) = (tap.url.clone(), Arc::clone(sandbox.state()));
    let changes = move || {
        let handler = "def lambda_handler(event, context):\n    return {}\n";
        world.write("config/function/handler.py", handler);
        world.edit("config/opsctl.toml", "# source                = \"function\"", "source = \"function\"");
        run(&world, &url, CHANGES);
        // A large file whose upload is broken off, and taken up again.
        world.write("config/data/digits/large.bin", &"x".repeat(17 << 20));
        state.faults.extend(vec!["fail=AccessDenied@s3:UploadPart#2".parse().expect("a rule")]);
        run(&world, &url, &["upload --yes", "upload --yes"]);
    };
    tokio::task::spawn_blocking(changes).await.expect("they run");
    let tagged = |text: String| with_ttl(text).replacen("# tags = ", "tags = ", 1);
    Project::through(&sandbox, &tap.url, tagged).await.succeed(DEPLOY).await;
    project.succeed(DEPLOY).await;
    let other = Project::through(&sandbox, &tap.url, |text| {
        let text = with_ttl(text)
            .replace("memory_mb               = 128", "memory_mb = 256")
            .replace("epochs = ", "spare = \"1.10\"\nepochs = ");
        let text = text
            .replace("\"ml.m5.large\"", "\"ml.c5.large\"")
            .replace("volume_gb     = 5 ", "volume_gb = 6 ");
        text.replace("keep_old_versions   = \"30d\"", "keep_old_versions = \"31d\"")
            .replace("max = 4", "max = 5")
    });
    other.await.succeed(Mode::Deploy { prune: true, adopt: false }).await;
    let begun = plain.world.aws.s3.create_multipart_upload().bucket("digits-dev-123456789012-us-east-1");
    begun.key("data/digits/left.bin").send().await.expect("the bucket is there");
    project.succeed(DESTROY).await;
    lend(&project, &plain).await;
    let mut all = asked::all(&tap.sent(), PLACE);
    all.extend(stopped().await);
    assert!(all.len() > 200, "{}", all.len());

    for names in [Names::Exact, Names::OfProject] {
        let documents = document(Whom::Deployer, names);
        assert_eq!(refused(&all, &policies(&documents)), [] as [&Asked; 0], "{names:?}");
        let documents = document(Whom::Planner, names);
        assert_eq!(refused(&looked, &policies(&documents)), [] as [&Asked; 0], "{names:?}");
    }
    let rare: BTreeSet<String> = RARE.iter().map(|what| (*what).to_owned()).collect();
    assert_eq!(
        idle(&document(Whom::Deployer, Names::Exact), &all),
        rare,
        "no call of the deployer needs these"
    );
    let planner = document(Whom::Planner, Names::Exact);
    let rare: BTreeSet<String> = rare
        .into_iter()
        .filter(|what| [":ListEntities", ":Simulate"].iter().any(|call| what.contains(call)))
        .chain(["s3:GetObjectVersion of s3:GetObject".to_owned()])
        .collect();
    assert_eq!(idle(&planner, &looked), rare, "no call of the planner needs these");
    strangers_are_refused(&policies(&document(Whom::Deployer, Names::OfProject)));
    sandbox.stop().await;
}
