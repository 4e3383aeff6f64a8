//! EC2, the tagging API and quotas as a client sees them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ec2 as ec2;
use aws_sdk_iam as iam;
use aws_sdk_resourcegroupstagging as tagging;
use base64::Engine as _;
use ec2::error::ProvideErrorMetadata as _;
use ec2::types::{
    Filter, IamInstanceProfileSpecification, InstanceType, ResourceType, ShutdownBehavior, Tag,
    TagSpecification,
};
use serde_json::json;

use super::{Backend, BootedInstance};
use crate::services::quotas;
use crate::state::SandboxState;
use crate::wire_tests::{client, sandbox};
use crate::{AwsRule, Sandbox, SandboxOptions, StatePace};

const IMAGE: &str = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.unwrap_err().into_service_error();
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }};
}

/// Remembers what it was told.
#[derive(Default)]
struct Witness(Mutex<Vec<String>>);

impl Backend for Witness {
    fn boot(&self, shared: Arc<SandboxState>, instance: BootedInstance) {
        let data = String::from_utf8(instance.user_data.unwrap_or_default()).unwrap();
        self.0.lock().unwrap().push(format!("boot {data} {}", instance.role_arn.unwrap_or_default()));
        super::shut_down(&shared, &instance.region, &instance.instance_id).unwrap();
    }

    fn power_off(&self, _: &Arc<SandboxState>, _: &str, _: &str) {
        self.0.lock().unwrap().push("off".into());
    }
}

fn launch(client: &ec2::Client) -> ec2::operation::run_instances::builders::RunInstancesFluentBuilder {
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("opsctl:project").value("dogs").build());
    client
        .run_instances()
        .image_id(IMAGE)
        .instance_type(InstanceType::T2Xlarge)
        .min_count(1)
        .max_count(1)
        .tag_specifications(tags.build())
}

async fn state(client: &ec2::Client, id: &str) -> String {
    let found = client.describe_instances().instance_ids(id).send().await.unwrap();
    found.reservations()[0].instances()[0].state().unwrap().name().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn an_instance_boots_its_user_data_and_ends_as_it_was_launched_to() {
    let root = tempfile::tempdir().unwrap();
    let options = SandboxOptions { pace: StatePace::Realistic, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let witness = Arc::new(Witness::default());
    sandbox.state().extensions.plug::<dyn Backend>(witness.clone());
    let (client, iam) = (client!(ec2, sandbox), client!(iam, sandbox));
    let clock = &sandbox.state().clock;

    iam.create_role().role_name("trainer").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.create_instance_profile().instance_profile_name("trainer").send().await.unwrap();
    let profile = IamInstanceProfileSpecification::builder().name("trainer").build();
    let user_data = base64::engine::general_purpose::STANDARD.encode("#!/bin/sh");
    let run = launch(&client)
        .iam_instance_profile(profile)
        .user_data(user_data)
        .client_token("once")
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate);
    let (code, message) = refused!(run.clone());
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        "Value (trainer) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    );
    clock.advance(Duration::from_secs(11));
    assert!(refused!(run.clone()).1.ends_with("has no associated IAM Roles"));
    let add = iam.add_role_to_instance_profile().instance_profile_name("trainer").role_name("trainer");
    add.send().await.unwrap();
    clock.advance(Duration::from_secs(11));

    assert_eq!(refused!(run.clone().dry_run(true)).0, "DryRunOperation");
    let made = run.clone().send().await.unwrap();
    let id = made.instances()[0].instance_id().unwrap().to_owned();
    assert_eq!(made.instances()[0].tags()[0].value(), Some("dogs"));
    let again = run.clone().send().await.unwrap();
    assert_eq!((again.instances().len(), again.instances()[0].instance_id()), (1, Some(id.as_str())));
    assert_eq!(refused!(run.max_count(2)).0, "IdempotentParameterMismatch");
    assert_eq!(refused!(client.describe_instances().instance_ids(&id)).0, "InvalidInstanceID.NotFound");
    clock.advance(Duration::from_secs(3));
    assert_eq!(state(&client, &id).await, "pending");
    assert_eq!(refused!(client.stop_instances().instance_ids(&id)).0, "IncorrectInstanceState");
    clock.advance(Duration::from_secs(15));
    while witness.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let told = witness.0.lock().unwrap().clone();
    assert_eq!(told, ["boot #!/bin/sh arn:aws:iam::123456789012:role/trainer"]);
    assert_eq!(state(&client, &id).await, "shutting-down");
    clock.advance(Duration::from_secs(40));
    assert_eq!(state(&client, &id).await, "terminated");
    clock.advance(Duration::from_secs(3_601));
    assert_eq!(refused!(client.describe_instances().instance_ids(&id)).0, "InvalidInstanceID.NotFound");
    assert!(crate::tags::all(sandbox.state()).iter().all(|(arn, _)| !arn.contains(&id)));
    sandbox.stop().await;
}

#[tokio::test]
async fn instances_are_found_by_tag_stopped_and_terminated() {
    let (_root, sandbox) = sandbox(&[]).await;
    let (client, shared) = (client!(ec2, sandbox), sandbox.state());
    let tagging = client!(tagging, sandbox);
    assert_eq!(refused!(launch(&client).image_id("ami-0")).0, "InvalidAMIID.NotFound");
    assert_eq!(refused!(launch(&client).instance_type(InstanceType::M6gLarge)).0, "InvalidParameterValue");
    assert_eq!(refused!(launch(&client).instance_type(InstanceType::G5Xlarge)).0, "VcpuLimitExceeded");
    let (mine, others) = ("subnet-0a1b2c3d4e5f60718", "sg-0a1b2c3d4e5f60718");
    assert_eq!(refused!(launch(&client).subnet_id("subnet-1")).0, "InvalidSubnetID.NotFound");
    assert_eq!(refused!(launch(&client).security_group_ids("sg-1")).0, "InvalidGroup.NotFound");
    let apart = launch(&client).security_group_ids(others);
    assert!(refused!(apart).1.ends_with("belong to different networks."));
    let inside = launch(&client).subnet_id(mine).security_group_ids(others).dry_run(true);
    assert_eq!(refused!(inside).0, "DryRunOperation");
    let big = base64::engine::general_purpose::STANDARD.encode("x".repeat(16_385));
    assert_eq!(refused!(launch(&client).user_data(big)).1, "User data is limited to 16384 bytes");
    quotas::post(shared, json!({"account": "fresh"})).unwrap();
    assert_eq!(refused!(launch(&client).min_count(2).max_count(2)).0, "VcpuLimitExceeded");
    quotas::post(shared, json!({"L-1216C47A": 8})).unwrap();
    let made = launch(&client).min_count(2).max_count(2).send().await.unwrap();
    let id = made.instances()[0].instance_id().unwrap();
    shared.clock.advance(Duration::from_secs(1));

    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let by_tag = client.describe_instances().filters(filter("tag:opsctl:project", "d*gs"));
    let found = by_tag.clone().filters(filter("instance-state-name", "running")).send().await.unwrap();
    assert_eq!((found.reservations().len(), found.reservations()[0].instances().len()), (1, 2));
    assert_eq!(
        refused!(client.describe_instances().filters(filter("color", "red"))).0,
        "InvalidParameterValue"
    );
    let resources = tagging.get_resources().resource_type_filters("ec2:instance").resources_per_page(1);
    let first = resources.clone().send().await.unwrap();
    let second = resources.pagination_token(first.pagination_token().unwrap()).send().await.unwrap();
    assert_eq!((second.resource_tag_mapping_list().len(), second.pagination_token()), (1, Some("")));

    client.create_tags().resources(id).tags(Tag::builder().key("k").value("v").build()).send().await.unwrap();
    let keys = tagging.get_tag_keys().send().await.unwrap();
    assert_eq!(keys.tag_keys(), ["k", "opsctl:project"]);
    let role = "arn:aws:iam::123456789012:role/r";
    let failed = tagging.tag_resources().resource_arn_list(role).tags("a", "b").send().await.unwrap();
    assert!(failed.failed_resources_map().unwrap().contains_key(role));

    client.stop_instances().instance_ids(id).send().await.unwrap();
    shared.clock.advance(Duration::from_secs(1));
    assert_eq!(state(&client, id).await, "stopped");
    client.start_instances().instance_ids(id).send().await.unwrap();
    let ended = client.terminate_instances().instance_ids(id).send().await.unwrap();
    let change = &ended.terminating_instances()[0];
    assert_eq!(change.current_state().unwrap().name().unwrap().as_str(), "shutting-down");
    shared.clock.advance(Duration::from_secs(1));
    assert_eq!(state(&client, id).await, "terminated");
    client.terminate_instances().instance_ids(id).send().await.unwrap();
    assert_eq!(
        refused!(client.terminate_instances().instance_ids(id).instance_ids("i-0")).0,
        "InvalidInstanceID.NotFound"
    );
    sandbox.stop().await;
}

/// Something runs on all instances until it is told that it does not.
#[derive(Default)]
struct Lingers(AtomicBool);

impl Backend for Lingers {
    fn boot(&self, _: Arc<SandboxState>, _: BootedInstance) {}

    fn power_off(&self, _: &Arc<SandboxState>, _: &str, _: &str) {}

    fn runs(&self, _: &str) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// What is terminated writes nothing any more: its last words would be taken for those of its successor.
#[tokio::test]
async fn an_instance_is_terminated_when_what_ran_on_it_has_ended() {
    let root = tempfile::tempdir().unwrap();
    let backend = Arc::new(Lingers::default());
    let sandbox = Sandbox::start(SandboxOptions::new(root.path())).await.unwrap();
    sandbox.state().extensions.plug::<dyn Backend>(backend.clone());
    let (client, shared) = (client!(ec2, sandbox), sandbox.state());
    let made = launch(&client).send().await.unwrap();
    let id = made.instances()[0].instance_id().unwrap().to_owned();
    shared.clock.advance(Duration::from_secs(60));
    client.terminate_instances().instance_ids(&id).send().await.unwrap();
    shared.clock.advance(Duration::from_secs(600));
    assert_eq!(state(&client, &id).await, "shutting-down");
    client.terminate_instances().instance_ids(&id).send().await.unwrap();
    assert_eq!(state(&client, &id).await, "shutting-down");
    backend.0.store(true, Ordering::Relaxed);
    super::went_off(shared, "eu-west-1", &id).unwrap();
    shared.clock.advance(Duration::from_secs(60));
    assert_eq!(state(&client, &id).await, "terminated");
    sandbox.stop().await;
}

#[tokio::test]
async fn without_its_rules_ec2_is_as_lenient_as_an_emulator() {
    let root = tempfile::tempdir().unwrap();
    let off = [
        AwsRule::ProfilePropagation,
        AwsRule::InstanceVisibility,
        AwsRule::VcpuLimit,
        AwsRule::ImageArchitecture,
    ];
    let options = SandboxOptions {
        pace: StatePace::Realistic,
        rules_off: off.into(),
        ..SandboxOptions::new(root.path())
    };
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let (client, iam) = (client!(ec2, sandbox), client!(iam, sandbox));
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.create_instance_profile().instance_profile_name("p").send().await.unwrap();
    iam.add_role_to_instance_profile().instance_profile_name("p").role_name("r").send().await.unwrap();
    let profile = IamInstanceProfileSpecification::builder().name("p").build();
    let run = launch(&client).instance_type(InstanceType::M6gLarge).iam_instance_profile(profile);
    let made = run.min_count(40).max_count(40).send().await.unwrap();
    assert_eq!(made.instances().len(), 40);
    let id = made.instances()[0].instance_id().unwrap();
    assert_eq!(state(&client, id).await, "pending");
    sandbox.stop().await;

    // The first process ended before the instances ran: the next one boots them.
    let sandbox = Sandbox::start(options).await.unwrap();
    let witness = Arc::new(Witness::default());
    sandbox.state().extensions.plug::<dyn Backend>(witness.clone());
    assert!(super::resume(sandbox.state()).is_empty());
    sandbox.state().clock.advance(Duration::from_secs(16));
    while witness.0.lock().unwrap().len() < 40 {
        tokio::task::yield_now().await;
    }
    sandbox.stop().await;
}
