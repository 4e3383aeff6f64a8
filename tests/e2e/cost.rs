//! What a project costs, in every place that says it, and the gates that refuse what costs too much.

use serde_json::Value;

use crate::support::World;

fn shipped() -> World {
    World::shipped().sandbox().env("OPSCTL_CONFIG", "config/opsctl.toml")
}

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
    for line in
        ["Cost on AWS, list prices of 2", "  idle     0 → ", "  at most  0 → ", "  a run    training/"]
    {
        assert!(plan.stdout.contains(line), "{line}: {plan}");
    }
    // The command that ends it goes where this one goes.
    assert!(plan.stdout.contains("until `opsctl --sandbox -c config/opsctl.toml destroy`"), "{plan}");
    let cost = world.run(["plan", "-o", "json"]).ended(0).json()["cost"].clone();
    assert_eq!(cost["prices"]["source"], "table");
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

/// A sum that nobody knows is in no budget.
#[test]
fn what_has_no_price_passes_no_gate() {
    let world = shipped();
    let plan = world.run(["--region", "eu-west-1", "plan"]).ended(0);
    assert!(plan.stdout.contains("unknown  price of "), "{plan}");
    world.run(["--region", "eu-west-1", "plan", "--max-monthly", "100000"]).ended(9).says("error[E244]");
    world.run(["plan", "--max-monthly", "$5"]).ended(64).says("not a sum of US dollars");
    world.edit("config/opsctl.toml", "# monthly = 200", "monthly = \"much\"");
    world.run(["check"]).ended(3).says("C004");
}
