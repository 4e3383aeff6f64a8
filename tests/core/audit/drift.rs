//! Roles against what the configuration says of them.

use opsctl::audit::expected::{Expected, ExpectedRole};
use opsctl::audit::{Settings, Usage, audit};
use serde_json::json;

use super::world::*;

fn expected() -> Expected {
    let read = |value| Expected::policy(value).expect("a policy");
    let role = ExpectedRole {
        trust: Some(read(trust_service("lambda.amazonaws.com"))),
        inline: [(
            "inline-1".into(),
            read(document(allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::b/*"]))),
        )]
        .into(),
        ..ExpectedRole::default()
    };
    Expected { roles: [("a".into(), role)].into(), claim: [("opsctl:project".into(), "dogs".into())].into() }
}

fn drift(roles: impl IntoIterator<Item = RoleMaker>) -> Vec<&'static str> {
    let settings = Settings { expected: Some(expected()), ..Settings::at(now()) };
    let audit = audit(&World::of(roles).account(), &Usage::default(), &settings);
    audit.findings.iter().map(|f| f.rule).filter(|rule| rule.starts_with("IAM7")).collect()
}

fn as_configured() -> RoleMaker {
    // The same, written otherwise: order, case, a Sid, a list of one.
    role("a").can(json!([{"Sid": "x", "Effect": "Allow", "Action": ["s3:putObject", "s3:GetObject"],
        "Resource": "arn:aws:s3:::b/*"}]))
}

#[test]
fn drift_is_told_apart_from_writing_style() {
    assert_eq!(drift([as_configured()]), [""; 0]);
    assert_eq!(drift([role("other")]), ["IAM702"]);
    assert_eq!(drift([as_configured().trusts(trust_own_account())]), ["IAM701"]);
    assert_eq!(
        drift([as_configured().can(allow(&["sqs:SendMessage"], &["arn:aws:sqs:::q"]))]),
        ["IAM703", "IAM701"]
    );
    assert_eq!(
        drift([role("a").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]))]),
        ["IAM701"],
        "less is no grant"
    );
    let wider =
        role("a").can(allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::b/*", "arn:aws:s3:::c/*"]));
    assert_eq!(drift([wider]), ["IAM703", "IAM701"], "the same actions on more");
    let narrower = role("a").can(allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::b/some/*"]));
    assert_eq!(drift([narrower]), ["IAM701"]);
    let held_back = role("a").can(when(
        allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::b/*"]),
        "Bool",
        "aws:MultiFactorAuthPresent",
        "true",
    ));
    assert_eq!(drift([held_back]), ["IAM701"], "under one more condition");
    let marked = || role("b").tag("opsctl:project", "dogs");
    assert_eq!(drift([as_configured(), marked()]), ["IAM704"]);
    assert_eq!(drift([as_configured(), marked().never_used()]), ["IAM705"]);
    assert_eq!(drift([as_configured(), role("b").tag("opsctl:project", "cats")]), [""; 0]);
}

#[test]
fn without_a_configuration_drift_is_not_evaluated() {
    let audit = World::of([role("a")]).audit();
    assert!(audit.not_evaluated.iter().any(|n| n.rule == "IAM701" && n.optional));
}

#[test]
fn what_the_configuration_makes_is_shown_at_its_line() {
    use opsctl::audit::report::{Format, Options, plain, render};
    let mut expected = expected();
    expected.roles.get_mut("a").expect("the role").line = Some(12);
    let settings = Settings { expected: Some(expected), ..Settings::at(now()) };
    let world = World::of([as_configured().aws("AdministratorAccess"), role("b").aws("AdministratorAccess")]);
    let audit = audit(&world.account(), &Usage::default(), &settings);
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    let sarif: serde_json::Value =
        serde_json::from_str(&render(&audit, Format::Sarif, options)).expect("JSON");
    for result in sarif["runs"][0]["results"].as_array().expect("results") {
        let place = &result["locations"][0];
        let line = if place["logicalLocations"][0]["fullyQualifiedName"] == role_arn("a") { 12 } else { 1 };
        assert_eq!(place["physicalLocation"]["region"]["startLine"], line, "{result}");
    }
    let github = render(&audit, Format::Github, options);
    assert!(github.contains("file=opsctl.toml,line=12,title=IAM"), "{github}");
}
