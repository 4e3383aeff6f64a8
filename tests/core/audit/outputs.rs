//! Formats, baseline, explanations and proposals.

use opsctl::audit::baseline::{Baseline, BaselineError};
use opsctl::audit::evaluate::Engine;
use opsctl::audit::explain::explain;
use opsctl::audit::least::propose;
use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Audit, Instant, Settings, Severity, Status, Usage};
use opsctl_iam::decide::Decision;
use serde_json::{Value, json};

use super::generate::generate;
use super::world::*;

fn options() -> Options<'static> {
    Options { location: "./config/ops ctl.toml", fail_on: Some(Severity::High), paint: plain }
}

fn world() -> World {
    World::of([
        role("etl").aws("AmazonS3FullAccess"),
        role("web").aws("AmazonS3FullAccess").tag("opsctl:ignore", "IAM101"),
        role("bad").set("AssumeRolePolicyDocument", "%7B"),
    ])
}

#[test]
fn json_has_the_promised_shape() {
    let audit: Value =
        serde_json::from_str(&render(&world().audit(), Format::Json, options())).expect("JSON");
    assert_eq!(audit["format"], 1);
    for field in ["account", "catalogue_date", "summary", "findings", "not_evaluated", "muted", "fixed"] {
        assert!(!audit[field].is_null(), "{field}");
    }
    let finding = &audit["findings"][0];
    for field in ["rule", "severity", "resource", "title", "evidence", "fix", "fingerprint", "status"] {
        assert!(!finding[field].is_null(), "{field}");
    }
    assert_eq!(audit["muted"][0]["rule"], "IAM101");
    assert_eq!(audit["summary"]["incomplete"], true);
}

#[test]
fn sarif_names_rules_results_and_relative_places() {
    let sarif: Value =
        serde_json::from_str(&render(&world().audit(), Format::Sarif, options())).expect("JSON");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert!(rules.iter().all(|rule| rule["help"]["text"].is_string() && rule["helpUri"].is_string()));
    for result in run["results"].as_array().expect("results") {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let uri =
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a place");
        assert_eq!(uri, "config/ops%20ctl.toml");
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert!(run["results"].as_array().expect("results").iter().any(|r| r["suppressions"].is_array()));
}

#[test]
fn the_other_forms_hold_what_matters() {
    let audit = world().audit();
    let human = render(&audit, Format::Human, options());
    for part in ["IAM101", "on etl", "Set aside:", "Not evaluated:", "incomplete"] {
        assert!(human.contains(part), "{part}\n{human}");
    }
    let junit = render(&audit, Format::Junit, options());
    assert!(
        junit.contains("<failure type=\"high\"")
            && junit.contains("<error type=\"not-evaluated\"")
            && junit.contains("<skipped")
    );
    let github = render(&audit, Format::Github, options());
    assert!(
        github.lines().all(|line| line.starts_with("::"))
            && github.contains("::error file=./config/ops ctl.toml,title=IAM101 high::")
    );
    assert!(render(&audit, Format::Markdown, options()).contains("| high | IAM101 |"));
}

/// Who looks for a role in the page finds it, however many share its finding.
#[test]
fn a_page_names_every_role() {
    let names: Vec<String> = (0..50).map(|n| format!("etl-{n:03}")).collect();
    let audit = World::of(names.iter().map(|name| role(name).aws("AmazonS3FullAccess"))).audit();
    let page = render(&audit, Format::Html, options());
    assert!(names.iter().all(|name| page.contains(name)), "{page}");
}

#[test]
fn hostile_names_break_nothing_out() {
    let name = "x\"><script>|`\u{1}%0A";
    let audit = World::of([role("a").can(json!([])).set(
        "RolePolicyList",
        json!([{"PolicyName": name, "PolicyDocument": document(allow(&["*"], &["*"]))}]),
    )])
    .audit();
    let junit = render(&audit, Format::Junit, options());
    assert!(!junit.contains("<script>") && !junit.contains('\u{1}'));
    let github = render(&audit, Format::Github, options());
    assert!(github.lines().all(|line| line.starts_with("::")) && github.contains("%250A"));
    assert!(!render(&audit, Format::Markdown, options()).contains("<script>"));
}

#[test]
fn a_baseline_accepts_by_pattern() {
    let entry = |rule: &str, resource: &str| {
        format!("[[accepted]]\nrule = \"{rule}\"\nresource = \"{resource}\"\nreason = \"going\"\n")
    };
    let status = |text: &str| {
        let mut audit = world().audit();
        let baseline = Baseline::parse(text).expect("a baseline");
        baseline.apply(&mut audit, now());
        let etl = audit.findings.iter().find(|f| f.rule == "IAM101").expect("the policy").status;
        (etl, audit.fixed.len(), baseline.updated(&audit).accepted.len() < audit.findings.len())
    };
    assert_eq!(status(&entry("IAM1*", "arn:aws:iam::*:role/e*")), (Status::Unchanged, 0, true));
    assert_eq!(status(&entry("IAM1*", "arn:aws:iam::*:role/web*")).0, Status::New);
    assert_eq!(status(&entry("IAM2*", "arn:aws:iam::*:role/nobody")), (Status::New, 1, false));
}

/// What the page shows is one that is read.
#[test]
fn the_baseline_of_the_documentation_is_one() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md")).expect("a page");
    let (_, block) = page.split_once("```toml\n[[accepted]]").expect("a block");
    let (block, _) = block.split_once("```").expect("it ends");
    let baseline = Baseline::parse(&format!("[[accepted]]{block}")).expect("a baseline");
    assert_eq!(baseline.accepted[0].expires.as_deref(), Some("2027-01-31"));
}

#[test]
fn a_baseline_accepts_until_it_expires() {
    let mut audit = world().audit();
    assert!(audit.fails(Severity::High));
    let mut baseline = Baseline::default().updated(&audit);
    baseline.accepted.iter_mut().for_each(|entry| {
        entry.reason = "agreed".into();
        entry.expires = Some("2026-12-31".into());
    });
    let text = baseline.to_text();
    let read = Baseline::parse(&text).expect("what was written can be read");
    read.apply(&mut audit, now());
    assert!(!audit.fails(Severity::Info) && audit.findings.iter().all(|f| f.status == Status::Unchanged));
    // A pull request that changes nothing does not cry.
    let said = render(&audit, Format::Markdown, options());
    let count = format!("**0 new**, {} known, 0 fixed", audit.findings.len());
    assert!(said.contains(&count) && said.contains("`etl` (in the baseline) |"), "{said}");
    assert_eq!(read.updated(&audit).accepted, read.accepted, "what was said is kept");

    let mut later = world().audit();
    read.apply(&mut later, Instant::parse("2027-01-01").expect("a day"));
    assert!(later.fails(Severity::High), "expired");
    let mut mended = World::of([role("etl")]).audit();
    read.apply(&mut mended, now());
    assert!(!mended.fixed.is_empty() && mended.summary.fixed == mended.fixed.len());
    let bad = text.replace("2026-12-31", "never");
    assert!(matches!(Baseline::parse(&bad), Err(BaselineError::Expiry { .. })));
}

#[test]
fn a_baseline_accepts_nothing_that_has_grown() {
    let of = |actions: &[&str]| World::of([role("a").can(allow(actions, &["*"]))]).audit();
    let new = |baseline: &Baseline, mut audit: Audit| -> Vec<&'static str> {
        baseline.apply(&mut audit, now());
        assert!(audit.fixed.is_empty(), "{:?}", audit.fixed);
        let new = audit.findings.iter().filter(|f| f.status == Status::New && f.rule.starts_with("IAM11"));
        new.map(|f| f.rule).collect()
    };
    let small = Baseline::default().updated(&of(&["s3:GetObject"]));
    let small = Baseline::parse(&small.to_text()).expect("what was written");
    assert_eq!(new(&small, of(&["s3:GetObject"])), [""; 0]);
    assert_eq!(new(&small, of(&["s3:GetObject", "secretsmanager:GetSecretValue"])), ["IAM110"]);
    let wide = Baseline::default().updated(&of(&["s3:*"]));
    assert!(!new(&wide, of(&["s3:GetObject", "s3:*"])).contains(&"IAM110"), "within what was accepted");
    let mut lower = small.clone();
    lower.accepted.iter_mut().for_each(|entry| entry.severity = Some(Severity::Info));
    assert_eq!(new(&lower, of(&["s3:GetObject"])), ["IAM110"], "it was less then");
    let mut old = small.clone();
    old.accepted.iter_mut().for_each(|entry| (entry.severity, entry.actions) = (None, Vec::new()));
    let grown = of(&["s3:GetObject", "secretsmanager:GetSecretValue"]);
    assert_eq!(new(&old, grown.clone()), [""; 0], "an entry of before says nothing of either");
    let renewed = small.updated(&grown);
    assert_eq!(new(&renewed, grown), [""; 0]);
}

#[test]
fn fingerprints_outlive_the_day_and_the_order() {
    let (world, _) = generate(80);
    let prints = |settings: &Settings| {
        let audit = opsctl::audit::audit(&world.account(), &Usage::default(), settings);
        let mut all: Vec<String> = audit.findings.iter().map(|f| f.fingerprint.clone()).collect();
        all.sort();
        all
    };
    let today = prints(&Settings::at(now()));
    let before = prints(&Settings::at(Instant(now().0 - 100_000)));
    assert_eq!(today, before);
    let mut unique = today.clone();
    unique.dedup();
    assert_eq!(unique.len(), today.len(), "one entry per rule and resource");
}

#[test]
fn explanations_name_statement_and_limit() {
    let world = World::of([role("a")
        .aws("AmazonS3FullAccess")
        .boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        .can(deny(&["s3:GetObject"], &["arn:aws:s3:::secret/*"]))]);
    let account = world.account();
    let ask =
        |action, resource| explain(&account, "a", action, Some(resource), now()).expect("the role exists");
    assert_eq!(ask("s3:GetObject", "arn:aws:s3:::b/k").decision, Decision::Allowed);
    assert_eq!(ask("s3:GetObject", "arn:aws:s3:::secret/k").decision, Decision::DeniedExplicitly);
    assert_eq!(ask("s3:PutObject", "arn:aws:s3:::b/k").decision, Decision::OutsideBoundary);
    assert_eq!(ask("sqs:SendMessage", "arn:aws:sqs:::q").decision, Decision::NotAllowed);
    assert!(
        ask("s3:PutObject", "arn:aws:s3:::b/k")
            .to_string()
            .contains("boundary AmazonS3ReadOnlyAccess does not let it through")
    );
    assert!(explain(&account, "nobody", "s3:GetObject", None, now()).is_none());
}

#[test]
fn a_proposal_only_takes_away() {
    let used = Usage::from_json(
        json!({role_arn("a"): [{"ServiceNamespace": "s3", "LastAuthenticated": "2026-10-30T00:00:00Z",
            "TrackedActionsLastAccessed": [{"ActionName": "DeleteBucket"},
                {"ActionName": "CreateBucket", "LastAccessedTime": "2026-10-30T00:00:00Z"}]},
            {"ServiceNamespace": "sqs"}]})
        .to_string()
        .as_bytes(),
    )
    .expect("usage");
    for maker in [
        role("a").aws("AmazonS3FullAccess").aws("AmazonSQSFullAccess"),
        role("a").aws("AdministratorAccess").can(deny(&["s3:PutBucketPolicy"], &["*"])),
        role("a").aws("PowerUserAccess"),
        role("a").can(when(
            allow(&["s3:Get*", "sqs:*"], &["*"]),
            "Bool",
            "aws:MultiFactorAuthPresent",
            "true",
        )),
    ] {
        let account = World::of([maker]).account();
        let engine = Engine::new(&account);
        let role = &account.roles[0];
        let proposal =
            propose(&engine, role, &used.roles[&role.arn], &Settings::at(now())).expect("readable");
        assert_eq!(proposal.added, 0);
        assert!(proposal.removed > 0, "{}", proposal.diff);
        assert!(
            !proposal.after.contains("sqs") && !proposal.after.contains("s3:DeleteBucket\""),
            "{}",
            proposal.after
        );
        assert!(proposal.diff.starts_with("--- a now\n+++ a proposed\n"));
    }
}

#[test]
fn a_user_is_explained_with_its_groups() {
    let mut ana = user("ana", &[allow(&["s3:GetObject"], &["arn:aws:s3:::${aws:PrincipalTag/team}/*"])]);
    ana["GroupList"] = json!(["ops"]);
    ana["Tags"] = json!([{"Key": "team", "Value": "x"}]);
    let group = group("ops", &[allow(&["ec2:StopInstances"], &["*"])]);
    let account = World::of([role("a")]).user(ana).group(group).account();
    let asked = |who: &str, action: &str, on: &str| {
        explain(&account, who, action, Some(on), now()).map(|answer| answer.decision)
    };
    assert_eq!(asked("ana", "ec2:StopInstances", "*"), Some(Decision::Allowed));
    assert_eq!(asked(&user_arn("ana"), "s3:GetObject", "arn:aws:s3:::x/k"), Some(Decision::Allowed));
    assert_eq!(asked("ana", "s3:GetObject", "arn:aws:s3:::y/k"), Some(Decision::NotAllowed));
    assert_eq!(asked("nobody", "s3:GetObject", "*"), None);
}
