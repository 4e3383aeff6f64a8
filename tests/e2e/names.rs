//! Names are taken until what has them is gone: a delete ends then, a new thing waits for it, and what does
//! not show is not awaited forever. For every kind.

use std::time::Duration;

use opsctl::aws::{OpError, OpErrorKind, SdkResultExt};
use opsctl::desired::Node;
use opsctl::domain::KindName;
use opsctl::engine::{OpCx, Probe};
use opsctl::plan::{Mode, Op};
use opsctl_sandbox::{Sandbox, SandboxOptions};

use crate::support::inside::{DEPLOY, Project, perform, sandbox};

/// A sandbox that takes its time to delete what AWS deletes after its answer.
async fn lingering(root: &std::path::Path) -> Sandbox {
    let mut options = SandboxOptions::new(root);
    options.runs = false;
    options.lingers = Duration::from_millis(300);
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// Deletes, and is stopped as soon as AWS has been asked: what follows is not awaited.
async fn delete_in_haste(sandbox: &Sandbox, node: &Node) -> Result<(), OpError> {
    let project = Project::whole(sandbox).await;
    let asked = async {
        let ours = ["DeleteTrainingJob", "DeleteEndpoint", "DeleteNotebookInstance"];
        let is_asked = |call: &String| ours.iter().any(|name| call.ends_with(&format!(":{name}")));
        while !project.world.aws.calls.by_operation().keys().any(is_asked) {
            tokio::task::yield_now().await;
        }
        project.world.cancel.drain.cancel();
        std::future::pending::<()>().await
    };
    tokio::select! {
        done = perform(&project, node, Op::Delete) => done,
        () = asked => unreachable!("it is pending forever"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_being_deleted_is_made_again_when_it_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = lingering(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let mut cut_short = Vec::new();
    for node in project.desired.nodes.iter().rev() {
        // The bucket holds what others are made of.
        if node.id.kind == KindName::Bucket {
            continue;
        }
        // To its end: then nothing is seen of it.
        perform(&project, node, Op::Delete).await.expect("it can be deleted");
        let cx = OpCx::new(&project.world, node.id.clone());
        let left = project.registry.of(node.id.kind).observe(&cx, &node.physical).await.expect("readable");
        assert!(left.is_none(), "{} is left: {left:?}", node.id);
        project.succeed(DEPLOY).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "{} made again", node.id);

        // Cut short after AWS's first answer: the next deploy waits for the end.
        match delete_in_haste(&sandbox, node).await {
            Ok(()) => {}
            Err(error) if error.kind == OpErrorKind::Cancelled => cut_short.push(node.id.kind),
            Err(error) => panic!("{}: {error}", node.id),
        }
        project.succeed(DEPLOY).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "{} made again", node.id);
    }
    for kind in [KindName::Training, KindName::Endpoint, KindName::Notebook] {
        assert!(cut_short.contains(&kind), "the delete of a {kind} was not cut short: {cut_short:?}");
    }

    // Destroyed half-way, then whole: nothing is left, not even what has no tags.
    let notebook =
        project.desired.nodes.iter().find(|node| node.id.kind == KindName::Notebook).expect("a notebook");
    let error = delete_in_haste(&sandbox, notebook).await.expect_err("it is cut short");
    assert_eq!(error.kind, OpErrorKind::Cancelled, "{error}");
    project.succeed(Mode::Destroy { adopted: false }).await;
    assert_eq!(project.steps(Mode::Destroy { adopted: false }).await, Vec::<String>::new());
    assert_eq!(lifecycle_configs(&project).await, Vec::<String>::new());
    sandbox.stop().await;
}

async fn lifecycle_configs(project: &Project) -> Vec<String> {
    let list =
        project.world.aws.sagemaker.list_notebook_instance_lifecycle_configs().send().await.expect("a list");
    let configs = list.notebook_instance_lifecycle_configs().iter();
    configs.filter_map(|c| c.notebook_instance_lifecycle_config_name().map(str::to_owned)).collect()
}

/// A delete that was killed between a notebook and its lifecycle configuration.
#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_configuration_that_was_left_goes_or_is_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let sagemaker = &project.world.aws.sagemaker;
    let leave = async || {
        let name = "digits-dev-lab";
        sagemaker.stop_notebook_instance().notebook_instance_name(name).send().await.expect("stopped");
        let cx = OpCx::new(&project.world, project.desired.nodes[0].id.clone());
        let (every, limit) = (Duration::from_secs(1), Duration::from_secs(60));
        cx.wait("gone", every, limit, || async {
            let deleted = sagemaker.delete_notebook_instance().notebook_instance_name(name).send().await;
            let found = sagemaker.describe_notebook_instance().notebook_instance_name(name).send().await;
            let _ = deleted.op(opsctl::domain::action::sagemaker::DeleteNotebookInstance);
            Ok(if found.is_err() { Probe::Ready(()) } else { Probe::Pending("there".into()) })
        })
        .await
        .expect("gone");
        assert_eq!(lifecycle_configs(&project).await, [name]);
    };
    leave().await;
    assert_eq!(project.steps(DEPLOY).await, ["create notebook/lab"]);
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    leave().await;
    assert!(
        project.steps(Mode::Destroy { adopted: false }).await.contains(&"delete notebook/lab".to_owned())
    );

    // One of the same beginning that somebody else wrote is not ours.
    let call = sagemaker.create_notebook_instance_lifecycle_config();
    call.notebook_instance_lifecycle_config_name("digits-dev-theirs").send().await.expect("made");
    project.succeed(Mode::Destroy { adopted: false }).await;
    assert_eq!(lifecycle_configs(&project).await, ["digits-dev-theirs"]);
    sandbox.stop().await;
}

/// A name that a stranger took between the plan and the step.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_resource_is_not_taken_for_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let mut project = Project::whole(&sandbox).await;
    project.world.lag = Duration::from_millis(50);
    let group = project.desired.nodes.iter().find(|n| n.id.kind == KindName::LogGroup).expect("a log group");
    project.world.aws.logs.create_log_group().log_group_name(&group.physical).send().await.expect("made");
    let op = Op::Create { spec: group.spec.clone() };
    let error = perform(&project, group, op).await.expect_err("it is not ours");
    assert_eq!(error.kind, OpErrorKind::AlreadyExists, "{error}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_shows_does_not_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let mut project = Project::whole(&sandbox).await;
    project.world.lag = Duration::from_millis(50);
    let training =
        project.desired.nodes.iter().find(|n| n.id.kind == KindName::Training).expect("a training");
    // The plan saw a job that somebody deletes before it is awaited.
    let op = Op::Update { spec: training.spec.clone(), changes: Vec::new() };
    let error = perform(&project, training, op).await.expect_err("there is no job");
    assert_eq!(error.kind, OpErrorKind::Missing, "{error}");
    assert_eq!(error.code().as_str(), "E220");
    assert!(error.to_string().contains("does not exist"), "{error}");
    sandbox.stop().await;
}
