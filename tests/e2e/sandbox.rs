//! The AWS that opsctl carries: no account, no network, nothing set up.

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn a_plan_needs_no_account() {
    let world = World::shipped().sandbox();
    for config in ["config/opsctl.toml", "config/dog-breeds.toml"] {
        let planned = world.run(["-c", config, "plan", "--detailed-exitcode", "-o", "json"]).ended(2).json();
        let steps = planned["steps"].as_array().expect("a list");
        assert_eq!(steps.len(), 18, "{planned}");
        assert!(steps.iter().all(|step| step["op"] == "create"), "{planned}");
        // Steps stand after what they need.
        for (place, step) in steps.iter().enumerate() {
            let after = step["after"].as_array().expect("a list").iter().filter_map(Value::as_u64);
            assert!(after.max().is_none_or(|last| last < place as u64), "{step}");
        }
    }
    let status = world.run(["status", "-o", "json"]).success().json();
    let resources = status["resources"].as_array().expect("a list");
    assert!(resources.iter().all(|resource| resource["state"] == "absent"), "{status}");
    let done = world.run(["destroy", "--yes", "-o", "json"]).success().finished();
    assert_eq!((&done["result"], &done["calls"]["writes"]), (&json!("ok"), &json!(0)));
}

#[test]
fn it_tells_where_it_is_and_forgets() {
    let world = World::with_config("[project]\nname = \"small\"\n[notebook.lab]\n").sandbox();
    world.run(["bucket", "--yes", "--region", "eu-west-1"]).success();
    let status = world.run(["sandbox", "status", "-o", "json"]).success().json();
    assert_eq!(status["in_use"], false);
    let region = ["--region", "eu-west-1", "plan", "--detailed-exitcode"];
    // The bucket is there from command to command, until it is forgotten.
    let steps = |world: &World| {
        let planned = world.run(region.iter().copied().chain(["-o", "json"])).ended(2).json();
        planned["steps"].as_array().expect("a list").len()
    };
    let left = steps(&world);
    world.run(["sandbox", "reset"]).success();
    assert_eq!(steps(&world), left + 1, "the bucket is to be made again");
}
