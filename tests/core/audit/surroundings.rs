//! Policies of resources and of the organization, where they are given.

use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::surroundings::Surroundings;
use opsctl::audit::{Account, Audit, Settings, Severity, Usage, audit, explain};
use opsctl_iam::decide::Decision;
use serde_json::{Value, json};

use super::world::*;

const BUCKET: &str = "arn:aws:s3:::shared";

fn audited(world: &World, around: Value) -> (Audit, Account) {
    let mut account = world.account();
    account.surround(Surroundings::from_value(around).expect("of this shape"));
    (audit(&account, &Usage::default(), &Settings::at(now())), account)
}

fn on_bucket(statement: Value) -> Value {
    json!({"ResourcePolicies": {BUCKET: document(statement)}})
}

fn lets(principal: Value) -> Value {
    let objects = format!("{BUCKET}/*");
    json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": objects})
}

#[test]
fn what_is_open_to_all_or_to_others_is_found() {
    let world = World::of([role("a")]);
    let rules = |statement: Value| -> Vec<&'static str> {
        let found = audited(&world, on_bucket(statement)).0.findings;
        found.iter().filter(|f| f.resource == BUCKET).map(|f| f.rule).collect()
    };
    assert_eq!(rules(lets("*".into())), ["IAM319"]);
    let open = audited(&world, on_bucket(lets("*".into()))).0;
    let found = open.findings.iter().find(|f| f.resource == BUCKET).expect("the bucket");
    assert_eq!(found.compliance[..3], ["CIS AWS Foundations v7.0.0 2.21", "FSBP S3.2", "FSBP S3.3"]);
    assert!(found.compliance.contains(&"PCI DSS v3.2.1 7.2.1"), "{:?}", found.compliance);
    assert_eq!(rules(lets(json!({"AWS": "arn:aws:iam::999988887777:root"}))), ["IAM320"]);
    assert_eq!(rules(lets(json!({"AWS": role_arn("a")}))), [""; 0]);
    for (operator, key, value) in [
        ("StringEquals", "aws:PrincipalOrgID", "o-abcdefghij"),
        ("StringEquals", "aws:SourceAccount", ACCOUNT),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:eu-west-1:111122223333:t"),
    ] {
        assert_eq!(rules(when(lets("*".into()), operator, key, value)), [""; 0], "{key}");
    }
    assert_eq!(rules(when(lets("*".into()), "StringLike", "aws:PrincipalOrgID", "o-*")), ["IAM319"]);
    let by_services = |value: &str| when(lets("*".into()), "Bool", "aws:PrincipalIsAWSService", value);
    assert!(rules(by_services("true")).is_empty());
    assert_eq!(rules(by_services("false")), ["IAM319"]);
    let one = "aws:PrincipalAccount";
    assert_eq!(rules(when(lets("*".into()), "StringEquals", one, "999988887777")), ["IAM320"]);
    assert_eq!(rules(when(lets("*".into()), "StringEquals", one, ACCOUNT)), [""; 0]);
}

/// AWS writes logs of load balancers by accounts of its own; a canonical id is some account's.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
#[test]
fn accounts_of_aws_that_write_logs_are_not_foreign_and_canonical_ids_are() {
    let world = World::of([role("a")]);
    let rules = |principal: Value, action: &str| -> Vec<&'static str> {
        let mut statement = lets(principal);
        statement["Action"] = action.into();
        let found = audited(&world, on_bucket(statement)).0.findings;
        found.iter().filter(|f| f.resource == BUCKET).map(|f| f.rule).collect()
    };
    let by = |who: &str| json!({"AWS": format!("arn:aws:iam::{who}")});
    for who in ["127311923021:root", "156460612806:root", "193672423079:user/logs"] {
        assert_eq!(rules(by(who), "s3:PutObject"), [""; 0], "{who}");
        assert_eq!(rules(by(who), "s3:GetObject"), ["IAM320"], "{who} reads");
    }
    assert_eq!(rules(by("193672423079:root"), "s3:PutObject"), ["IAM320"]);
    let id = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    assert_eq!(rules(json!({"CanonicalUser": id}), "s3:PutObject"), ["IAM320"]);
}

#[test]
fn what_a_deny_keeps_out_is_not_let_in() {
    let world = World::of([role("a")]);
    let outside = |on: &str, actions: &str| {
        let all = json!({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": on});
        when(all, "StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-abcdefghij")
    };
    let rules = |deny: Option<Value>, control: Option<Value>| -> Vec<&'static str> {
        let statements: Vec<Value> = [Some(lets("*".into())), deny].into_iter().flatten().collect();
        let mut around = json!({"ResourcePolicies": {BUCKET: document(statements)}});
        if let Some(control) = control {
            around["ResourceControlPolicies"] = json!({"perimeter": document(control)});
        }
        let found = audited(&world, around).0.findings;
        found.iter().filter(|f| f.resource == BUCKET).map(|f| f.rule).collect()
    };
    let objects = format!("{BUCKET}/*");
    assert_eq!(rules(Some(outside(&objects, "s3:*")), None), [""; 0]);
    assert_eq!(rules(None, Some(outside("*", "s3:*"))), [""; 0], "a resource control policy");
    let but_services = when(outside("*", "s3:*"), "BoolIfExists", "aws:PrincipalIsAWSService", "false");
    assert_eq!(rules(None, Some(but_services)), [""; 0], "as AWS writes them");
    assert_eq!(rules(Some(outside(&format!("{BUCKET}/private/*"), "s3:*")), None), ["IAM319"], "only a part");
    assert_eq!(rules(Some(outside(&objects, "s3:PutObject")), None), ["IAM319"], "another action");
    assert_eq!(rules(None, Some(outside("*", "sqs:*"))), ["IAM319"], "another service");
}

#[test]
fn every_kind_of_resource_has_its_requirements() {
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:f";
    let call = "lambda:InvokeFunctionUrl";
    let url = json!({"Effect": "Allow", "Principal": "*", "Action": call, "Resource": function});
    let around = json!({"ResourcePolicies": {
        BUCKET: document(lets("*".into())),
        function: document(when(url, "StringEquals", "lambda:FunctionUrlAuthType", "NONE")),
    }});
    let open = audited(&World::of([role("a").aws("AdministratorAccess")]), around).0;
    let of = |arn: &str| {
        open.findings
            .iter()
            .find(|f| f.rule == "IAM319" && f.resource == arn)
            .unwrap_or_else(|| panic!("{arn}"))
    };
    assert_eq!(of(function).severity, Severity::High, "a URL that everybody calls");
    assert!(of(function).compliance.contains(&"FSBP Lambda.1"));
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    let page = render(&open, Format::Html, options);
    assert!(page.contains("FSBP S3.2 · FSBP S3.3") && page.contains("FSBP Lambda.1"), "those of both");
    let sarif = render(&open, Format::Sarif, options);
    assert!(sarif.contains(r#""FSBP Lambda.1""#) && sarif.contains(r#""FSBP S3.2""#));
    let hub: Value = serde_json::from_str(&render(&open, Format::Asff, options)).expect("JSON");
    let kinds: Vec<&str> =
        hub.as_array().into_iter().flatten().filter_map(|f| f["Resources"][0]["Type"].as_str()).collect();
    assert!(
        ["AwsS3Bucket", "AwsLambdaFunction", "AwsIamRole"].iter().all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
}

#[test]
fn security_hub_is_where_iam_of_the_partition_is() {
    let json = String::from_utf8(World::of([role("a").aws("AdministratorAccess")]).json()).expect("text");
    let account = Account::from_json(json.replace("arn:aws:", "arn:aws-us-gov:").as_bytes()).expect("a dump");
    let audit = audit(&account, &Usage::default(), &Settings::at(now()));
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    let hub: Value = serde_json::from_str(&render(&audit, Format::Asff, options)).expect("JSON");
    let product = "arn:aws-us-gov:securityhub:us-gov-west-1:111122223333:product/111122223333/default";
    assert_eq!(
        (&hub[0]["ProductArn"], &hub[0]["Resources"][0]["Region"]),
        (&product.into(), &"us-gov-west-1".into())
    );
}

#[test]
fn they_give_and_take_what_a_role_may_do() {
    let decide = |world: &World, around: Value, action: &str, on: &str| {
        let (_, account) = audited(world, around);
        explain::explain(&account, "a", action, Some(on), now()).expect("the role").decision
    };
    let plain = World::of([role("a")]);
    let key = format!("{BUCKET}/k");
    let own = on_bucket(lets(json!({"AWS": role_arn("a")})));
    assert_eq!(decide(&plain, own, "s3:GetObject", &key), Decision::Allowed);
    let delegated = on_bucket(lets(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")})));
    assert_eq!(
        decide(&plain, delegated, "s3:GetObject", &key),
        Decision::NotAllowed,
        "left to its own policies"
    );
    let admin = World::of([role("a").aws("AdministratorAccess")]);
    let denied = on_bucket(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}));
    assert_eq!(decide(&admin, denied, "s3:GetObject", &key), Decision::DeniedExplicitly);
    let scp = json!({"ServiceControlPolicies": {"no-iam": document(deny(&["iam:*"], &["*"]))}});
    assert_eq!(decide(&admin, scp, "iam:CreateUser", &user_arn("u")), Decision::DeniedExplicitly);
    let list = json!({"ServiceControlPolicies": {"only-s3": document(allow(&["s3:*"], &["*"]))}});
    assert_eq!(decide(&admin, list.clone(), "s3:GetObject", &key), Decision::Allowed);
    assert_eq!(decide(&admin, list, "ec2:RunInstances", "*"), Decision::DeniedExplicitly);
    let full = json!({"ServiceControlPolicies": {"FullAWSAccess": document(allow(&["*"], &["*"]))}});
    assert_eq!(decide(&admin, full, "ec2:RunInstances", "*"), Decision::Allowed);
}

#[test]
fn each_level_of_the_organization_must_allow() {
    let admin = World::of([role("a").aws("AdministratorAccess")]);
    let decide = |levels: Value, action: &str| {
        let (_, account) = audited(&admin, json!({"ServiceControlPolicies": levels}));
        explain::explain(&account, "a", action, Some("*"), now()).expect("the role").decision
    };
    let only = |actions: &[&str]| document(allow(actions, &["*"]));
    let levels = json!({"root": {"FullAWSAccess": only(&["*"])}, "ou": {"few": only(&["s3:*", "ec2:*"])},
        "account": {"s3": only(&["s3:*"]), "sqs": only(&["sqs:*"])}});
    assert_eq!(decide(levels.clone(), "s3:ListAllMyBuckets"), Decision::Allowed);
    for left_out in ["ec2:RunInstances", "sqs:ListQueues", "iam:ListRoles"] {
        assert_eq!(decide(levels.clone(), left_out), Decision::DeniedExplicitly, "{left_out}");
    }
    // Of one level any policy may allow.
    let flat = json!({"s3": only(&["s3:*"]), "sqs": only(&["sqs:*"])});
    assert_eq!(decide(flat, "sqs:ListQueues"), Decision::Allowed);
}

/// An Allow of an SCP may name resources and conditions, too.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html>
#[test]
fn what_the_organization_allows_is_read_whole() {
    let scps = |statements: Vec<Value>| json!({"ServiceControlPolicies": {"s": document(statements)}});
    let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let decide = |statements: Vec<Value>, action: &str, on: &str| {
        let adm = role("adm").aws("AdministratorAccess").trusts(document(root.clone()));
        let world =
            World::of([role("t").can(allow(&["sts:*", "s3:*", "iam:List*", "iam:CreateUser"], &["*"])), adm]);
        let (audit, account) = audited(&world, scps(statements));
        let decision = explain::explain(&account, "t", action, Some(on), now()).expect("the role").decision;
        (decision, rules_on(&audit, "t").contains(&"IAM208"), rules_on(&audit, "adm").contains(&"IAM103"))
    };
    let adm = role_arn("adm");
    let assume = |statements: Vec<Value>| decide(statements, "sts:AssumeRole", &adm);
    let all = |on: &str| allow(&["*"], &[on]);
    let no = (Decision::DeniedExplicitly, false, false);
    assert_eq!(assume(vec![all("*")]), (Decision::Allowed, true, true));
    assert_eq!(assume(vec![all(&role_arn("t*"))]), no, "other resources");
    assert_eq!(assume(vec![json!({"Effect": "Allow", "Action": "*", "NotResource": "*"})]), no);
    let if_key = |operator: &str, key: &str, value: &str| when(all("*"), operator, key, value);
    assert_eq!(assume(vec![if_key("StringNotEquals", "aws:PrincipalAccount", ACCOUNT)]), no);
    let me = role_arn("t*");
    let (mine, _, theirs) = assume(vec![if_key("ArnNotLike", "aws:PrincipalArn", &me)]);
    assert_eq!((mine, theirs), (Decision::DeniedExplicitly, true), "one of two");
    let (mine, _, theirs) = assume(vec![if_key("ArnLike", "aws:PrincipalArn", &me)]);
    assert_eq!((mine, theirs), (Decision::Allowed, false), "the other of two");
    // What one leaves out another may allow.
    let both = vec![if_key("ArnNotLike", "aws:PrincipalArn", &me), allow(&["sts:*"], &[&adm])];
    assert_eq!(assume(both.clone()).0, Decision::Allowed);
    let reads = |statements: &[Value], on: &str| decide(statements.to_vec(), "s3:GetObject", on).0;
    assert_eq!(reads(&both, "arn:aws:s3:::b/k"), Decision::DeniedExplicitly);
    let but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    let lists = vec![but, allow(&["iam:List*"], &["*"])];
    let of_iam = |action: &str| decide(lists.clone(), action, "*").0;
    assert_eq!(of_iam("iam:ListRoles"), Decision::Allowed);
    assert_eq!(of_iam("iam:CreateUser"), Decision::DeniedExplicitly);
    assert_eq!(reads(&lists, "arn:aws:s3:::b/k"), Decision::Allowed);
    let mfa = if_key("Bool", "aws:MultiFactorAuthPresent", "true");
    assert_eq!(reads(std::slice::from_ref(&mfa), "arn:aws:s3:::b/k"), Decision::Conditional);
}

#[test]
fn an_organization_that_denies_iam_has_no_administrators() {
    let admin = World::of([role("a").aws("AdministratorAccess")]);
    let scp = json!({"ServiceControlPolicies": {"no-iam":
        document(deny(&["iam:*", "sts:*", "organizations:*"], &["*"]))}});
    let (with, _) = audited(&admin, scp);
    assert!(!rules_on(&with, "a").contains(&"IAM201"), "{:?}", rules_on(&with, "a"));
    assert!(rules_on(&admin.audit(), "a").contains(&"IAM201"));
}

/// A Deny of the organization that a tag decides holds as long as the tag does.
#[test]
fn what_the_organization_asks_of_tags_is_met_first() {
    let fence = |operator: &str, key: &str, value: &str| {
        let writes = ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"];
        let fence = when(deny(&writes, &["*"]), operator, key, value);
        json!({"ServiceControlPolicies": {"fence": document(fence)}})
    };
    let own = |action: &str| {
        let writes = allow(&["iam:PutRolePolicy", action], &[&role_arn("t")]);
        let world = World::of([role("t").tag("locked", "1").can(writes)]);
        let (audit, _) = audited(&world, fence("StringEquals", "aws:PrincipalTag/locked", "1"));
        rules_on(&audit, "t").contains(&"IAM202")
    };
    assert!(own("iam:UntagRole"));
    assert!(!own("iam:UntagUser"));
    let session = |calls: &[&str]| {
        let both = json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
        let mid = role("mid").trusts(document(both));
        let mid = mid.can(allow(&["iam:UpdateAssumeRolePolicy"], &[&role_arn("adm")]));
        let adm = role("adm").trusts(trust_service("lambda.amazonaws.com")).can(allow(&["*"], &["*"]));
        let world = World::of([role("t").can(allow(calls, &[&role_arn("mid")])), mid, adm]);
        let (audit, _) = audited(&world, fence("StringNotEquals", "aws:PrincipalTag/approved", "yes"));
        rules_on(&audit, "t").contains(&"IAM208")
    };
    assert!(session(&["sts:AssumeRole", "sts:TagSession"]));
    assert!(!session(&["sts:AssumeRole"]));
}

#[test]
fn what_cannot_be_read_is_told() {
    let (audit, _) = audited(&World::of([role("a")]), json!({"ResourcePolicies": {BUCKET: "%7B"}}));
    assert!(audit.is_incomplete());
    assert!(Surroundings::from_value(json!({"Buckets": {}})).is_err());
}

/// Resource control policies are about roles, too: who may become them.
#[test]
fn whom_the_organization_keeps_out_no_trust_policy_lets_in() {
    let open = World::of([role("a").trusts(document(trust("*".into())))]);
    let unless = |action: &str| {
        let all = json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"});
        let all = when(all, "StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-abcdefghij");
        let all = when(all, "BoolIfExists", "aws:PrincipalIsAWSService", "false");
        json!({"ResourceControlPolicies": {"identities": document(all)}})
    };
    let found = |around: Value| rules_on(&audited(&open, around).0, "a");
    let public = |rules: &[&str]| rules.contains(&"IAM301");
    assert!(public(&found(json!({}))));
    let kept = found(unless("sts:*"));
    assert!(!public(&kept) && kept.contains(&"IAM302"), "{kept:?}");
    assert!(public(&found(unless("s3:*"))), "of another service");
}

#[test]
fn what_aws_itself_writes_into_policies_is_not_public() {
    let world = World::of([role("a")]);
    let rules = |on: &str, statement: Value| -> (Vec<&'static str>, bool) {
        let mut statement = statement;
        statement["Resource"] = on.into();
        let audit = audited(&world, json!({"ResourcePolicies": {on: document(statement)}})).0;
        let found = audit.findings.iter().filter(|f| f.resource == on).map(|f| f.rule).collect();
        (found, audit.is_incomplete())
    };
    let all = |action: &str| json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action});
    let topic = format!("arn:aws:sns:eu-west-1:{ACCOUNT}:t");
    let owned = |account: &str| when(all("SNS:Publish"), "StringEquals", "AWS:SourceOwner", account);
    assert_eq!(rules(&topic, owned(ACCOUNT)), (vec![], false));
    let files = format!("arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/fs-1");
    let mounted = |value: &str| {
        when(all("elasticfilesystem:ClientMount"), "Bool", "elasticfilesystem:AccessedViaMountTarget", value)
    };
    assert_eq!(rules(&files, mounted("true")).0, [""; 0]);
    assert_eq!(rules(&files, mounted("false")).0, ["IAM319"]);
    let queue = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q");
    let from = |arn: &str| when(all("sqs:SendMessage"), "ArnLike", "aws:SourceArn", arn);
    for arn in ["arn:aws:s3:::mine", "arn:aws:s3:*:*:mine"] {
        assert_eq!(rules(&queue, from(arn)).0, [""; 0], "{arn}");
    }
    for arn in ["arn:aws:s3:::*", "arn:aws:sns:*:*:mine"] {
        assert_eq!(rules(&queue, from(arn)).0, ["IAM319"], "{arn}");
    }
    let private = when(all("sqs:SendMessage"), "IpAddress", "aws:VpcSourceIp", "10.0.0.0/8");
    assert_eq!(rules(&queue, private).0, ["IAM319"]);
}
