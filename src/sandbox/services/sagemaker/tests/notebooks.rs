//! Notebook instances.

use serde_json::{Value, json};

use super::{Bench, ROLE, text, with};

#[tokio::test]
async fn notebooks_change_state_only_from_the_right_one() {
    let bench = Bench::new(&[]).await;
    let name = json!({"NotebookInstanceName": "n"});
    let lifecycle = json!({"NotebookInstanceLifecycleConfigName": "l", "OnStart": [{"Content": "IyE="}]});
    bench.done("CreateNotebookInstanceLifecycleConfig", lifecycle).await;
    let create = with(
        name.clone(),
        json!({"InstanceType": "ml.t3.medium", "RoleArn": ROLE, "LifecycleConfigName": "l",
            "VolumeSizeInGB": 10}),
    );
    for (patch, expected) in [
        (json!({"PlatformIdentifier": "notebook-al2-v3"}), "can no longer be created"),
        (json!({"DirectInternetAccess": "Disabled"}), "SubnetId is required"),
        (json!({"LifecycleConfigName": "x"}), "does not exist"),
        (json!({"InstanceType": "ml.m5.large"}), "enum value set"),
    ] {
        let error = bench.ask("CreateNotebookInstance", with(create.clone(), patch)).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    bench.done("CreateNotebookInstance", create).await;
    let early = bench.ask("StopNotebookInstance", name.clone()).await.unwrap_err();
    assert!(
        early.starts_with(
            "ValidationException: Status (Pending) not in ([InService]). Unable to transition to (Stopping) \
             for Notebook Instance (arn:"
        ),
        "{early}"
    );
    bench.advance(5);
    let url = bench.done("CreatePresignedNotebookInstanceUrl", name.clone()).await;
    assert!(text(&url["AuthorizedUrl"]).starts_with("https://n.notebook.eu-west-1.sagemaker.aws?authToken="));
    let running = bench.ask("DeleteNotebookInstance", name.clone()).await.unwrap_err();
    assert!(running.contains("Status (InService) not in ([Stopped, Failed])"), "{running}");
    let used = json!({"NotebookInstanceLifecycleConfigName": "l"});
    assert!(bench.ask("DeleteNotebookInstanceLifecycleConfig", used).await.unwrap_err().contains("in use"));

    bench.done("StopNotebookInstance", name.clone()).await;
    bench.advance(5);
    let shrink = with(name.clone(), json!({"VolumeSizeInGB": 5}));
    assert!(bench.ask("UpdateNotebookInstance", shrink).await.unwrap_err().contains("decreased"));
    let change =
        json!({"VolumeSizeInGB": 20, "InstanceType": "ml.t3.large", "DisassociateLifecycleConfig": true});
    bench.done("UpdateNotebookInstance", with(name.clone(), change)).await;
    let updating = bench.done("DescribeNotebookInstance", name.clone()).await;
    assert_eq!(updating["NotebookInstanceStatus"], "Updating");
    bench.advance(5);
    let stopped = bench.done("DescribeNotebookInstance", name.clone()).await;
    assert_eq!(stopped["NotebookInstanceStatus"], "Stopped");
    assert_eq!((&stopped["InstanceType"], &stopped["VolumeSizeInGB"]), (&json!("ml.t3.large"), &json!(20)));
    assert_eq!(stopped["NotebookInstanceLifecycleConfigName"], Value::Null);
    bench.done("StartNotebookInstance", name.clone()).await;
    bench.advance(5);
    bench.done("StopNotebookInstance", name.clone()).await;
    bench.advance(5);
    bench.done("DeleteNotebookInstance", name.clone()).await;
    bench.advance(5);
    let gone = bench.ask("DescribeNotebookInstance", name).await.unwrap_err();
    assert_eq!(gone, "ValidationException: RecordNotFound");
}
