//! Which permissions opsctl needs: what each kind lists is what its code calls, and AWS has each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use opsctl::domain::{Action, action};
use opsctl::resources::kinds;
use opsctl_iam::catalogue::Catalogue;
use regex_lite::Regex;

/// The actions that a file names.
fn named_in(file: &Path) -> Vec<Action> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let path = Regex::new(r"\baction::(\w+)::([A-Z]\w+)").unwrap();
    let named = path.captures_iter(&text).map(|found| match &found[1] {
        "autoscaling" => format!("application-autoscaling:{}", &found[2]),
        service => format!("{service}:{}", &found[2]),
    });
    named.map(|name| *action::ALL.iter().find(|a| a.name == name).expect("it compiles")).collect()
}

/// The files of a folder that make calls: not the pure half, which lists them and writes the policies of
/// roles.
fn that_call(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pure = ["spec.rs", "section.rs", "policy.rs"];
    files.filter(|file| !pure.contains(&file.file_name().unwrap().to_str().unwrap())).collect()
}

fn names(actions: &[Action]) -> BTreeSet<&'static str> {
    actions.iter().map(|action| action.name).collect()
}

#[test]
fn a_kind_lists_every_call_of_its_folder() {
    let mut missing = Vec::new();
    for kind in kinds() {
        let folder = Path::new("src/resources").join(kind.name().as_str().replace('-', "_"));
        let made: Vec<Action> = that_call(&folder).iter().flat_map(|file| named_in(file)).collect();
        let (made, mut listed) = (names(&made), names(kind.calls()));
        assert_eq!(listed.len(), kind.calls().len(), "{} lists a call twice", kind.name());
        // What only `opsctl invoke` calls is said apart, and its driver makes it.
        let invoked = kind.invoked().map(|action| action.name);
        assert!(invoked.is_none_or(|name| made.contains(name)), "{} is not invoked", kind.name());
        listed.extend(invoked);
        let absent = made.into_iter().filter(|name| !listed.contains(name));
        missing.extend(absent.map(|name| format!("{}: {name}", kind.name())));
    }
    assert_eq!(missing, [] as [String; 0], "add them to `calls` of the kind");
}

#[test]
fn what_is_listed_is_called() {
    let mut folders: Vec<PathBuf> = [
        "resources",
        "engine",
        "engine/lease",
        "run",
        "run/doctor",
        "run/evidence",
        "transfer",
        "cli/commands",
        "audit",
    ]
    .map(|folder| Path::new("src").join(folder))
    .into();
    for kind in kinds() {
        folders.push(Path::new("src/resources").join(kind.name().as_str().replace('-', "_")));
    }
    let files = folders.iter().flat_map(|folder| that_call(folder)).filter(|file| file.is_file());
    let made: Vec<Action> = files.flat_map(|file| named_in(&file)).collect();
    let made = names(&made);
    let listed: BTreeSet<_> = kinds().iter().flat_map(|kind| names(kind.calls())).collect();
    assert_eq!(listed.difference(&made).collect::<Vec<_>>(), [] as [&&str; 0], "nothing calls these");
}

#[test]
fn aws_has_every_permission() {
    let catalogue = Catalogue::embedded();
    let all: BTreeSet<&str> = action::ALL.iter().flat_map(|action| action.needs()).collect();
    let unknown: Vec<_> = all.iter().filter(|name| catalogue.find(name).is_none()).collect();
    assert_eq!(unknown, [] as [&&str; 0]);
}

#[test]
fn what_a_call_implies_is_needed_too() {
    assert_eq!(action::s3::UploadPart.needs(), ["s3:PutObject"], "the operation is no permission");
    assert_eq!(action::sts::GetCallerIdentity.needs(), [] as [&str; 0]);
    assert_eq!(
        action::lambda::CreateFunction.needs(),
        ["lambda:CreateFunction", "lambda:TagResource", "iam:PassRole"]
    );
    assert_eq!(action::s3::GetObject.needed(), " (the call needs s3:GetObject, s3:ListBucket)");
    assert_eq!(action::s3::UploadPart.needed(), " (the call needs s3:PutObject)");
    assert_eq!(action::s3::PutObject.needed(), "");
}

/// AWS checks more than the action that a call is named by: each of these was denied to somebody, or is in
/// AWS's pages, which `src/domain/action.rs` names.
#[test]
fn what_aws_checks_beside_a_call_is_known() {
    let implied = |action: &&Action| !action.needs().is_empty() && action.needs() != [action.name];
    let told: Vec<String> = action::ALL
        .iter()
        .filter(implied)
        .map(|action| format!("{}: {}\n", action.name, action.needs().join(", ")))
        .collect();
    expect_file!["./permissions.txt"].assert_eq(&told.concat());
}

/// Calls beside those of the kinds, and where they are made.
const BESIDE: [(&str, &[&str]); 7] = [
    ("The lease, which every command takes that writes", &["src/engine/lease/mod.rs"]),
    ("`opsctl logs`", &["src/run/logs.rs", "src/resources/log_stream.rs", "src/resources/parted_log.rs"]),
    ("`opsctl invoke`", &["src/resources/endpoint/invoke.rs", "src/resources/function/invoke.rs"]),
    (
        "`opsctl doctor`, and what a deploy asks before its first write",
        &[
            "src/aws/cloudwatch.rs",
            "src/aws/ecr.rs",
            "src/run/session.rs",
            "src/run/doctor/mod.rs",
            "src/run/doctor/account.rs",
            "src/run/doctor/permissions.rs",
            "src/run/doctor/quotas.rs",
        ],
    ),
    (
        "`opsctl report`, beside the reads of what it shows and the audit",
        &[
            "src/aws/cloudwatch.rs",
            "src/run/evidence/history.rs",
            "src/run/evidence/jobs.rs",
            "src/run/evidence/traffic.rs",
        ],
    ),
    (
        "What a project costs; without it opsctl counts with the prices that it carries",
        &["src/aws/pricing.rs"],
    ),
    ("`opsctl audit-iam`", &["src/audit/collect.rs", "src/audit/last_accessed.rs"]),
];

#[test]
fn the_page_of_permissions_is_fresh() {
    let mut page = String::from(
        "# Permissions\n\n\
         <!-- Written from src/domain/action.rs and the lists of the kinds:\n\
         UPDATE_EXPECT=1 cargo test --no-default-features --test core permissions -->\n\n\
         The actions that whoever runs opsctl must be allowed, by what the config has, and all of them as\n\
         one policy. A call that AWS denies (E202) names the action that it needs.\n",
    );
    let needs = |actions: &[Action]| -> BTreeSet<&str> { actions.iter().flat_map(|a| a.needs()).collect() };
    let mut all = BTreeSet::new();
    for kind in kinds() {
        let needs = needs(kind.calls());
        page.push_str(&format!("\n## {}\n\n{}", kind.name(), by_service(&needs)));
        all.extend(needs);
    }
    for (what, files) in BESIDE {
        let made: Vec<Action> = files.iter().flat_map(|file| named_in(Path::new(file))).collect();
        page.push_str(&format!("\n## {what}\n\n{}", by_service(&needs(&made))));
    }
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": all, "Resource": "*" }],
    });
    let policy = serde_json::to_string_pretty(&policy).unwrap();
    page.push_str(&format!("\n## All kinds, as one policy\n\n```json\n{policy}\n```\n"));
    // "The size of each managed policy cannot exceed 6,144 characters", blanks not counted
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
    assert!(policy.chars().filter(|c| !c.is_whitespace()).count() <= 6_144);
    expect_file!["../../docs/permissions.md"].assert_eq(&page);
}

/// A line per service: `sagemaker`: AddTags, CreateModel.
fn by_service(needs: &BTreeSet<&str>) -> String {
    let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in needs {
        let (service, action) = name.split_once(':').unwrap();
        services.entry(service).or_default().push(action);
    }
    services.iter().map(|(service, actions)| format!("- `{service}`: {}\n", actions.join(", "))).collect()
}
