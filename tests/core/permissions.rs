//! Which permissions opsctl needs: what each kind lists is what its code calls, and AWS has each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use opsctl::domain::{Action, action};
use opsctl::policy::{self, LARGEST, Names, Whom};
use opsctl::resources::kinds;
use opsctl_iam::catalogue::Catalogue;
use regex_lite::Regex;

use crate::policy::with_everything;

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

/// The files of a folder that make calls: not the pure half, which lists them and says what roles and others
/// are granted.
fn that_call(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pure = ["spec.rs", "section.rs", "policy.rs", "url.rs"];
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
const BESIDE: [(&str, &[&str]); 9] = [
    ("The lease, which every command takes that writes", &["src/engine/lease/mod.rs"]),
    ("A role, an instance profile or a boundary that others made", &["src/run/doctor/roles.rs"]),
    ("Data and archives in other buckets", &["src/run/remote.rs", "src/transfer/download.rs"]),
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

type Needs = BTreeSet<&'static str>;

fn needs(actions: &[Action]) -> Needs {
    actions.iter().flat_map(|action| action.needs()).collect()
}

/// What is under each heading of the page.
fn headings() -> Vec<(String, Needs)> {
    let mut headings: Vec<(String, Needs)> =
        kinds().iter().map(|kind| (kind.name().to_string(), needs(kind.calls()))).collect();
    let also: Vec<Action> = with_everything()
        .nodes
        .iter()
        .flat_map(|node| node.spec.also_needs())
        .map(|(action, _)| action)
        .collect();
    headings.push(("A function with layers or in a network".into(), needs(&also)));
    let uses = kinds().iter().filter_map(|kind| kind.key_use()).collect::<Vec<_>>();
    let with_key = uses.iter().flat_map(|of| of.changes.iter().chain(of.looks)).copied();
    let with_key: Vec<Action> =
        with_key.chain([action::kms::DescribeKey, action::kms::CreateGrant]).collect();
    headings.push(("A key (`[encryption]`)".into(), needs(&with_key)));
    for (what, files) in BESIDE {
        let made: Vec<Action> = files.iter().flat_map(|file| named_in(Path::new(file))).collect();
        headings.push((what.into(), needs(&made)));
    }
    headings
}

/// Rust files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// What no kind calls is called by one of these areas, and what a document of `opsctl policy` allows is there
/// for a reason that has a heading.
#[test]
fn no_call_is_without_a_heading() {
    let said: Needs = headings().into_iter().flat_map(|(_, needs)| needs).collect();
    let areas = ["aws", "audit", "engine", "transfer", "run", "cli"].map(|area| Path::new("src").join(area));
    let files = areas.iter().flat_map(|area| below(area)).filter(|file| file.extension().is_some());
    let shared = that_call(Path::new("src/resources")).into_iter().filter(|file| file.is_file());
    let rust = files.chain(shared).filter(|file| file.extension().unwrap() == "rs");
    let unsaid = rust.flat_map(|file| {
        let needs = needs(&named_in(&file)).into_iter().filter(|name| !said.contains(name));
        needs.map(|name| format!("{}: {name}", file.display())).collect::<Vec<_>>()
    });
    assert_eq!(unsaid.collect::<Vec<_>>(), [] as [String; 0], "add the file to `BESIDE`");
    let documents = policy::documents(&with_everything(), &kinds(), Whom::Deployer, Names::Exact);
    let statements = documents.iter().flat_map(|document| document["Statement"].as_array().unwrap());
    let allowed = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    let unsaid = allowed.map(|action| action.as_str().unwrap()).filter(|name| !said.contains(name));
    assert_eq!(unsaid.collect::<Vec<_>>(), [] as [&str; 0], "`opsctl policy` allows it");
}

#[test]
fn the_page_of_permissions_is_fresh() {
    let mut page = String::from(
        "# Permissions\n\n\
         <!-- Written from src/domain/action.rs and the lists of the kinds:\n\
         UPDATE_EXPECT=1 cargo test --no-default-features --test core permissions -->\n\n\
         The actions that whoever runs opsctl must be allowed, by what the config has, and all of them as\n\
         one policy. `opsctl policy deployer` writes fewer: those that your config needs, on what is\n\
         yours. A call that AWS denies (E202) names the action that it needs.\n",
    );
    let headings = headings();
    for (what, needs) in &headings {
        page.push_str(&format!("\n## {what}\n\n{}", by_service(needs)));
    }
    let all: Needs = headings.into_iter().flat_map(|(_, needs)| needs).collect();
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": all, "Resource": "*" }],
    });
    let policy = serde_json::to_string_pretty(&policy).unwrap();
    page.push_str(&format!("\n## All of them, as one policy\n\n```json\n{policy}\n```\n"));
    // "The size of each managed policy cannot exceed 6,144 characters", blanks not counted
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
    assert!(policy.chars().filter(|c| !c.is_whitespace()).count() <= LARGEST);
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
