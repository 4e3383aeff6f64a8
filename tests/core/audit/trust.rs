//! Who may become a role: one line per trust policy, with what must be found and nothing else.

use opsctl::audit::Severity;
use serde_json::{Value, json};

use super::world::*;

const FOREIGN: &str = "arn:aws:iam::999988887777:root";

/// The 3xx rules found on a role with one trust statement.
fn rules(statement: Value) -> Vec<&'static str> {
    found(role("a").trusts(document(statement))).into_iter().filter(|rule| rule.starts_with("IAM3")).collect()
}

fn aws(principal: &str) -> Value {
    trust(json!({"AWS": principal}))
}

fn web(host: &str) -> Value {
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}");
    json!({"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"})
}

const GITHUB: &str = "token.actions.githubusercontent.com";

fn github(operator: &str, subject: &str) -> Value {
    let statement = when(web(GITHUB), "StringEquals", &format!("{GITHUB}:aud"), "sts.amazonaws.com");
    when(statement, operator, &format!("{GITHUB}:sub"), subject)
}

fn eks(subject: Option<&str>) -> Value {
    let host = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    let statement = when(web(host), "StringEquals", &format!("{host}:aud"), "sts.amazonaws.com");
    subject.into_iter().fold(statement, |s, subject| when(s, "StringLike", &format!("{host}:sub"), subject))
}

/// A Deny that names whom it keeps out, unless they are as asked, asks as much of them as the Allow would.
#[test]
fn a_deny_by_name_under_a_condition_is_a_condition() {
    let rules = |allow: Value, operator: &str, key: &str, value: &str| {
        let mut denied = allow.clone();
        denied["Effect"] = "Deny".into();
        let both = document(vec![allow, when(denied, operator, key, value)]);
        let found = found(role("a").trusts(both)).into_iter();
        found.filter(|rule| rule.starts_with("IAM3")).collect::<Vec<_>>()
    };
    assert_eq!(rules(aws(FOREIGN), "StringNotEquals", "sts:ExternalId", "secret"), ["IAM304"]);
    assert_eq!(rules(aws(FOREIGN), "StringEquals", "aws:RequestedRegion", "x"), ["IAM303", "IAM304"]);
    let of_hub = when(web(GITHUB), "StringEquals", &format!("{GITHUB}:aud"), "sts.amazonaws.com");
    let subject = format!("{GITHUB}:sub");
    let own = "repo:octo-org/octo-repo:ref:refs/heads/main";
    let mut denied = of_hub.clone();
    denied["Effect"] = "Deny".into();
    denied.as_object_mut().expect("an object").remove("Condition");
    let with = |deny: Option<Value>| {
        let all: Vec<Value> = [Some(of_hub.clone()), deny].into_iter().flatten().collect();
        found(role("a").trusts(document(all))).contains(&"IAM305")
    };
    assert!(with(None));
    assert!(!with(Some(when(denied, "StringNotLike", &subject, own))));
}

#[test]
fn the_public_and_the_organization() {
    let all = || trust(json!("*"));
    assert_eq!(rules(all()), ["IAM301"]);
    assert_eq!(rules(aws("*")), ["IAM301"]);
    assert_eq!(rules(when(all(), "StringLike", "aws:PrincipalOrgID", "*")), ["IAM301"]);
    assert_eq!(rules(when(all(), "StringEqualsIfExists", "aws:PrincipalOrgID", "o-abc")), ["IAM301"]);
    assert_eq!(rules(when(all(), "StringNotEquals", "aws:PrincipalOrgID", "o-abc")), ["IAM301"]);
    assert_eq!(rules(when(all(), "StringEquals", "sts:ExternalId", "secret")), ["IAM301"]);
    assert_eq!(rules(when(all(), "StringEquals", "aws:PrincipalOrgID", "o-abc")), ["IAM302"]);
    assert_eq!(rules(when(all(), "StringEquals", "aws:PrincipalAccount", ACCOUNT)), [""; 0]);
    // A secret keeps strangers out, MFA does not: they have it, too.
    let severity = |statement: Value| {
        let audit = World::of([role("a").trusts(document(statement))]).audit();
        audit.findings.iter().find(|f| f.rule == "IAM301").map(|f| f.severity)
    };
    assert_eq!(severity(when(all(), "StringEquals", "sts:ExternalId", "x")), Some(Severity::High));
    assert_eq!(severity(when(all(), "Bool", "aws:MultiFactorAuthPresent", "true")), Some(Severity::Critical));
    let mut denied = all();
    denied["Effect"] = "Deny".into();
    assert_eq!(rules(denied), [""; 0]);
    let not = json!({"Effect": "Allow", "NotPrincipal": {"AWS": FOREIGN}, "Action": "sts:AssumeRole"});
    assert_eq!(rules(not), ["IAM311"]);
}

#[test]
fn foreign_accounts() {
    let vendor = "arn:aws:iam::999988887777:role/vendor";
    assert_eq!(rules(aws(FOREIGN)), ["IAM303", "IAM304"]);
    assert_eq!(rules(aws("999988887777")), ["IAM303", "IAM304"]);
    assert_eq!(rules(aws(vendor)), ["IAM303"]);
    assert_eq!(rules(when(aws(vendor), "StringEquals", "sts:ExternalId", "x")), [""; 0]);
    assert_eq!(rules(when(aws(vendor), "StringLike", "sts:ExternalId", "*")), ["IAM303"]);
    assert_eq!(rules(when(aws(vendor), "StringEqualsIfExists", "sts:ExternalId", "x")), ["IAM303"]);
    assert_eq!(rules(when(aws(vendor), "Bool", "aws:MultiFactorAuthPresent", "true")), [""; 0]);
    assert_eq!(rules(when(aws(FOREIGN), "StringEquals", "sts:ExternalId", "x")), ["IAM304"]);
    assert_eq!(rules(aws(&format!("arn:aws:iam::{ACCOUNT}:root"))), [""; 0]);
    let world = World::of([role("a").trusts(document(aws(FOREIGN)))]);
    let mut settings = opsctl::audit::Settings::at(now());
    settings.own_accounts.push("999988887777".into());
    let audit = opsctl::audit::audit(&world.account(), &opsctl::audit::Usage::default(), &settings);
    assert!(audit.findings.is_empty(), "an account of ours is not foreign");
}

#[test]
fn web_identity() {
    for (statement, expected) in [
        (github("StringLike", "repo:org/app:ref:refs/heads/main"), vec![]),
        (github("StringEquals", "repo:org/app:environment:prod"), vec![]),
        (github("StringLike", "repo:org/app:environment:prod*"), vec![]),
        (github("ForAllValues:StringLike", "repo:org/app:environment:prod"), vec![]),
        (github("StringLike", "repo:org/app:*"), vec!["IAM306"]),
        (github("StringLike", "repo:org/app:ref:refs/heads/*"), vec!["IAM306"]),
        (github("StringLike", "repo:org/*"), vec!["IAM306"]),
        (github("StringLike", "repo:*"), vec!["IAM305"]),
        (github("StringLike", "*"), vec!["IAM305"]),
        (github("StringLike", "repo:*/app:ref:refs/heads/main"), vec!["IAM305"]),
        (github("StringLike", "repo:org*"), vec!["IAM305"]),
        (github("StringLikeIfExists", "repo:org/app:ref:refs/heads/main"), vec![]),
        (when(web(GITHUB), "StringEquals", &format!("{GITHUB}:aud"), "sts.amazonaws.com"), vec!["IAM305"]),
        (
            when(web(GITHUB), "StringLike", &format!("{GITHUB}:sub"), "repo:org/app:environment:prod"),
            vec!["IAM307"],
        ),
        (
            when(
                github("StringLike", "*"),
                "StringEquals",
                &format!("{GITHUB}:repository_owner_id"),
                "12345",
            ),
            vec!["IAM306"],
        ),
        (
            when(
                github("StringLike", "repo:org/app:*"),
                "StringEquals",
                &format!("{GITHUB}:job_workflow_ref"),
                "org/app/.github/workflows/x.yml@refs/heads/main",
            ),
            vec![],
        ),
        (eks(Some("system:serviceaccount:ns:app")), vec![]),
        (eks(Some("system:serviceaccount:ns:*")), vec![]),
        (eks(Some("system:serviceaccount:*")), vec!["IAM316"]),
        (eks(Some("system:serviceaccount:*:app")), vec!["IAM316"]),
        (eks(None), vec!["IAM316"]),
    ] {
        assert_eq!(rules(statement.clone()), expected, "{statement}");
    }
}

#[test]
fn other_federation() {
    let saml = || {
        json!({"Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:saml-provider/okta")},
        "Action": "sts:AssumeRoleWithSAML"})
    };
    assert_eq!(rules(saml()), ["IAM308"]);
    assert_eq!(
        rules(when(saml(), "StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml")),
        [""; 0]
    );
    let pool = || {
        json!({"Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Action": "sts:AssumeRoleWithWebIdentity"})
    };
    let named = || when(pool(), "StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:1234");
    assert_eq!(rules(pool()), ["IAM314"]);
    assert_eq!(
        rules(when(named(), "ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "authenticated")),
        [""; 0]
    );
    let guests =
        when(named(), "ForAnyValue:StringLike", "cognito-identity.amazonaws.com:amr", "unauthenticated");
    assert_eq!(rules(guests.clone()), [""; 0], "guests who may do nothing");
    assert!(
        found(role("a").trusts(document(guests)).can(allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"])))
            .contains(&"IAM314")
    );
}

#[test]
fn services() {
    let service = |name: &str| trust(json!({"Service": name}));
    for name in [
        "ec2.amazonaws.com",
        "lambda.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "logs.eu-west-1.amazonaws.com",
    ] {
        assert_eq!(rules(service(name)), [""; 0], "{name}");
    }
    assert_eq!(rules(service("scheduler.amazonaws.com")), ["IAM309"]);
    assert_eq!(
        rules(when(service("scheduler.amazonaws.com"), "StringEquals", "aws:SourceAccount", ACCOUNT)),
        [""; 0]
    );
    assert_eq!(
        rules(trust(json!({"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}))),
        ["IAM309"],
        "a list"
    );
    assert_eq!(rules(service("lamda.amazonaws.com")), ["IAM317"]);
    assert_eq!(rules(trust(json!({"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}))), ["IAM317"]);
    assert_eq!(rules(service("rolesanywhere.amazonaws.com")), ["IAM315"]);
    let anchored = when(
        service("rolesanywhere.amazonaws.com"),
        "ArnEquals",
        "aws:SourceArn",
        "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/x",
    );
    assert_eq!(rules(anchored), [""; 0]);
}

#[test]
fn the_gone_and_the_mighty() {
    assert_eq!(rules(aws("AROAEXAMPLEID")), ["IAM310"]);
    assert_eq!(rules(aws(&role_arn("nobody"))), ["IAM310"]);
    assert_eq!(rules(aws(&role_arn("a"))), [""; 0]);
    assert_eq!(
        rules(json!({"Effect": "Allow", "Principal": {"AWS": role_arn("a")}, "Action": "sts:*"})),
        ["IAM318"]
    );
    let own = || aws(&format!("arn:aws:iam::{ACCOUNT}:root"));
    let mighty = |statement: Value| found(role("a").trusts(document(statement)).aws("AdministratorAccess"));
    assert!(mighty(own()).contains(&"IAM312"));
    assert!(!mighty(when(own(), "Bool", "aws:MultiFactorAuthPresent", "true")).contains(&"IAM312"));
    assert!(!mighty(aws(&role_arn("a"))).contains(&"IAM312"));
}
