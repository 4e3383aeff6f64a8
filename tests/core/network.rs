//! `network`: in the user's VPC; `isolation`: in no network.

use opsctl::domain::KindName;
use opsctl::policy::{self, Names, Whom};
use opsctl::resources::kinds;
use opsctl::resources::role::Role;
use serde_json::json;

use crate::plan::world::{Account, DEPLOY, Files, shown};
use crate::project;

const NETWORK: &str = r#"
[network.company]
subnets = ["subnet-0b000000000000000", "subnet-0a000000000000000"]
security_groups = ["sg-0a000000000000000"]
"#;

/// The test project with a network, which the sections name.
fn within(sections: &[&str]) -> Files {
    let mut files = Files::new();
    files.append(NETWORK);
    for section in sections {
        files.edit(&format!("{section}\n"), &format!("{section}\nnetwork = \"company\"\n"));
    }
    files
}

const ALL: [&str; 4] = ["[training.numbers]", "[endpoint.numbers]", "[function.classify]", "[notebook.lab]"];

#[test]
fn all_that_can_be_in_a_vpc_is_there() {
    let (plain, want) = (within(&[]).desired(), within(&ALL).desired());
    // A section that nobody names changes nothing.
    assert!(Account::with(&Files::new().desired()).plan(&plain, DEPLOY).is_empty());
    let mut account = Account::with(&plain);
    let said = shown(&account.deploy(&want, DEPLOY));
    let both = "subnet-0a000000000000000, subnet-0b000000000000000 with sg-0a000000000000000";
    let one = "subnet-0b000000000000000 with sg-0a000000000000000";
    for (of, network) in [
        ("+ training/numbers", both),
        ("+ model/numbers", both),
        ("~ function/classify", both),
        ("notebook/lab", one),
    ] {
        assert!(said.contains(of), "{of}: {said}");
        assert!(said.contains(&format!("network: none -> {network}")), "{network}: {said}");
    }
    let role = |user: &str| {
        let node = want.node(&format!("role/{user}").parse().unwrap()).unwrap();
        node.spec_as::<Role>().unwrap().policy.to_string()
    };
    for user in ["training-numbers", "endpoint-numbers", "notebook-lab"] {
        assert!(role(user).contains("ec2:CreateNetworkInterfacePermission"), "{user}");
    }
    let function = role("function-classify");
    assert!(
        function.contains("ec2:AssignPrivateIpAddresses") && !function.contains("Permission\""),
        "{function}"
    );
    let documents = policy::documents(&want, &kinds(), Whom::Deployer, Names::Exact);
    assert!(serde_json::to_string(&documents).unwrap().contains("ec2:DescribeSubnets"));

    // Somebody has moved it, and it leaves again.
    *account.seen(&want, "function/classify").pointer_mut("/live/config/network").unwrap() = json!(null);
    let said = shown(&account.deploy(&want, DEPLOY));
    assert!(said.contains(&format!("network: none -> {both}")), "{said}");
    let said = shown(&account.deploy(&plain, DEPLOY));
    assert!(said.contains(&format!("network: {both} -> none")), "{said}");
}

/// Whoever puts the zone with free machines first gets it.
#[test]
fn the_first_subnet_is_the_first_that_is_written() {
    let files = within(&ALL);
    let mut account = Account::with(&files.desired());
    let mut swapped = within(&ALL);
    swapped.edit(
        "\"subnet-0b000000000000000\", \"subnet-0a000000000000000\"",
        "\"subnet-0a000000000000000\", \"subnet-0b000000000000000\"",
    );
    let plan = account.deploy(&swapped.desired(), DEPLOY);
    let targets: Vec<_> = plan.steps.iter().map(|step| step.target.to_string()).collect();
    assert_eq!(targets, ["notebook/lab"; 2], "AWS keeps no order of many");
    let moved = "network: subnet-0b000000000000000 with sg-0a000000000000000 -> subnet-0a000000000000000";
    assert!(shown(&plan).contains(moved), "{}", shown(&plan));
}

#[test]
fn a_network_is_another_job_and_another_model() {
    let name = |files: &Files, kind: KindName| {
        let want = files.desired();
        want.nodes.iter().find(|node| node.id.kind == kind).unwrap().physical.clone()
    };
    let plain = within(&[]);
    for (section, kind) in
        [("[training.numbers]", KindName::Training), ("[endpoint.numbers]", KindName::Model)]
    {
        assert_ne!(name(&within(&[section]), kind), name(&plain, kind), "{section}");
    }
    let mut isolated = Files::new();
    isolated.edit("[endpoint.numbers]\n", "[endpoint.numbers]\nisolation = true\n");
    assert_ne!(name(&isolated, KindName::Model), name(&plain, KindName::Model));
    let mut account = Account::with(&Files::new().desired());
    let said = shown(&account.deploy(&isolated.desired(), DEPLOY));
    assert!(said.contains("isolation: false -> true"), "{said}");
}

#[test]
fn an_algorithm_may_be_isolated() {
    let text = |isolation: &str| {
        format!(
            "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n[training.fit]\n\
             algorithm = \"xgboost-1.7\"\n{isolation}"
        )
    };
    let job = |isolation: &str| {
        let file = std::path::Path::new("tests/core/plan/project/opsctl.toml");
        let (project, said) = project::said_about(file, text(isolation), "dev");
        let project = project.unwrap_or_else(|| panic!("{said}"));
        assert!(!project.problems.has_errors(), "{said}");
        let nodes = project.desired.nodes;
        nodes.into_iter().find(|node| node.id.kind == KindName::Training).unwrap().physical
    };
    assert_ne!(job(""), job("isolation = true\n"));
}
