//! What follows from a change of the config or of the files, and why. One text per change, in `plans/`.

use serde_json::json;

use super::world::{Account, DEPLOY, Files, PRUNE, shown};
use expect_test::expect_file;
use opsctl::plan::{Observed, Plan, Step, Verb};
use opsctl::report;
use opsctl::resources::kinds;

/// Deploys the project, changes it, deploys again, and compares that plan with `plans/NAME.txt`.
#[track_caller]
fn change(name: &str, edit: impl FnOnce(&mut Files)) {
    let mut files = Files::new();
    let mut account = Account::with(&files.desired());
    edit(&mut files);
    let want = files.desired();
    let plan = account.deploy(&want, DEPLOY);
    expect_file![format!("plans/{name}.txt")].assert_eq(&shown(&plan));
}

#[test]
fn everything_from_nothing() {
    let want = Files::new().desired();
    let plan = Account::default().deploy(&want, DEPLOY);
    expect_file!["plans/everything.txt"].assert_eq(&shown(&plan));
}

#[test]
fn nothing() {
    change("nothing", |_| {});
}

/// docs/decisions/0024: scaling steps aside before the update, and comes back after it.
#[test]
fn the_endpoints_instance_type() {
    change("instance_type", |files| files.edit("\"ml.m5.large\"", "\"ml.c5.xlarge\""));
}

#[test]
fn the_serving_code() {
    change("serving_code", |files| {
        files.write("serving/inference.py", "def model_fn(folder): return folder\n")
    });
}

/// What a training read beside the folder's files is in its weights. Without it, it is another training.
#[test]
fn what_is_only_in_the_bucket() {
    let mut files = Files::new();
    let before = files.desired_with_a_stray();
    let mut account = Account::with(&before);
    account.seen(&before, "data/digits")["stray"] = json!(1);
    // With `delete` nobody looks for it before planning.
    account.seen(&before, "data/digits")["holds"] = json!(null);
    files.edit("[data.digits]", "[data.digits]\ndelete = true");
    let want = files.desired_with_a_stray();
    let plan = account.deploy(&want, DEPLOY);
    expect_file!["plans/strays.txt"].assert_eq(&shown(&plan));
    // It is gone: without the key nothing is read besides either.
    files.edit("\ndelete = true", "");
    assert!(account.plan(&files.desired(), DEPLOY).steps.is_empty());
}

/// Where nothing has left the folder, what would happen to it is no change.
#[test]
fn what_would_be_deleted() {
    let mut files = Files::new();
    let account = Account::with(&files.desired());
    files.edit("[data.digits]", "[data.digits]\ndelete = true");
    assert!(account.plan(&files.desired(), DEPLOY).steps.is_empty());
}

#[test]
fn a_hyperparameter() {
    change("hyperparameter", |files| files.edit("epochs = 5", "epochs = 6\nlayers = 3"));
}

/// Neither one that failed nor one that was made and never served: the reason is what changes of what
/// answers.
#[test]
fn a_new_training_is_compared_with_the_one_that_serves() {
    let mut files = Files::new();
    let served = files.desired();
    let mut account = Account::with(&served);
    files.edit("epochs = 5", "epochs = 6");
    let failing = files.desired();
    let train = |plan: &Plan| {
        plan.steps
            .iter()
            .find(|step| step.target.to_string() == "training/numbers")
            .expect("it trains")
            .clone()
    };
    let plan = account.plan(&failing, DEPLOY);
    account.apply_some(&plan, &failing, &[train(&plan).id]);
    files.edit("epochs = 6", "epochs = 7");
    let want = files.desired();
    assert_eq!(
        train(&account.plan(&want, DEPLOY)).why,
        ["hyperparameters.epochs: 5 -> 7"],
        "what completed does not serve"
    );
    account.seen(&failing, "training/numbers")["status"] =
        json!({ "word": "Failed", "phase": "failed", "reason": "no such option" });
    assert_eq!(train(&account.plan(&want, DEPLOY)).why, ["hyperparameters.epochs: 5 -> 7"]);
    // Where nothing serves, the newest that completed counts.
    account.remove(&served, "endpoint/numbers");
    assert_eq!(train(&account.plan(&want, DEPLOY)).why, ["hyperparameters.epochs: 5 -> 7"]);
}

#[test]
fn the_training_script() {
    change("training_script", |files| files.write("training/train.py", "print('better')\n"));
}

#[test]
fn the_data() {
    change("data", |files| files.write("data/digits/1.csv", "3,4,5\n"));
}

#[test]
fn the_functions_handler() {
    change("handler", |files| {
        files.write("function/main.py", "def answer(event, context): ...\n");
        files.edit("source = \"function\"", "source = \"function\"\nhandler = \"main.answer\"");
    });
}

#[test]
fn the_target() {
    change("target", |files| {
        files.edit("target_invocations_per_instance = 600", "target_invocations_per_instance = 900")
    });
}

#[test]
fn the_first_number_of_instances() {
    change("min", |files| files.edit("min = 1", "min = 2"));
}

#[test]
fn the_provisioned_concurrency() {
    change("concurrency", |files| files.edit("provisioned_concurrency = 2", "provisioned_concurrency = 3"));
}

#[test]
fn a_larger_notebook_volume() {
    change("volume_grows", |files| files.edit("volume_gb = 10", "volume_gb = 20"));
}

#[test]
fn a_smaller_notebook_volume() {
    change("volume_shrinks", |files| files.edit("volume_gb = 10", "volume_gb = 5"));
}

/// One that is made again loses its disk as one that is deleted does: no form of the plan leaves that out.
#[test]
fn the_disk_of_a_notebook_that_is_made_again_is_named() {
    let mut files = Files::new();
    let account = Account::with(&files.desired());
    files.edit("volume_gb = 10", "volume_gb = 5");
    let plan = account.plan(&files.desired(), DEPLOY);
    let lost = |step: &&Step| step.takes_along(&kinds()).is_some();
    let steps: Vec<_> = plan.steps.iter().filter(lost).map(|step| (step.op.verb(), &step.why)).collect();
    assert_eq!(steps, [(Verb::Delete, &vec!["volume_gb: 10 -> 5".to_owned()])]);
    let json = report::plan::json(&plan, &kinds(), "here");
    let along: Vec<_> = json["steps"].as_array().unwrap().iter().map(|step| &step["takes_along"]).collect();
    assert_eq!(along, [&json!("all that is on its disk"), &json!(null)]);
    let comment = report::plan::markdown::render(&plan, &kinds(), "here", &Observed::default(), &[], true);
    let before_the_fold = comment.split("<details>").next().unwrap();
    assert!(before_the_fold.contains("deletes with it all that is on its disk"), "{comment}");
    // One that grows keeps it.
    files.edit("volume_gb = 5", "volume_gb = 50");
    assert!(!account.plan(&files.desired(), DEPLOY).steps.iter().any(|step| lost(&step)));
}

#[test]
fn the_model_of_the_other_place() {
    change("model_from_ec2", |files| files.edit("model = \"numbers\"", "model = \"numbers-on-ec2\""));
}

const FUNCTION: &str =
    "[function.classify]\nendpoint = \"numbers\"\nsource = \"function\"\nprovisioned_concurrency = 2\n";
const SCALING: &str =
    "[endpoint.numbers.autoscaling]\nmin = 1\nmax = 4\ntarget_invocations_per_instance = 600\n";

#[test]
fn a_function_that_left_the_config_stays() {
    let mut files = Files::new();
    let mut account = Account::with(&files.desired());
    files.edit(FUNCTION, "");
    let want = files.desired();
    let plan = account.deploy(&want, DEPLOY);
    assert!(plan.is_empty());
    expect_file!["plans/left_over.txt"].assert_eq(&shown(&plan));
}

#[test]
fn a_function_that_left_the_config_is_pruned() {
    let mut files = Files::new();
    let mut account = Account::with(&files.desired());
    files.edit(FUNCTION, "");
    let want = files.desired();
    let plan = account.deploy(&want, PRUNE);
    expect_file!["plans/pruned.txt"].assert_eq(&shown(&plan));
}

#[test]
fn superseded_generations_are_pruned_after_their_successors() {
    let files = Files::new();
    let mut account = Account::with(&files.desired());
    files.write("serving/inference.py", "def model_fn(folder): return folder\n");
    let want = files.desired();
    let plan = account.deploy(&want, PRUNE);
    expect_file!["plans/superseded.txt"].assert_eq(&shown(&plan));
}

/// Scaling that left the config would forbid the new instance type (docs/decisions/0024), so it goes first,
/// pruned or not.
#[test]
fn scaling_that_left_the_config_with_a_new_instance_type() {
    let mut files = Files::new();
    let before = Account::with(&files.desired());
    files.edit(SCALING, "");
    files.edit("\"ml.m5.large\"", "\"ml.c5.xlarge\"");
    let want = files.desired();
    let plan = before.clone().deploy(&want, DEPLOY);
    expect_file!["plans/unscaled.txt"].assert_eq(&shown(&plan));
    let plan = before.clone().deploy(&want, PRUNE);
    expect_file!["plans/unscaled_and_pruned.txt"].assert_eq(&shown(&plan));
}

#[test]
fn scaling_that_left_the_config_of_a_failed_endpoint() {
    let mut files = Files::new();
    let mut account = Account::with(&files.desired());
    files.edit(SCALING, "");
    let want = files.desired();
    account.seen(&want, "endpoint/numbers")["status"] =
        json!({ "word": "Failed", "phase": "failed", "reason": null });
    let plan = account.deploy(&want, DEPLOY);
    expect_file!["plans/failed_and_unscaled.txt"].assert_eq(&shown(&plan));
}
