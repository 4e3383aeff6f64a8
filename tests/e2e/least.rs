//! The policies of the roles that opsctl makes: each statement is needed. What trains, serves and answers
//! runs once, and every request that a session of a role makes is kept; without any one statement some of
//! them are refused. `allowed.rs` is the same for whoever runs opsctl.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use opsctl::config::Document;
use opsctl::desired::Kind;
use opsctl::domain::KindName;
use opsctl::resources::role::Role;
use opsctl_sandbox::authority::{Authority, Denied, Principal, Request, Session};
use opsctl_sandbox::services::scheduler::fire_due;
use opsctl_sandbox::{Sandbox, SandboxOptions, SandboxState};
use serde_json::{Value, json};

use crate::support::inside::{DEPLOY, Project};

const CONFIG: &str = r#"
[project]
name   = "least"
region = "us-east-1"
ttl    = "1h"

[data.rows]
path = "data"

[training.rows]
source      = "src"
data        = ["rows"]
max_runtime = "30m"
checkpoints = true

[training.machine]
on          = "ec2"
source      = "src"
data        = ["rows"]
max_runtime = "30m"

[endpoint.rows]
model = "rows"
code  = "src"

[function.ask]
endpoint                = "rows"
provisioned_concurrency = 0

[notebook.lab]
instance_type = "ml.t3.large"

[encryption]
kms_key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
"#;

/// Reads its channel and leaves a model.
const TRAIN: &str = r#"
import os
with open(os.path.join(os.environ["SM_CHANNEL_ROWS"], "a.csv")) as file:
    rows = file.read()
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as file:
    file.write(rows)
"#;

const SERVE: &str = r#"
import json, os
def model_fn(folder):
    with open(os.path.join(folder, "model.txt")) as file:
        return file.read()
def predict_fn(rows, model):
    return len(model)
"#;

/// What nothing here needs, because the sandbox pulls no image, writes the logs and the metrics of jobs and
/// endpoints itself, has no volumes and no person in a notebook; with what AWS says of each. The user of the
/// role and the first action of the statement.
const ONLY_ON_AWS: &[(&str, &str, &str)] = &[
    ("training-rows", "ecr:GetAuthorizationToken", ROLES),
    ("training-rows", "ecr:BatchCheckLayerAvailability", ROLES),
    ("training-rows", "logs:CreateLogGroup", ROLES),
    ("training-rows", "cloudwatch:PutMetricData", ROLES),
    // TensorFlow's container asks where the bucket is.
    ("training-rows", "s3:GetBucketLocation", LOCATION),
    ("training-rows", "kms:DescribeKey", OUTPUT),
    ("training-rows", "kms:CreateGrant", ROLES),
    ("endpoint-rows", "ecr:GetAuthorizationToken", ROLES),
    ("endpoint-rows", "ecr:BatchCheckLayerAvailability", ROLES),
    ("endpoint-rows", "logs:CreateLogStream", ROLES),
    ("endpoint-rows", "cloudwatch:PutMetricData", ROLES),
    ("endpoint-rows", "s3:ListBucket", ROLES),
    ("endpoint-rows", "s3:GetBucketLocation", LOCATION),
    ("endpoint-rows", "kms:DescribeKey", ROLES),
    ("endpoint-rows", "kms:CreateGrant", ROLES),
    ("notebook-lab", "s3:GetObject", ROLES),
    ("notebook-lab", "s3:ListBucket", ROLES),
    ("notebook-lab", "s3:GetBucketLocation", ROLES),
    ("notebook-lab", "s3:PutObject", ROLES),
    ("notebook-lab", "logs:CreateLogGroup", ROLES),
    ("notebook-lab", "sagemaker:StopNotebookInstance", STOP),
    ("notebook-lab", "kms:Decrypt", ROLES),
    ("notebook-lab", "kms:DescribeKey", ROLES),
    ("notebook-lab", "kms:CreateGrant", ROLES),
];
const ROLES: &str = "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html";
const LOCATION: &str = "https://github.com/aws/amazon-sagemaker-examples/issues/606";
const OUTPUT: &str = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputDataConfig.html";
const STOP: &str = "src/resources/notebook/on_start.sh, which runs on the notebook";

/// A request of a session of a role.
#[derive(Clone, Debug)]
struct Asked {
    session: Session,
    service: String,
    operation: String,
    region: String,
    input: Value,
}

impl Asked {
    fn decide(&self, authority: &dyn Authority, state: &SandboxState) -> Result<(), Denied> {
        let principal = &Principal::Session(self.session.clone());
        let Self { service, operation, region, input, .. } = self;
        authority.decide(state, &Request { principal, service, operation, region, input })
    }
}

/// Keeps what sessions ask, and leaves the decision to the sandbox.
struct Witness {
    inner: Arc<dyn Authority>,
    asked: Mutex<Vec<Asked>>,
}

impl Witness {
    fn on(sandbox: &Sandbox) -> Arc<Self> {
        let inner = sandbox.state().extensions.plugged::<dyn Authority>();
        let witness = Arc::new(Self { inner, asked: Mutex::default() });
        sandbox.state().extensions.plug::<dyn Authority>(witness.clone());
        witness
    }

    fn has_seen(&self, operation: &str) -> bool {
        let asked = self.asked.lock().expect("nobody panics");
        asked.iter().any(|asked| asked.operation.eq_ignore_ascii_case(operation))
    }
}

impl Authority for Witness {
    fn decide(&self, state: &SandboxState, request: &Request<'_>) -> Result<(), Denied> {
        if let Principal::Session(session) = request.principal {
            self.asked.lock().expect("nobody panics").push(Asked {
                session: session.clone(),
                service: request.service.to_owned(),
                operation: request.operation.to_owned(),
                region: request.region.to_owned(),
                input: request.input.clone(),
            });
        }
        self.inner.decide(state, request)
    }
}

fn project(folder: &Path) -> Document {
    for (file, text) in [("src/train.py", TRAIN), ("src/inference.py", SERVE), ("data/a.csv", "1,2\n")] {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().expect("it has one")).expect("made");
        std::fs::write(file, text).expect("written");
    }
    Document::parse(&folder.join("opsctl.toml"), CONFIG.to_owned()).expect("it is TOML")
}

/// All that the roles are for: a deploy trains and serves, a call answers, and time ends it.
async fn all_of_it(sandbox: &Sandbox, project: &Project) {
    project.succeed(DEPLOY).await;
    let call = project.world.aws.lambda.invoke().function_name("least-dev-ask").qualifier("live");
    let answer = call.payload(Blob::new("[1]")).send().await.expect("it answers");
    assert_eq!(answer.function_error(), None, "{answer:?}");
    sandbox.state().clock.advance(Duration::from_secs(2 * 3600));
    fire_due(sandbox.state()).await;
}

async fn put(project: &Project, role: &str, statements: &[Value]) {
    // An empty policy is none.
    let nothing = [json!({ "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*" })];
    let statements = if statements.is_empty() { &nothing[..] } else { statements };
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let put = project.world.aws.iam.put_role_policy().role_name(role).policy_name(Role::POLICY);
    put.policy_document(document).send().await.expect("it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_statement_of_a_role_something_is_refused() {
    let (folder, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let sandbox = Sandbox::start(SandboxOptions::new(root.path())).await.expect("it starts");
    let witness = Witness::on(&sandbox);
    let project = Project::of(&sandbox, &project(folder.path())).await;
    all_of_it(&sandbox, &project).await;
    // The sandbox's own watch may fire what is due, beside `fire_due`.
    for ends in ["DeleteEndpoint", "StopNotebookInstance"] {
        while !witness.has_seen(ends) {
            tokio::task::yield_now().await;
        }
    }
    let asked = witness.asked.lock().expect("nobody panics").clone();
    let state = sandbox.state();
    let refused = |asked: &Asked| asked.decide(witness.inner.as_ref(), state).is_err();

    let mut idle = BTreeSet::new();
    let roles = project.desired.nodes.iter().filter(|node| node.id.kind == KindName::Role);
    for node in roles {
        let spec = node.spec_as::<Role>().expect("it is one");
        let arn = <Role as Kind>::arns(&project.world.scope, &node.physical).swap_remove(0);
        let own: Vec<&Asked> = asked.iter().filter(|asked| asked.session.role == arn).collect();
        let statements = spec.policy["Statement"].as_array().expect("a list").clone();
        let left: Vec<_> = own.iter().filter(|asked| refused(asked)).collect();
        assert!(left.is_empty(), "{}: refused with all of its policy: {left:?}", node.id);
        for place in 0..statements.len() {
            let mut fewer = statements.clone();
            let without = fewer.remove(place);
            put(&project, &node.physical, &fewer).await;
            if !own.iter().any(|asked| refused(asked)) {
                let action = without["Action"][0].as_str().expect("a list");
                idle.insert((node.id.name.clone(), action.to_owned()));
            }
        }
        put(&project, &node.physical, &statements).await;
    }
    let listed: BTreeSet<_> =
        ONLY_ON_AWS.iter().map(|(user, action, _)| ((*user).to_owned(), (*action).to_owned())).collect();
    assert_eq!(idle, listed, "left: what no request here needs");
    sandbox.stop().await;
}
