//! docs/managed.md speaks of all that AWS lets one change.

use std::collections::BTreeSet;

use opsctl::resources::kinds;

/// The requests that change what opsctl makes, as the sandbox's copy of AWS's models has them.
const CHANGES: [&str; 10] = [
    "UpdateFunctionConfigurationRequest",
    "UpdateFunctionCodeRequest",
    "RegisterScalableTargetRequest",
    "TargetTrackingScalingPolicyConfiguration",
    "UpdateEndpointInput",
    "UpdateNotebookInstanceInput",
    "LoggingConfig",
    "UpdateRoleRequest",
    "PutRolePermissionsBoundaryRequest",
    "PutRetentionPolicyRequest",
];
/// Which resource, and how the call is made.
const NOT_OF_THE_RESOURCE: [&str; 13] = [
    "FunctionName",
    "RevisionId",
    "Publish",
    "PublishTo",
    "DryRun",
    "ServiceNamespace",
    "ResourceId",
    "ScalableDimension",
    "EndpointName",
    "NotebookInstanceName",
    "Tags",
    "RoleName",
    "logGroupName",
];
/// Levels say what is left out of a format, and have a meaning in JSON alone.
const OF_LOGGING: [&str; 4] = ["LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel"];

#[test]
fn every_attribute_that_can_be_changed_is_put_back_or_said_to_be_left() {
    let page = std::fs::read_to_string("docs/managed.md").expect("the page");
    let said: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    let models = std::fs::read_to_string("src/sandbox/model/requests.txt").expect("the models");
    for shape in CHANGES {
        let head = format!("t\t{shape}\tstructure\t");
        let line =
            models.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_else(|| panic!("{shape}"));
        let members = line.split('\t').skip(3).filter_map(|member| member.split(':').next());
        let known = |member: &&str| {
            said.contains(member) || NOT_OF_THE_RESOURCE.contains(member) || OF_LOGGING.contains(member)
        };
        let unsaid: Vec<&str> = members.filter(|member| !known(member)).collect();
        assert_eq!(unsaid, Vec::<&str>::new(), "{shape}: docs/managed.md does not say what becomes of them");
    }
}

/// The rows of the section about a kind: the attributes between backticks, and what becomes of them.
fn rows<'a>(page: &'a str, kind: &str) -> Vec<(Vec<&'a str>, &'a str)> {
    let section = page.split("\n## ").find(|text| text.lines().next().unwrap().eq_ignore_ascii_case(kind));
    let lines = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| "));
    let cells = lines.filter_map(|line| line.split_once(" | "));
    cells.map(|(names, what)| (names.split('`').skip(1).step_by(2).collect(), what)).collect()
}

#[test]
fn what_a_key_sets_is_said_to_be_as_the_config_says() {
    let page = std::fs::read_to_string("docs/managed.md").expect("the page");
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for kind in kinds() {
        let rows = rows(&page, kind.name().words());
        for bound in kind.bound() {
            // `lambda:CreateFunction.Environment.Variables` is the attribute `Environment`, or what is in it.
            let path: Vec<&str> = bound.member.split('.').skip(1).collect();
            for (_, what) in rows.iter().filter(|(names, _)| path.iter().any(|part| names.contains(part))) {
                compared += 1;
                if !what.starts_with("as the config says") {
                    wrong.push(format!(
                        "{}: `{}` is a key, and the page says: {what}",
                        bound.member, bound.key
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(compared > 8, "the page and the keys have little in common: {compared}");
}
