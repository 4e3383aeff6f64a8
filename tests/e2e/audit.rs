//! `opsctl audit-iam` against the sandbox, and against what it was asked to survive.

use std::collections::BTreeMap;
use std::process::Command;

use opsctl::audit::collect::{self, Collected};
use opsctl::audit::last_accessed::{Detail, Reporter, Reports};
use opsctl::audit::{self, Account, Instant, Settings};
use opsctl::aws::{self, Clients, PollPace, TargetOptions};
use opsctl_sandbox::Sandbox;
use opsctl_sandbox::faults::FaultRule;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::inside::{post, sandbox};
use crate::support::python::environment;

const ACCOUNT: &str = "123456789012";
const NOW: &str = "2026-11-01T00:00:00Z";

fn now() -> Instant {
    Instant::parse(NOW).expect("a time")
}

fn trust() -> String {
    json!({"Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"}})
    .to_string()
}

/// An account in the sandbox: roles with a past, and the clients to read it.
struct Iam {
    sandbox: Sandbox,
    aws: Clients,
    _folder: tempfile::TempDir,
}

impl Iam {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = sandbox(folder.path()).await;
        let choice = TargetOptions {
            region: Some("us-east-1".into()),
            sandbox: Some(sandbox.endpoint_url().to_owned()),
            ..TargetOptions::default()
        };
        let aws = Clients::new(&aws::connect(&choice).await);
        Self { sandbox, aws, _folder: folder }
    }

    /// A role created long ago; `used` are its services with the day each was last used.
    async fn role(&self, name: &str, policies: &[&str], used: &[(&str, &str)]) {
        let iam = &self.aws.iam;
        iam.create_role().role_name(name).assume_role_policy_document(trust()).send().await.expect("created");
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            iam.attach_role_policy().role_name(name).policy_arn(arn).send().await.expect("attached");
        }
        let services: BTreeMap<_, _> =
            used.iter().map(|(service, day)| (*service, json!({"last": day}))).collect();
        let last = used.iter().map(|(_, day)| *day).max();
        let past =
            json!({"role": name, "created": "2024-01-01T00:00:00Z", "last_used": last, "services": services});
        post(&self.sandbox, "iam", &past).await;
    }

    fn strike(&self, rules: &[&str]) {
        let rules = rules.iter().map(|rule| rule.parse::<FaultRule>().expect("a rule")).collect();
        self.sandbox.state().faults.extend(rules);
    }

    async fn collect(&self) -> (Collected, Account) {
        let found = collect::collect(&self.aws.iam).await;
        let account = found.account(ACCOUNT);
        (found, account)
    }

    fn reads(&self) -> u64 {
        self.aws.calls.total().reads
    }
}

fn unevaluated(account: &Account) -> Vec<&'static str> {
    let result = audit::audit(account, &audit::Usage::default(), &Settings::at(now()));
    result.not_evaluated.iter().filter(|entry| !entry.optional).map(|entry| entry.rule).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn few_calls_and_nothing_forgotten() {
    let iam = Iam::start().await;
    iam.role("plain", &["AmazonS3FullAccess"], &[("s3", "2026-10-30T00:00:00Z")]).await;
    let before = iam.reads();
    let (found, account) = iam.collect().await;
    assert_eq!(iam.reads() - before, 3, "roles, all else, sessions");
    assert_eq!(found.problems, []);
    assert_eq!(found.dump["IsTruncated"], false);
    assert_eq!(account.roles[0].max_session_duration, Some(3600));
    let saved = Account::from_json(found.dump.to_string().as_bytes()).expect("a dump");
    assert_eq!(saved.roles[0].max_session_duration, Some(3600), "what ListRoles told is saved too");
    iam.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_is_named_and_never_a_pass() {
    for (rule, expected) in [
        ("fail=AccessDenied@iam:ListRoles#1x0", "IAM505"),
        ("fail=AccessDenied@iam:GetAccountAuthorizationDetails#1x0", "IAM903"),
    ] {
        let iam = Iam::start().await;
        iam.role("plain", &["AdministratorAccess"], &[("s3", "2026-10-30T00:00:00Z")]).await;
        iam.strike(&[rule]);
        let (found, account) = iam.collect().await;
        assert!(
            found
                .problems
                .iter()
                .any(|(id, text)| *id == expected && text.contains("AccessDenied") || text.contains("iam:")),
            "{found:?}"
        );
        assert_eq!(unevaluated(&account).first(), Some(&expected));
        iam.sandbox.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_cut_connections_are_waited_out() {
    let iam = Iam::start().await;
    iam.role("plain", &["AmazonS3FullAccess"], &[("s3", "2026-10-30T00:00:00Z")]).await;
    iam.strike(&[
        "throttle@iam:GetAccountAuthorizationDetails#1x3",
        "throttle@iam:ListRoles#1x2",
        "cut@iam:ListRoles#3",
    ]);
    let (found, account) = iam.collect().await;
    assert_eq!((found.problems, account.roles.len()), (Vec::new(), 1));
    assert_eq!(iam.sandbox.state().faults.hits(), 6);
    iam.sandbox.stop().await;
}

/// Policies first: two roles with one policy and nothing else are told by one report, and a role that leaves
/// a question open gets its own. What was fetched is not fetched again.
#[tokio::test(flavor = "multi_thread")]
async fn use_is_asked_of_policies_first_and_kept() {
    let iam = Iam::start().await;
    let recent = ("s3", "2026-10-30T00:00:00Z");
    iam.role("alone", &["AmazonS3FullAccess"], &[recent]).await;
    // The latest user of the shared policy is told by its report; the other is asked about.
    iam.role("latest", &["AWSLambda_FullAccess"], &[("lambda", "2026-10-31T00:00:00Z")]).await;
    iam.role("earlier", &["AWSLambda_FullAccess"], &[("lambda", "2026-10-29T00:00:00Z")]).await;
    iam.role("stale", &["AWSLambda_FullAccess"], &[("lambda", "2026-01-01T00:00:00Z")]).await;
    let (_, account) = iam.collect().await;
    let settings = Settings::at(now());
    let mut known = Reports::default();
    let reporter = Reporter::new(&iam.aws.iam, PollPace::Local, Detail::Services, now());
    let fetched = reporter.fetch(&account, &settings, &mut known).await;
    assert_eq!(fetched.problems, [""; 0]);
    let names: Vec<_> = fetched.usage.roles.keys().map(|arn| arn.rsplit('/').next().unwrap_or("")).collect();
    assert_eq!(names, ["alone", "earlier", "latest"], "the stale one needs no list of services");
    assert_eq!(fetched.asked, 3, "the shared policy, and the two that it leaves open");
    let result = audit::audit(&account, &fetched.usage, &settings);
    let unused = result.findings.iter().filter(|f| f.rule == "IAM404").count();
    assert!(unused >= 2, "services that Lambda's policy gives and nobody used");

    let kept = Reports::read(&known.to_text(), now());
    let mut kept = kept;
    let again = reporter.fetch(&account, &settings, &mut kept).await;
    assert_eq!((again.asked, again.cached), (0, 3));
    assert_eq!(format!("{:?}", again.usage), format!("{:?}", fetched.usage));
    let later = Instant(now().0 + 5 * 3600);
    assert!(Reports::read(&known.to_text(), later).reports.is_empty(), "older than IAM's own data");

    iam.strike(&["fail=AccessDenied@iam:GenerateServiceLastAccessedDetails#1x0"]);
    let denied = reporter.fetch(&account, &settings, &mut Reports::default()).await;
    assert!(denied.usage.roles.is_empty() && !denied.problems.is_empty());
    iam.sandbox.stop().await;
}

/// The real binary, as a user meets it.
#[test]
fn the_command_says_what_it_could_not_see() {
    let world = World::empty().sandbox();
    let clean = world.run(["audit-iam", "--fail-on", "low", "--format", "json"]).success().json();
    assert_eq!(clean["account"], ACCOUNT);
    world.run(["audit-iam", "--usage-from-aws"]).success();
    for wrong in [
        &["audit-iam", "--usage-from-aws", "--input", "x"][..],
        &["audit-iam", "--write", "x"],
        &["audit-iam", "--format", "pdf"],
        &["audit-iam", "--fail-on", "terrible"],
        &["audit-iam", "--now", "yesterday"],
        &["audit-iam", "--update-baseline"],
    ] {
        world.run(wrong.iter().copied()).ended(64);
    }
}

/// A dump that has one of everything a report shows.
fn dump(world: &World) {
    let policy = |actions: &str| {
        json!({"Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}})
    };
    let trust: Value = serde_json::from_str(&trust()).expect("JSON");
    let role = |name: &str, extra: Value| {
        let mut role = json!({
            "Path": "/", "RoleName": name, "RoleId": "AROA",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "CreateDate": "2024-01-01T00:00:00Z", "AssumeRolePolicyDocument": trust,
            "RoleLastUsed": {"LastUsedDate": "2026-10-30T00:00:00Z"},
            "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": [],
        });
        role.as_object_mut().expect("a role").extend(extra.as_object().cloned().unwrap_or_default());
        role
    };
    let full = json!([{"PolicyName": "AmazonS3FullAccess",
        "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}]);
    let roles = json!([
        role("etl", json!({"AttachedManagedPolicies": full})),
        role(
            "web",
            json!({"AttachedManagedPolicies": full, "Tags": [{"Key": "opsctl:ignore", "Value": "IAM101"}]})
        ),
        role(
            "odd<&>\"name",
            json!({"RolePolicyList": [{"PolicyName": "a\u{1}b", "PolicyDocument": policy("iam:*")}]})
        ),
        role("bad", json!({"RolePolicyList": [{"PolicyName": "p", "PolicyDocument": "%7Bnonsense"}]})),
    ]);
    world.write("dump.json", &json!({"RoleDetailList": roles, "Policies": []}).to_string());
}

/// SARIF against OASIS's schema, JUnit against Jenkins', OCSF against its own, ASFF against the model of
/// Security Hub.
#[test]
fn reports_pass_their_schemas() {
    const REQUIREMENTS: &str = "attrs==26.1.0\nbotocore==1.44.8\nelementpath==5.1.4\njmespath==1.1.0\njsonschema==4.26.0\njsonschema-specifications==2025.9.1\nocsf-json-schema==1.2.0\npython-dateutil==2.9.0.post0\nreferencing==0.37.0\nrpds-py==2026.9.1\nsix==1.17.0\ntyping_extensions==4.16.0\nurllib3==2.8.0\nxmlschema==4.3.2\n";
    const CHECK: &str = r"
import json, sys, jsonschema, xmlschema
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
folder, sarif, junit, ocsf, asff = sys.argv[1:]
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema('1.3.0')).get_class_schema('compliance_finding', profiles=['cloud'])
events = [json.loads(line) for line in open(ocsf)]
errors = [error for event in events for error in jsonschema.Draft202012Validator(schema).iter_errors(event)]
assert events and not errors, errors[:3]
hub = ServiceModel(Loader().load_service_model('securityhub', 'service-2')).operation_model('BatchImportFindings')
findings = json.load(open(asff))
problems = ParamValidator().validate({'Findings': findings}, hub.input_shape)
assert findings and not problems.has_errors(), problems.generate_report()
for finding in findings:
    assert len(finding['Title']) <= 256 and len(finding['Description']) <= 1024, finding
    assert len(finding['Remediation']['Recommendation']['Text']) <= 512, finding
    assert all(len(text) <= 64 for text in finding['Compliance']['RelatedRequirements']), finding
schema = json.load(open(folder + '/sarif-2.1.0.json'))
errors = list(jsonschema.Draft7Validator(schema).iter_errors(json.load(open(sarif))))
assert not errors, errors[:3]
xmlschema.XMLSchema(folder + '/junit-10.xsd').validate(junit)
";
    let world = World::empty();
    dump(&world);
    let input = ["audit-iam", "--input", "dump.json", "--now", NOW, "--fail-on", "high"];
    for form in ["sarif", "junit", "ocsf", "asff"] {
        // Findings first: that something could not be read does not make them better.
        let ran = world.run(input.into_iter().chain(["--format", form])).ended(2);
        world.write(&format!("report.{form}"), &ran.stdout);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/schemas");
    let python = environment(REQUIREMENTS).join("python");
    let checked = Command::new(python)
        .args(["-c", CHECK, folder])
        .args(["sarif", "junit", "ocsf", "asff"].map(|form| world.path(&format!("report.{form}"))))
        .output()
        .expect("the virtual environment has a Python");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let sarif: Value = serde_json::from_str(&world.read("report.sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let uris = results.iter().map(|r| &r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]);
    assert!(uris.clone().count() > 3);
    uris.for_each(|uri| assert_eq!(uri, "opsctl.toml", "relative to the repository"));
}

#[test]
fn exit_codes_follow_findings_baseline_and_gaps() {
    let world = World::empty();
    dump(&world);
    let run = |more: &[&str]| {
        let input = ["audit-iam", "--input", "dump.json", "--now", NOW];
        world.run(input.into_iter().chain(more.iter().copied()))
    };
    for (limit, code) in [("critical", 2), ("high", 2), ("medium", 2), ("low", 2), ("none", 10)] {
        run(&["--fail-on", limit]).ended(code);
    }
    let shown = run(&[]).ended(10);
    for part in ["IAM101", "  on etl, web", "Set aside:", "Not evaluated:", "incomplete"] {
        assert!(shown.stdout.contains(part), "{part}\n{shown}");
    }
    run(&["--baseline", "known.toml"]).ended(1).says("--update-baseline writes one");
    run(&["--baseline", "known.toml", "--update-baseline", "--fail-on", "low"]).ended(2);
    let text = world.read("known.toml").replace("reason = \"\"", "reason = \"agreed\"");
    world.write("known.toml", &text);
    let known = run(&["--baseline", "known.toml", "--fail-on", "low", "-o", "json"]).ended(10).json();
    assert_eq!((&known["summary"]["new"], &known["format"]), (&json!(0), &json!(1)));
    // The unreadable policy is fixed, and the administrator's is gone.
    let fixed = world
        .read("dump.json")
        .replace("%7Bnonsense", "%7B%22Statement%22%3A%5B%5D%7D")
        .replace("iam:*", "iam:ListRoles");
    world.write("dump.json", &fixed);
    let fixed = run(&["--baseline", "known.toml", "--fail-on", "low", "-o", "json"]).ended(0).json();
    assert!(fixed["fixed"].as_array().is_some_and(|fixed| !fixed.is_empty()), "{fixed}");
    for form in ["human", "json", "sarif", "junit", "markdown", "github"] {
        assert!(!run(&["--format", form]).success().stdout.is_empty(), "{form}");
    }
    let why = run(&["explain", "etl", "s3:GetObject", "arn:aws:s3:::b/k"]).success();
    assert!(why.stdout.contains("allowed") && why.stdout.contains("AmazonS3FullAccess"), "{why}");
    run(&["explain", "nobody", "s3:GetObject"]).ended(64);
}

/// Options that would do nothing, questions without an answer, and dumps of nothing are no success.
#[test]
fn nothing_passes_that_was_not_done() {
    let world = World::empty();
    dump(&world);
    world.write("empty.json", r#"{"RoleDetailList": []}"#);
    let two = world.read("dump.json").replacen(&format!("{ACCOUNT}:role"), "999988887777:role", 1);
    world.write("two.json", &two);
    let run = |input: &str, more: &[&str]| {
        world.run(["audit-iam", "--input", input, "--now", NOW].into_iter().chain(more.iter().copied()))
    };
    for idle in [
        &["--save", "s.json"][..],
        &["--profile", "p"],
        &["--region", "eu-west-1"],
        &["--endpoint-url", "http://localhost:1"],
        &["--sandbox"],
        &["--own-account", "12"],
        &["--fail-on", "high", "explain", "etl", "s3:GetObject"],
        &["--baseline", "known.toml", "explain", "etl", "s3:GetObject"],
        &["explain", "etl", ""],
        &["explain", "etl", ":"],
        &["explain", "etl", "nonsense"],
        &["explain", "etl", "s3:Get*"],
        &["explain", "etl", "s3:GetObject", "bucket/key"],
    ] {
        run("dump.json", idle).ended(64);
    }
    assert!(!world.path("s.json").exists());
    run("dump.json", &["explain", "bad", "s3:GetObject"]).ended(10);
    run("empty.json", &["--fail-on", "high"]).ended(10);
    let told = run("two.json", &[]);
    assert!(told.stdout.contains("Account 123456789012, 999988887777:"), "{told}");
    run("-", &[]).ended(1).says("cut off");
    // Without an end; only where there is such a file.
    if std::path::Path::new("/dev/zero").exists() {
        run("/dev/zero", &[]).ended(1).says("more than 256 MiB");
    }
}

/// Proposals stay in their folder, whatever a role is called and whatever lies there.
#[test]
fn proposals_stay_in_their_folder() {
    let world = World::empty();
    dump(&world);
    let mut dump: Value = serde_json::from_str(&world.read("dump.json")).expect("JSON");
    let etl = dump["RoleDetailList"][0].clone();
    let outside = world.path("outside");
    let absolute = outside.to_string_lossy().into_owned();
    let names = ["../escaped", &absolute, "ETL", "..", "a\\b", "a\u{1b}b", "linked", ""];
    let named = |name: &str, path: &str| {
        let mut role = etl.clone();
        role["RoleName"] = name.into();
        role["Arn"] = format!("arn:aws:iam::{ACCOUNT}:role/{path}").into();
        role["Path"] = path.rfind('/').map_or("/".into(), |end| format!("/{}", &path[..=end])).into();
        role
    };
    let odd = names.iter().enumerate().map(|(n, name)| named(name, &format!("r{n}")));
    let of_a_service = named("AWSServiceRoleForX", "aws-service-role/x.amazonaws.com/AWSServiceRoleForX");
    let idle = named("idle", "idle");
    let signed_on = named("AWSReservedSSO_A_1", "aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_1");
    let mut emergency = named("emergency", "emergency");
    emergency["Tags"] = json!([{"Key": "break-glass", "Value": "true"}]);
    let not_ours = [of_a_service, idle, signed_on, emergency];
    let roles: Vec<Value> = std::iter::once(etl.clone()).chain(not_ours).chain(odd).collect();
    let used = json!([{"ServiceNamespace": "s3", "LastAuthenticated": "2026-10-30T00:00:00Z",
        "TrackedActionsLastAccessed": [{"ActionName": "GetObject",
            "LastAccessedTime": "2026-10-30T00:00:00Z"}]}]);
    let of = |role: &Value| role["Arn"].as_str().expect("an ARN").to_owned();
    let usage: BTreeMap<String, Value> = roles
        .iter()
        .map(|role| {
            (
                of(role),
                if role["RoleName"] == "idle" { json!([{"ServiceNamespace": "s3"}]) } else { used.clone() },
            )
        })
        .collect();
    dump["RoleDetailList"] = roles.into();
    world.write("dump.json", &dump.to_string());
    world.write("usage.json", &json!(usage).to_string());
    world.write("precious", "mine");
    std::fs::create_dir_all(world.path("w/proposals")).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(world.path("precious"), world.path("w/proposals/linked.json"))
        .expect("a link");
    let line = format!("audit-iam --input dump.json --usage usage.json --now {NOW} --write w/proposals");
    let input = || line.split(' ');
    // Not one of them is written where something of somebody else's is in the place of one.
    let refused = world.run(input()).ended(1).says("error[U315]").says("linked.json is there");
    refused.says("`--write DIR` writes elsewhere");
    assert_eq!(std::fs::read_dir(world.path("w/proposals")).expect("a folder").count(), 1);
    let told = world.run(input().chain(["--force"])).success();
    for part in ["etl: removes", "Wrote 9 proposals", "1 role used nothing"] {
        assert!(told.stderr.contains(part), "{part}: {told}");
    }
    assert!(!told.stderr.contains('\u{1b}'), "{told}");
    let entries = |folder: &str| {
        let list = std::fs::read_dir(world.path(folder)).expect("a folder");
        list.map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
            .collect::<Vec<_>>()
    };
    assert_eq!(entries("w"), ["proposals"]);
    assert_eq!(world.read("precious"), "mine");
    assert!(!outside.exists() && !world.path("escaped.json").exists());
    let files = entries("w/proposals");
    assert_eq!(files.len(), 18, "{files:?}");
    let folded: std::collections::BTreeSet<String> = files.iter().map(|f| f.to_lowercase()).collect();
    assert_eq!(folded.len(), files.len(), "one file per role also where case does not count");
    let spared = ["AWSServiceRole", "idle", "AWSReservedSSO", "emergency"];
    assert!(!files.iter().any(|file| spared.iter().any(|name| file.starts_with(name))), "{files:?}");
    // Its own, it replaces unasked, until somebody edits one.
    world.run(input()).success();
    world.write("w/proposals/etl.diff", "a note");
    world.run(input()).ended(1).says("etl.diff is there");
    // Whoever looks for what was written looks for a folder that is there.
    dump["RoleDetailList"].as_array_mut().expect("roles").retain(|role| role["RoleName"] == "idle");
    world.write("idle.json", &dump.to_string());
    let line = format!("audit-iam --input idle.json --usage usage.json --now {NOW} --write w/none");
    let told = world.run(line.split(' '));
    assert!(told.stderr.contains("There is nothing to propose, and nothing was written."), "{told}");
    assert!(!world.path("w/none").exists());
    // Usage of roles that are not in the account is no usage.
    world.write("usage.json", &json!({"etl": used}).to_string());
    let told = world.run(input()).ended(10);
    assert!(told.stdout.contains("its keys are whole role ARNs"), "{told}");
}

/// A template of an administrator's role, with YAML's short forms.
fn in_yaml(trust: &Value) -> String {
    format!(
        "AWSTemplateFormatVersion: 2010-09-09\n\
        Resources:\n  Job:\n    Type: AWS::IAM::Role\n    Properties:\n      \
         ManagedPolicyArns: [!Sub 'arn:${{AWS::Partition}}:iam::aws:policy/AdministratorAccess']\n      \
         AssumeRolePolicyDocument: {trust}\n"
    )
}

/// What is not deployed yet, and what a change adds.
#[test]
fn files_of_all_kinds_are_judged_before_they_are_deployed() {
    let world = World::empty();
    dump(&world);
    let policy = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})
            .to_string()
    };
    let trust: Value = serde_json::from_str(&trust()).expect("JSON");
    world.write("wide.json", &policy("*"));
    world.write("narrow.json", &policy("s3:ListAllMyBuckets"));
    world.write("all/a/one.json", &policy("iam:*"));
    world.write("all/two.json", &policy("s3:ListAllMyBuckets"));
    world.write("some/two.json", &policy("s3:ListAllMyBuckets"));
    world.write("some/package.json", "{}");
    world.write("trust.json", &trust.to_string());
    world.write(
        "template.json",
        &json!({"Resources": {"Job": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "job",
            "AssumeRolePolicyDocument": trust,
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}}}})
        .to_string(),
    );
    let resources = json!([{
        "mode": "managed", "type": "aws_iam_role", "name": "job", "address": "aws_iam_role.job",
        "values": {"name": "job", "assume_role_policy": trust.to_string(),
            "managed_policy_arns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}}]);
    world.write(
        "plan.json",
        &json!({"terraform_version": "1.9.0", "planned_values": {"root_module": {"resources": resources}}})
            .to_string(),
    );
    world.write("template.yaml", &in_yaml(&trust));
    world.write("twice.yaml", "Resources: {}\nResources: {}\n");
    world.write("main.tf", "resource \"aws_iam_role\" \"a\" {\n}\n");
    world.write(
        "around.json",
        &json!({"ServiceControlPolicies": {"no-s3": {"Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}}})
        .to_string(),
    );
    let run = |more: &[&str]| world.run(["audit-iam", "--now", NOW].into_iter().chain(more.iter().copied()));
    let found = |more: &[&str], code: i32| {
        let json = run(&[more, &["-o", "json", "--fail-on", "high"][..]].concat()).ended(code).json();
        json["findings"].as_array().expect("a list").iter().map(|f| f["rule"].to_string()).collect::<String>()
    };
    for file in [
        "--input=template.json",
        "--input=template.yaml",
        "--input=plan.json",
        "--policy=wide.json",
        "--policy=all",
    ] {
        assert!(found(&[file], 2).contains("IAM103") || file == "--policy=all", "{file}");
    }
    assert!(!found(&["--policy", "narrow.json"], 0).contains("IAM1"));
    assert!(
        run(&["--policy", "some"]).ended(10).stdout.contains("package was left out: it has no Statement")
    );
    for (file, said) in [
        ("--policy=trust.json", "--resources"),
        ("--input=wide.json", "--policy"),
        ("--input=twice.yaml", "Resources is there twice (line 2)"),
        ("--input=main.tf", "terraform show -json"),
        ("--input=around.json", "RoleDetailList"),
        ("--resources=wide.json", "ResourcePolicies"),
    ] {
        run(&[file]).ended(1).says("U316").says(said);
    }
    // A limit of the organization takes away.
    let asked = ["explain", "etl", "s3:GetObject", "--input", "dump.json", "--resources", "around.json"];
    assert!(run(&asked).success().stdout.contains("no-s3"));
    // What a change gives.
    let compare = |new: &str, old: &str, code: i32| run(&[new, "--against", old]).ended(code);
    compare("--policy=narrow.json", "wide.json", 0).says("No new access");
    compare("--policy=wide.json", "narrow.json", 2).says("New access: 1 principal");
    compare("--policy=all", "some", 2);
    compare("--policy=some", "all", 10);
    compare("--input=dump.json", "dump.json", 10);
    compare("--input=plan.json", "template.json", 0);
    compare("--input=plan.json", "narrow.json", 64);
    compare("--policy=all", "narrow.json", 64);
    let json = run(&["--policy=wide.json", "--against", "narrow.json", "-o", "json"]).ended(2).json();
    assert_eq!((&json["new_access"], &json["format"]), (&json!(true), &json!(1)));
}

/// Which findings are shown is the reader's choice; which fail is not.
#[test]
fn findings_are_chosen_and_written_in_several_forms() {
    let world = World::empty();
    dump(&world);
    let run = |more: &[&str]| {
        world.run(["audit-iam", "--input", "dump.json", "--now", NOW].into_iter().chain(more.iter().copied()))
    };
    let one =
        run(&["--role", "etl", "--fail-on", "critical", "--also", "markdown=r.md", "--also", "json=r.json"]);
    let one = one.ended(2);
    // What keeps the audit from being whole is told all the same.
    let findings = one.stdout.split("Not evaluated:").next().unwrap_or_default();
    assert!(findings.contains("etl") && !findings.contains("odd") && findings.contains("Shown: "), "{one}");
    assert!(world.read("r.md").contains("Shown: ") && world.read("r.json").contains("\"findings\""));
    run(&["--rule", "IAM101", "--details"]).ended(10);
    run(&["--group-by", "role", "--severity", "high", "--top", "2"]).ended(10);
    run(&["--rule", "IAM1O1"]).ended(64).says("U317").says("did you mean IAM1");
    run(&["--role", "etll"]).ended(64).says("U318").says("did you mean etl?");
    for idle in [
        &["--group-by", "role", "--format", "csv"][..],
        &["--details", "-o", "json"],
        &["--top", "0"],
        &["--severity", "awful"],
        &["--severity", "high", "--format", "junit"],
        &["--rule", "IAM101", "--also", "junit=r.xml"],
        &["--also", "markdown"],
        &["--also", "pdf=r.pdf"],
        &["--against", "dump.json", "--top", "3"],
        &["--against", "dump.json", "--format", "sarif"],
        &["--against", "dump.json", "explain", "etl", "s3:GetObject"],
        &["--policy", "dump.json"],
        &["--resources", "-", "--usage", "-"],
    ] {
        run(idle).ended(64);
    }
}

#[test]
fn a_plan_that_takes_a_deny_away_gives_access() {
    let (world, trust) = (World::empty(), serde_json::from_str::<Value>(&trust()).expect("JSON"));
    let gone = json!({"actions": ["delete"], "after": null, "before": {"role": "job", "name": "wall"}});
    let plan = json!({"planned_values": {"root_module": {}},
        "resource_changes": [{"type": "aws_iam_role_policy", "change": gone}]});
    world.write("later.json", &plan.to_string());
    let all = |effect| json!({"Statement": {"Effect": effect, "Action": "*", "Resource": "*"}});
    let role = json!({"RoleName": "job", "Arn": "arn:aws:iam::111122223333:role/job",
        "RolePolicyList": [{"PolicyName": "all", "PolicyDocument": all("Allow")},
            {"PolicyName": "wall", "PolicyDocument": all("Deny")}],
        "AssumeRolePolicyDocument": trust});
    world.write("held.json", &json!({"RoleDetailList": [role]}).to_string());
    let ran = world.run(["audit-iam", "--now", NOW, "--input=later.json", "--against", "held.json"]);
    let _ = ran.ended(2).says("no longer held back by");
}
