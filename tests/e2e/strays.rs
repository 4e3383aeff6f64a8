//! What has left a data set's folder and stays in the bucket is trained on. So what is trained is named after
//! it, and a model stands for what it has read, whatever `delete` was then.

use std::fs;
use std::path::Path;

use opsctl::domain::KindName;
use opsctl::engine::lease::LeaseHolder;
use opsctl::run::{Folders, Intent, Session};
use opsctl_sandbox::Sandbox;

use crate::outside::{made, opened};
use crate::support::inside::sandbox;

const CONFIG: &str = r#"
[data.d]
path = "data"
[training.cloud]
source = "code"
data = ["d"]
[training.plain]
on = "ec2"
source = "code"
data = ["d"]
[endpoint.e]
model = "cloud"
code = "code"
"#;

fn put(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = [("code/train.py", "1"), ("code/inference.py", "2"), ("data/a", "a"), ("data/b", "b")];
    texts.iter().for_each(|(path, text)| put(folder.path(), path, text));
    folder
}

fn jobs(session: &Session) -> Vec<String> {
    let is_job = |kind| matches!(kind, KindName::Training | KindName::Instance);
    let jobs = session.desired.nodes.iter().filter(|node| is_job(node.id.kind));
    jobs.map(|node| node.physical.clone()).collect()
}

/// Deploys; which jobs there are then, and whether they were made now.
async fn trained(sandbox: &Sandbox, folder: &Path, config: &str) -> (Vec<String>, bool) {
    let session = Box::pin(opened(sandbox, folder, config, Folders::Read)).await.expect("it opens");
    let intent = Intent::deploy(&session, false, false);
    let done = Box::pin(session.run(&intent).carry_out(&LeaseHolder::default())).await.expect("it begins");
    assert!(done.is_ok(), "{done:#?}");
    let steps = made(&done);
    let made = |id: &str| steps.contains(&format!("create {id}"));
    assert_eq!(made("training/cloud"), made("instance/plain"), "{steps:?}");
    (jobs(&session), made("training/cloud"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_stands_for_what_it_has_read() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let deletes = CONFIG.replace("path = \"data\"", "path = \"data\"\ndelete = true");
    let deploy = async |config| Box::pin(trained(&sandbox, folder.path(), config)).await;

    let (of_both, _) = deploy(CONFIG).await;
    fs::remove_file(folder.path().join("data/b")).expect("removed");
    assert_eq!(deploy(CONFIG).await, (of_both.clone(), false), "it is read as before");
    // Another machine has no copy of the manifest.
    fs::remove_dir_all(folder.path().join(".opsctl")).expect("removed");
    assert_eq!(deploy(CONFIG).await, (of_both.clone(), false));
    let (of_one, is_new) = deploy(&deletes).await;
    assert!(is_new && of_one != of_both, "what was deleted is in no model any more");
    assert_eq!(deploy(CONFIG).await, (of_one.clone(), false), "nothing has come back");
    put(folder.path(), "data/b", "b");
    assert_eq!(deploy(CONFIG).await, (of_both.clone(), false), "it has been trained on before");
    // Beside what stays, what is there changes.
    fs::remove_file(folder.path().join("data/b")).expect("removed");
    put(folder.path(), "data/a", "other");
    let (beside, is_new) = deploy(CONFIG).await;
    assert!(is_new, "a is another file");
    let (alone, is_new) = deploy(&deletes).await;
    assert!(is_new && alone != beside);
    assert_eq!(deploy(&deletes).await, (alone.clone(), false));
    sandbox.stop().await;
}

/// Between what was planned and the lease somebody else uploads: what is made would have the wrong name.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_upload_meanwhile_is_not_trained_on_under_another_name() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let deploy = async |config: &str| Box::pin(trained(&sandbox, folder.path(), config)).await;
    deploy(CONFIG).await;
    fs::remove_file(folder.path().join("data/b")).expect("removed");
    deploy(CONFIG).await;
    // It has seen b, which is gone when it begins.
    put(folder.path(), "code/train.py", "3");
    let late = Box::pin(opened(&sandbox, folder.path(), CONFIG, Folders::Read)).await.expect("it opens");
    let deletes = CONFIG.replace("path = \"data\"", "path = \"data\"\ndelete = true");
    put(folder.path(), "code/train.py", "4");
    deploy(&deletes).await;
    put(folder.path(), "code/train.py", "3");
    let intent = Intent::deploy(&late, false, false);
    let done = Box::pin(late.run(&intent).carry_out(&LeaseHolder::default())).await.expect("it begins");
    assert!(!done.is_ok(), "{done:?}");
    assert!(format!("{done:?}").contains("/data/d/ changed since it was planned"), "{done:?}");
    sandbox.stop().await;
}

/// A key that is disabled keeps nobody from looking, and from stopping what bills.
#[tokio::test(flavor = "multi_thread")]
async fn who_looks_goes_on_without() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let (jobs, _) = Box::pin(trained(&sandbox, folder.path(), CONFIG)).await;
    let jobs_of = async |folders| {
        let opened = Box::pin(opened(&sandbox, folder.path(), CONFIG, folders)).await;
        opened.map(|session| (self::jobs(&session), session.desired.unread.len()))
    };
    sandbox
        .state()
        .faults
        .extend(vec!["fail=KMS.DisabledException@s3:GetObject#1x0".parse().expect("a rule")]);
    assert!(jobs_of(Folders::Read).await.is_err());
    let (latest, unread) = jobs_of(Folders::Spared).await.expect("it opens");
    assert_eq!(latest, jobs, "the latest that there are");
    assert!(unread > 0, "they could not be compared");
    sandbox.state().faults.clear();
    assert_eq!(jobs_of(Folders::Spared).await.expect("it opens"), (jobs, 0));
    sandbox.stop().await;
}

/// Whoever deletes it by hand has trainings read something else: it is planned so, and what comes after the
/// plan is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_gone_meanwhile_is_not_trained_on_under_its_name() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let deploy = async || Box::pin(trained(&sandbox, folder.path(), CONFIG)).await;
    deploy().await;
    fs::remove_file(folder.path().join("data/b")).expect("removed");
    deploy().await;
    put(folder.path(), "data/a", "other");
    let session = Box::pin(opened(&sandbox, folder.path(), CONFIG, Folders::Read)).await.expect("it opens");
    let planned = jobs(&session);
    let delete = session.context.aws.s3.delete_object().bucket(session.bucket()).key("data/d/b");
    delete.send().await.expect("deleted");
    let intent = Intent::deploy(&session, false, false);
    let done = Box::pin(session.run(&intent).carry_out(&LeaseHolder::default())).await.expect("it begins");
    assert!(!done.is_ok());
    let said = format!("{done:?}");
    assert!(said.contains("changed since it was planned; run the command again"), "{said}");
    put(folder.path(), "code/train.py", "2");
    let session = Box::pin(opened(&sandbox, folder.path(), CONFIG, Folders::Read)).await.expect("it opens");
    let (now, is_new) = deploy().await;
    assert!(is_new && now != planned && now == jobs(&session));
    assert_eq!(deploy().await, (now, false));
    sandbox.stop().await;
}
