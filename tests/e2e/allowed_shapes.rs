//! The documents of `opsctl policy` for projects that lack kinds: every run looks for what is left of each.

use std::collections::BTreeSet;

use opsctl_iam::policy::{Document, Policy};
use opsctl_iam::request::{Request, Verdict};

use crate::support::World;
use crate::support::asked::{self, Asked, Place};
use crate::support::inside::{sandbox, with_ttl};
use crate::support::tap::Tap;

const PLACE: Place = Place { project: "digits", environment: "dev" };

const PROJECT: &str = "[project]\nname = \"digits\"\nregion = \"us-east-1\"\n";

const SHAPES: [(&str, &str); 4] = [
    ("a bucket alone", "[bucket]\n"),
    ("data alone", "[data.digits]\npath = \"data/digits\"\n"),
    ("a training alone", "[training.t]\nsource = \"training\"\n"),
    (
        "a function before a model of one's own",
        "[model.m]\nartifact = \"serving\"\nimage = \"pytorch-2.6\"\n[endpoint.e]\nmodel = \"m\"\n\
         instance_type = \"ml.m5.large\"\n[function.f]\nendpoint = \"e\"\nprovisioned_concurrency = 0\n",
    ),
];

fn documents(world: &World, whom: &str, names: &[&str]) -> Vec<Policy> {
    let arguments = ["-o", "json", "-c", "config/opsctl.toml", "policy", whom, "--account", "123456789012"];
    let printed = world.run(arguments.iter().chain(names).copied()).success().json();
    let read = |it: &serde_json::Value| Document::read(it.clone()).policy().cloned().expect("a policy");
    printed["documents"].as_array().expect("a list").iter().map(read).collect()
}

fn refused(asked: &BTreeSet<Asked>, policies: &[Policy]) -> Vec<Asked> {
    let policies: Vec<&Policy> = policies.iter().collect();
    let allows = |Asked { action, resource, context }: &Asked| {
        Request { action, resource, context }.verdict(&policies) == Verdict::Allowed
    };
    asked.iter().filter(|asked| !allows(asked)).cloned().collect()
}

/// What these commands ask AWS.
fn asks(world: &World, tap: &Tap, commands: &[&str]) -> BTreeSet<Asked> {
    let before = tap.sent().len();
    for command in commands {
        let arguments = ["--endpoint-url", &tap.url, "-c", "config/opsctl.toml"];
        world.run(arguments.into_iter().chain(command.split(' '))).success();
    }
    asked::all(&tap.sent()[before..], PLACE)
}

#[test]
fn a_project_that_lacks_kinds_is_allowed_what_it_asks() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    for (what, sections) in SHAPES {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = runtime.block_on(sandbox(folder.path()));
        let tap = Tap::on(sandbox.endpoint_url());
        let world = World::shipped().credentials();
        world.write("config/opsctl.toml", &format!("{PROJECT}{sections}"));
        let mut looks = asks(&world, &tap, &["plan"]);
        let mut all = asks(&world, &tap, &["deploy --yes"]);
        looks.extend(asks(&world, &tap, &["plan", "status", "destroy --dry-run", "report --out r.html"]));
        all.extend(asks(&world, &tap, &["destroy --yes"]));
        all.extend(looks.clone());
        for names in [&[][..], &["--any-name"]] {
            let of = |whom| documents(&world, whom, names);
            assert_eq!(refused(&all, &of("deployer")), [], "{what}, deployer {names:?}");
            assert_eq!(refused(&looks, &of("planner")), [], "{what}, planner {names:?}");
        }
        runtime.block_on(sandbox.stop());
    }
}

/// With `--any-name` the sections that were taken out may be looked at and pruned.
#[test]
fn what_a_smaller_config_leaves_may_be_pruned() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = runtime.block_on(sandbox(folder.path()));
    let tap = Tap::on(sandbox.endpoint_url());
    let world = World::shipped().credentials();
    world.write("config/opsctl.toml", &with_ttl(world.read("config/opsctl.toml")));
    asks(&world, &tap, &["deploy --yes"]);
    world.write("config/opsctl.toml", &format!("{PROJECT}{}", SHAPES[0].1));
    let looks = asks(&world, &tap, &["plan", "status", "plan --prune"]);
    let planner = documents(&world, "planner", &["--any-name"]);
    assert_eq!(refused(&looks, &planner), [], "planner");
    let mut all = asks(&world, &tap, &["deploy --prune --yes"]);
    all.extend(looks);
    let deployer = documents(&world, "deployer", &["--any-name"]);
    assert_eq!(refused(&all, &deployer), [], "deployer");
    // Nothing of these kinds can be made.
    for action in ["sagemaker:CreateTrainingJob", "ec2:RunInstances", "lambda:CreateFunction"] {
        let resource = match action.split(':').next() {
            Some("ec2") => "arn:aws:ec2:us-east-1:123456789012:instance/*".to_owned(),
            Some("lambda") => "arn:aws:lambda:us-east-1:123456789012:function:digits-dev-x".to_owned(),
            _ => "arn:aws:sagemaker:us-east-1:123456789012:training-job/digits-dev-x".to_owned(),
        };
        let asked = Asked { action: action.to_owned(), resource, context: Vec::new() };
        assert_eq!(refused(&[asked.clone()].into(), &deployer), [asked]);
    }
    runtime.block_on(sandbox.stop());
}
