//! Hygiene, validity, use of services, and what cannot be seen.

use opsctl::audit::{Account, Settings, Severity, Usage, audit};
use serde_json::json;

use super::world::*;

fn has(world: &World, rule: &str) -> bool {
    world.audit().findings.iter().any(|f| f.rule == rule)
}

#[test]
fn policies_that_nobody_uses() {
    let mut policy = customer_policy("idle", allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    assert!(!has(&World::default().policy(policy.clone()), "IAM501"));
    policy["AttachmentCount"] = 0.into();
    assert!(has(&World::default().policy(policy.clone()), "IAM501"));
    let bounding = World::of([role("a").boundary(&policy_arn("idle"))]).policy(policy.clone());
    assert!(!has(&bounding, "IAM501"), "somebody's boundary");
    policy["CreateDate"] = "2026-10-20T00:00:00Z".into();
    assert!(!has(&World::default().policy(policy), "IAM501"), "new");
}

#[test]
fn boundaries() {
    let all = customer_policy("all", allow(&["*"], &["*"]));
    assert!(has(&World::of([role("a").boundary(&policy_arn("all"))]).policy(all), "IAM503"));
    let missing = World::of([role("a").aws("AdministratorAccess").boundary(&policy_arn("gone"))]).audit();
    assert!(missing.findings.iter().any(|f| f.rule == "IAM504"));
    assert!(missing.is_incomplete(), "what it may do is unknown");
    assert!(
        !has(&World::of([role("a").boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")]), "IAM504"),
        "AWS's own copy is embedded"
    );
}

#[test]
fn versions_and_duplicates() {
    let version = |id: &str, default: bool, actions: &str| {
        json!({"VersionId": id, "IsDefaultVersion": default,
        "Document": document(allow(&[actions], &["*"]))})
    };
    let mut policy = customer_policy("v", allow(&["s3:ListAllMyBuckets"], &["*"]));
    policy["PolicyVersionList"] =
        json!([version("v1", true, "s3:ListAllMyBuckets"), version("v2", false, "*")]);
    let audit = World::default().policy(policy).audit();
    assert!(audit.findings.iter().any(|f| f.rule == "IAM511" && f.severity == Severity::Medium));
    let twin = |name: &str| customer_policy(name, allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    let audit = World::default().policy(twin("one")).policy(twin("two")).audit();
    assert_eq!(audit.findings.iter().filter(|f| f.rule == "IAM509").count(), 1);
    // What the outer one spares is just what the inner one gives.
    let spares = json!({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret/*"});
    let within = |given: &str| {
        let inner = customer_policy("inner", allow(&["s3:GetObject"], &[given]));
        let outer = customer_policy("outer", spares.clone());
        let both = role("a").attach(&policy_arn("inner")).attach(&policy_arn("outer"));
        has(&World::of([both]).policy(inner).policy(outer), "IAM509")
    };
    assert!(!within("arn:aws:s3:::secret/*") && within("arn:aws:s3:::public/*"));
}

#[test]
fn sessions_need_their_data() {
    let mighty = || role("a").aws("AdministratorAccess");
    assert!(has(&World::of([mighty().set("MaxSessionDuration", 43200)]), "IAM505"));
    assert!(!has(&World::of([mighty().set("MaxSessionDuration", 3600)]), "IAM505"));
    let untold = World::of([mighty()]).audit();
    assert!(untold.not_evaluated.iter().any(|n| n.rule == "IAM505" && n.optional));
    assert!(!untold.is_incomplete(), "nobody asked for it");
}

#[test]
fn statements_that_do_not_do_what_they_seem_to() {
    let rule = |statement| {
        found(role("a").can(statement)).into_iter().filter(|r| r.starts_with("IAM6")).collect::<Vec<_>>()
    };
    let bucket = "arn:aws:s3:::b/*";
    assert_eq!(rule(allow(&["s3:GetObjct"], &[bucket])), ["IAM601"]);
    assert_eq!(rule(allow(&["s3:ListAllMyBuckets"], &[bucket])), ["IAM602"]);
    assert_eq!(rule(allow(&["s3:GetObject"], &["arn:aws:sqs:*:*:q"])), ["IAM602"]);
    assert_eq!(
        rule(json!([{"Sid": "x", "Effect": "Deny", "Action": "s3:GetObject", "Resource": bucket},
                {"Sid": "x", "Effect": "Deny", "Action": "s3:PutObject", "Resource": bucket}])),
        ["IAM603"]
    );
    assert_eq!(
        rule(when(allow(&["s3:GetObject"], &[bucket]), "StringEquals", "aws:SourceIp", "10.0.0.1")),
        ["IAM604"]
    );
    assert_eq!(
        rule(when(allow(&["s3:GetObject"], &[bucket]), "BoolIfExists", "aws:MultiFactorAuthPresent", "true")),
        ["IAM605"]
    );
    assert_eq!(rule(allow(&["s3:GetObject", "s3:Put*"], &[bucket])), [""; 0]);
    assert_eq!(
        rule(when(allow(&["s3:GetObject"], &[bucket]), "IpAddress", "aws:SourceIp", "10.0.0.1")),
        [""; 0]
    );
    let audit = World::of([role("a").can(allow(&["s3:GetObjct"], &[bucket]))]).audit();
    assert!(
        audit
            .findings
            .iter()
            .any(|f| f.evidence.iter().any(|line| line.contains("did you mean s3:GetObject?")))
    );
}

#[test]
fn nothing_unreadable_is_clean() {
    let mut dump: serde_json::Value =
        serde_json::from_slice(&World::of([role("a"), role("b").aws("AmazonS3FullAccess")]).json())
            .expect("JSON");
    dump["RoleDetailList"][0]["RolePolicyList"] =
        json!([{"PolicyName": "p", "PolicyDocument": {"Statement": [{"Effect": "Perhaps"}]}}]);
    dump["RoleDetailList"][0]["AttachedManagedPolicies"] =
        json!([{"PolicyName": "x", "PolicyArn": policy_arn("x")}]);
    let account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
    let result = audit(&account, &Usage::default(), &Settings::at(now()));
    assert!(result.is_incomplete());
    assert_eq!(result.not_evaluated.iter().filter(|n| n.rule == "IAM901").count(), 2);
    assert!(result.findings.iter().any(|f| f.rule == "IAM101"), "the other role is judged all the same");
    dump["IsTruncated"] = true.into();
    let account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
    let result = audit(&account, &Usage::default(), &Settings::at(now()));
    assert!(result.not_evaluated.iter().any(|n| n.rule == "IAM903"));
    let odd = when(allow(&["s3:GetObject"], &["*"]), "StringResembles", "aws:PrincipalArn", "x");
    assert!(World::of([role("a").can(odd)]).audit().not_evaluated.iter().any(|n| n.rule == "IAM902"));
}

#[test]
fn services_that_are_not_used() {
    let usage = |services: serde_json::Value| {
        Usage::from_json(json!({role_arn("a"): services}).to_string().as_bytes()).expect("usage")
    };
    let both = || {
        role("a").can(allow(&["s3:GetObject", "sqs:SendMessage"], &["arn:aws:s3:::b/*", "arn:aws:sqs:*:*:q"]))
    };
    let run =
        |maker: RoleMaker, usage: &Usage| audit(&World::of([maker]).account(), usage, &Settings::at(now()));
    let used = json!([{"ServiceNamespace": "s3", "LastAuthenticated": "2026-10-30T00:00:00Z"},
        {"ServiceNamespace": "sqs"}]);
    let result = run(both(), &usage(used.clone()));
    let finding = result.findings.iter().find(|f| f.rule == "IAM404").expect("sqs is unused");
    assert!(finding.evidence[0].ends_with("sqs"));
    let bounded = run(both().boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"), &usage(used));
    assert!(bounded.findings.iter().all(|f| f.rule != "IAM404"), "the boundary already takes it away");
    assert!(run(both(), &Usage::default()).not_evaluated.iter().any(|n| n.rule == "IAM404" && n.optional));
    let dormant = World::of([role("a").aws("AdministratorAccess").never_used()]).audit();
    assert_eq!(dormant.findings[0].rule, "IAM103");
    assert!(dormant.findings.iter().any(|f| f.rule == "IAM406"));
}

#[test]
fn actions_that_are_not_used() {
    let run = |actions: serde_json::Value| {
        let s3 = json!([{"ServiceNamespace": "s3", "LastAuthenticated": "2026-10-30T00:00:00Z",
            "TrackedActionsLastAccessed": actions}]);
        let usage = Usage::from_json(json!({role_arn("a"): s3}).to_string().as_bytes()).expect("usage");
        let maker = role("a").can(allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::b/*"]));
        let audit = audit(&World::of([maker]).account(), &usage, &Settings::at(now()));
        audit.findings.into_iter().find(|f| f.rule == "IAM405").map(|f| f.cause)
    };
    let action = |name: &str, day: Option<&str>| json!({"ActionName": name, "LastAccessedTime": day});
    let (today, long_ago) = (Some("2026-10-30T00:00:00Z"), Some("2025-10-30T00:00:00Z"));
    let found = run(json!([action("GetObject", today), action("PutObject", long_ago)]));
    assert_eq!(found.as_deref(), Some("s3:PutObject"));
    assert_eq!(run(json!([action("GetObject", today), action("PutObject", today)])), None);
    assert_eq!(
        run(json!([action("GetObject", today), action("DeleteObject", None)])),
        None,
        "not allowed anyway"
    );
}

#[test]
fn what_the_settings_ask_for() {
    let settings = Settings {
        require_boundary: true,
        required_tags: vec!["owner".into(), "team".into()],
        ..Settings::at(now())
    };
    let run = |maker: RoleMaker| audit(&World::of([maker]).account(), &Usage::default(), &settings);
    let causes = |rule: &str, maker: RoleMaker| -> Vec<String> {
        let found = run(maker).findings.into_iter().filter(|f| f.rule == rule);
        found.map(|f| f.cause).collect()
    };
    assert_eq!(causes("IAM508", role("a").tag("team", "ml")), ["owner"]);
    assert_eq!(causes("IAM508", role("a").tag("team", "ml").tag("owner", "me")), [""; 0]);
    assert_eq!(causes("IAM502", role("a")).len(), 1);
    let bounded = role("a").boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    assert_eq!(causes("IAM502", bounded), [""; 0]);
    let severity = |maker: RoleMaker| {
        run(maker).findings.into_iter().find(|f| f.rule == "IAM502").map(|finding| finding.severity)
    };
    assert_eq!(severity(role("a").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]))), Some(Severity::Low));
    assert_eq!(severity(role("a").can(allow(&["iam:CreateRole"], &["*"]))), Some(Severity::Medium));
    let unasked = World::of([role("a")]).audit().findings;
    assert!(unasked.iter().all(|f| f.rule != "IAM502" && f.rule != "IAM508"), "nobody asked");
}

#[test]
fn policies_of_a_roles_own() {
    let statement = || allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]);
    // Where a policy file goes is open.
    let file = World::of([role("a")
        .can(statement())
        .set("RoleId", "")
        .trusts(document(Vec::<serde_json::Value>::new()))]);
    assert!(!has(&file, "IAM506"), "a policy file");
    assert!(has(&World::of([role("a").can(statement())]), "IAM506"));
    assert!(!has(&World::of([role("a")]), "IAM506"), "none");
    assert!(
        !has(&World::of([role("a").can(statement()).path("/service-role/")]), "IAM506"),
        "AWS's console made it"
    );
    assert!(
        !has(&World::of([role("a").can(statement()).tag("opsctl:project", "x")]), "IAM506"),
        "a tool made it"
    );
}

#[test]
fn policies_that_aws_has_withdrawn() {
    let with = |arn: &str, day: &str| {
        let mut policy = customer_policy("old", allow(&["s3:GetObject"], &["*"]));
        policy["Arn"] = arn.into();
        policy["CreateDate"] = day.into();
        World::of([role("a").attach(arn)]).policy(policy)
    };
    let gone = "arn:aws:iam::aws:policy/service-role/AWSWithdrawnForTests";
    assert!(has(&with(gone, "2019-01-01T00:00:00+00:00"), "IAM510"));
    assert!(!has(&with(gone, "2099-01-01T00:00:00+00:00"), "IAM510"), "newer than the catalogue");
    let known = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    assert!(!has(&with(known, "2019-01-01T00:00:00+00:00"), "IAM510"));
    assert!(!has(&with(&policy_arn("old"), "2019-01-01T00:00:00+00:00"), "IAM510"), "not AWS's");
}

#[test]
fn variables_in_documents_of_2008() {
    let version = |version: Option<&str>, resource: &str| {
        let mut policy = customer_policy("home", allow(&["s3:GetObject"], &[resource]));
        let document = policy["PolicyVersionList"][0]["Document"].as_object_mut().expect("a document");
        document.remove("Version");
        document.extend(version.map(|version| ("Version".to_owned(), version.into())));
        has(&World::of([role("a").attach(&policy_arn("home"))]).policy(policy), "IAM606")
    };
    let home = "arn:aws:s3:::b/${aws:username}/*";
    assert!(version(None, home) && version(Some("2008-10-17"), home));
    assert!(!version(Some("2012-10-17"), home) && !version(None, "arn:aws:s3:::b/*"));
}
