//! What a project costs, in every place that says it, and the gates that refuse what costs too much.

use std::path::Path;

use opsctl::aws::{self, TargetOptions};
use opsctl::config::Document;
use opsctl::cost;
use opsctl::domain::Scale;
use opsctl::engine::lease::LeaseHolder;
use opsctl::plan::Observed;
use opsctl::run::{Connection, Folders, Intent, Month, OverBudget, Project, Refusal, Session, prices};
use opsctl_sandbox::Sandbox;
use serde_json::Value;

use crate::support::{World, copy, inside};

fn shipped() -> World {
    World::shipped().sandbox().env("OPSCTL_CONFIG", "config/opsctl.toml")
}

async fn open(sandbox: &Sandbox, project: &Path, region: &str) -> Session {
    let config = project.join("opsctl.toml");
    let text = std::fs::read_to_string(&config).expect("the project's config");
    let read = Project::read(&Document::parse(&config, text).expect("TOML"), "dev", Folders::Read);
    let (region, address) = (Some(region.into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    Session::open(read.expect("valid"), Connection::to(target)).await.expect("it answers")
}

/// It costs a little less than its budget, and nothing of it scales.
const UNSCALED: &str = r#"
[project]
name = "shop"
region = "us-east-1"
[data.digits]
path = "data/digits"
[training.numbers]
source = "training"
entry = "train.py"
image = "pytorch-2.6"
instance_type = "ml.m5.xlarge"
data = ["digits"]
max_runtime = "1h"
[endpoint.numbers]
model = "numbers"
code = "serving"
instance_type = "ml.m5.large"
[function.classify]
endpoint = "numbers"
provisioned_concurrency = 0
[budget]
monthly = 100
"#;

fn without(world: &World, kinds: &str) {
    let listed = world.run(["status", "-o", "json"]).ended(0).json();
    let resources = listed["resources"].as_array().unwrap();
    let there: Vec<&Value> = resources.iter().filter(|r| r["state"] != "absent").collect();
    assert!(there.is_empty(), "{kinds}: {there:?}");
}

#[test]
fn a_plan_says_what_it_costs_and_status_what_there_is() {
    let world = shipped();
    let plan = world.run(["plan"]).ended(0);
    for line in [
        "Cost on AWS\n  prices   opsctl's table of 2",
        "  idle     0 → ",
        "  at most  0 → ",
        "  a run    training/",
    ] {
        assert!(plan.stdout.contains(line), "{line}: {plan}");
    }
    // The command that ends it goes where this one goes.
    assert!(plan.stdout.contains("until `opsctl --sandbox -c config/opsctl.toml destroy`"), "{plan}");
    let cost = world.run(["plan", "-o", "json"]).ended(0).json()["cost"].clone();
    assert_eq!((&cost["prices"]["source"], &cost["prices"]["note"]), (&"table".into(), &Value::Null));
    let sources = cost["prices"]["sources"].as_array().unwrap();
    assert!(sources[0]["items"].as_array().unwrap().contains(&"hosting/ml.m5.large".into()), "{sources:?}");
    assert_eq!(cost["before"]["idle"]["month"], 0.0);
    assert_eq!(cost["after"]["unknown"], Value::Array(vec![]));
    let (most, highest) = (&cost["after"]["most"]["month"], &cost["highest_month"]);
    assert!(most.as_f64().unwrap() > 300.0 && highest.as_f64() > most.as_f64(), "{cost}");
    let live = world.run(["status", "-o", "json"]).ended(0).json()["cost"]["live"].clone();
    assert_eq!((&live["now"]["hour"], &live["idle"]["hour"]), (&Value::from(0.0), &Value::from(0.0)));
}

#[test]
fn what_could_cost_too_much_is_refused_before_anything_is_made() {
    let world = shipped();
    world.run(["plan", "--max-monthly", "10", "--out", "plan.bin"]).ended(9).says("error[E243]");
    assert!(!world.path("plan.bin").exists());
    let refused = world.run(["plan", "--max-monthly", "10", "-o", "json"]).ended(9).json();
    assert_eq!(refused["error"]["code"], "E243");
    world.run(["deploy", "--yes", "--max-monthly", "10"]).ended(9).says("--max-monthly allows 10.00");
    world.run(["deploy", "--dry-run", "--max-monthly", "10"]).ended(9).says("E243");
    without(&world, "deploy");
    world.edit("config/opsctl.toml", "# monthly = 200", "monthly = 12.5");
    world.run(["deploy", "--yes"]).ended(9).says("[budget] monthly allows 12.50");
    world.run(["upload", "--yes"]).ended(9).says("E243");
    without(&world, "[budget]");
    // The command line comes first, and what takes away is always allowed.
    world.run(["plan", "--max-monthly", "5000"]).ended(0);
    world.run(["destroy", "--yes"]).ended(0);
}

/// AWS's price list is asked once a week, and nothing fails when it cannot be.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_price_list_the_table_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &project);
    let sandbox = inside::sandbox(&folder.path().join("sandbox")).await;
    let file = folder.path().join("cache/prices.json");
    let open = async |region: &'static str, kept: bool| {
        let mut session = open(&sandbox, &project, region).await;
        session.price_cache = kept.then(|| file.clone());
        session
    };
    let asked = || sandbox.state().calls.of("pricing:GetProducts");
    let sources = async |session: &Session| {
        let prices = prices::load(session, &session.desired, &Observed::default()).await;
        let items = cost::items(&session.desired, &Observed::default());
        let names: Vec<&str> = prices.sources(&items).iter().map(|source| source.name).collect();
        (names, prices.note().map(str::to_owned))
    };
    assert_eq!(sources(&open("us-east-1", true).await).await, (vec!["price-list"], None));
    let first = asked();
    assert!(first >= 6, "one question for each: {first}");

    let denied = "fail=AccessDeniedException@pricing:GetProducts#1x0";
    sandbox.state().faults.extend(vec![denied.parse().expect("a rule")]);
    let kept = sources(&open("us-east-1", true).await).await;
    assert_eq!((kept, asked()), ((vec!["price-list"], None), first), "it is kept");
    let (names, note) = sources(&open("us-east-1", false).await).await;
    assert_eq!(names, ["table"]);
    assert!(note.as_deref().is_some_and(|note| note.contains("AccessDenied")), "{note:?}");
    // A region of which the table has nothing: unknown, and the refusal is not asked for again and again.
    let (names, note) = sources(&open("eu-west-1", true).await).await;
    assert!(names.is_empty() && note.is_some(), "{names:?} {note:?}");
    let before = asked();
    let (_, note) = sources(&open("eu-west-1", true).await).await;
    assert_eq!((asked(), note.is_some()), (before, true), "left alone for an hour");
    sandbox.stop().await;
}

/// What was stopped to save money is not started for more than there is.
#[test]
fn a_budget_holds_when_what_has_stopped_is_started() {
    let world = shipped();
    world.run(["notebook", "--yes"]).ended(0);
    world.run(["stop", "notebook/lab"]).ended(0);
    world.run(["start", "notebook/lab", "--max-monthly", "10"]).ended(9).says("error[E243]");
    world.edit("config/opsctl.toml", "# monthly = 200", "monthly = 12.5");
    for start in [&["start", "notebook/lab"][..], &["notebook", "start"]] {
        world.run(start.iter().copied()).ended(9).says("[budget] monthly allows 12.50");
    }
    let status = world.run(["status", "-o", "json"]).ended(0).json();
    let lab = status["resources"].as_array().unwrap().iter().find(|r| r["kind"] == "notebook").unwrap();
    assert_eq!(lab["state"], "Stopped", "it was not started");
    world.run(["start", "notebook/lab", "--max-monthly", "500"]).ended(0);
    // What runs already costs no more.
    world.run(["start", "notebook/lab"]).ended(0);
}

/// What only the command line scales is billed as what the config scales.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_for_numbers_that_are_in_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &project);
    std::fs::write(project.join("opsctl.toml"), UNSCALED).expect("the folder is ours");
    let sandbox = inside::sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &project, "us-east-1").await;
    let deploy = Intent::deploy(&session, false, false);
    let done =
        session.run(&deploy).carry_out(&LeaseHolder::default()).await.expect("it is within its budget");
    assert!(done.is_ok(), "{done:?}");
    let month = async |name: &str, to: Scale| {
        let intent = Intent::scale(&session, &[name.to_owned()], to).expect("it can be scaled");
        let run = session.run(&intent);
        let (plan, have) = run.plan().await.expect("it can be read");
        match run.afford(&plan, &have).await {
            Err(Refusal::OverBudget(OverBudget { month: Month::Known { most, .. }, .. })) => most.coarse(),
            other => panic!("{name}: {other:?}"),
        }
    };
    let instances = Scale { min: Some(1), max: Some(9), target: Some(50.0), ..Scale::default() };
    assert_eq!(month("numbers", instances).await, "756");
    let environments = Scale { provisioned_concurrency: Some(50), ..Scale::default() };
    assert_eq!(month("classify", environments).await, "152");
    sandbox.stop().await;
}

/// A sum that nobody knows is in no budget.
#[test]
fn what_has_no_price_passes_no_gate() {
    let world = shipped();
    let plan = world.run(["--region", "eu-west-1", "plan"]).ended(0);
    assert!(plan.stdout.contains("unknown  price of "), "{plan}");
    let refused = world.run(["--region", "eu-west-1", "plan", "--max-monthly", "100000"]).ended(9);
    refused.says("error[E244]").says("AWS's price list has none of them");
    world.run(["plan", "--max-monthly", "$5"]).ended(64).says("not a sum of US dollars");
    world.edit("config/opsctl.toml", "# monthly = 200", "monthly = \"much\"");
    world.run(["check"]).ended(3).says("C004");
}
