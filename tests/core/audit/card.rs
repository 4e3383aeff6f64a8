//! The two questions of the card: FullAccess policies, and roles that nobody uses.

use std::collections::BTreeSet;

use opsctl::audit::{Account, Settings, Severity, Usage, audit};
use serde_json::json;

use super::generate::generate;
use super::world::*;

#[test]
fn full_access_is_found_and_weighed() {
    for (policy, severity) in [
        ("AmazonS3FullAccess", Severity::High),
        ("AWSLambda_FullAccess", Severity::High),
        ("IAMFullAccess", Severity::Critical),
        ("AWSAppSyncInvokeFullAccess", Severity::Medium),
    ] {
        let audit = World::of([role("a").aws(policy)]).audit();
        let finding =
            audit.findings.iter().find(|f| f.rule == "IAM101").unwrap_or_else(|| panic!("{policy}"));
        assert_eq!(
            (finding.severity, finding.resource.as_str()),
            (severity, role_arn("a").as_str()),
            "{policy}"
        );
        assert!(finding.evidence[0].contains(policy));
    }
}

#[test]
fn what_only_sounds_like_it_is_not() {
    assert!(!found(role("a").aws("AmazonS3ReadOnlyAccess")).contains(&"IAM101"));
    let own = World::of([role("a").attach(&policy_arn("OurFullAccess"))])
        .policy(customer_policy("OurFullAccess", allow(&["s3:GetObject"], &["arn:aws:s3:::ours/*"])));
    assert!(
        !rules_on(&own.audit(), "a").contains(&"IAM101"),
        "a customer's policy may be called what it likes"
    );
}

#[test]
fn stale_is_older_than_the_limit_not_as_old() {
    assert_eq!(found(role("a").used("2026-08-03T00:00:00Z")), [""; 0], "exactly 90 days");
    assert_eq!(found(role("a").used("2026-08-02T00:00:00Z")), ["IAM401"], "a day more");
    assert_eq!(found(role("a").never_used()), ["IAM402"]);
    assert_eq!(found(role("a").never_used().created("2026-10-20T00:00:00Z")), [""; 0], "a new role");
    assert_eq!(found(role("a").never_used().tag("break-glass", "yes")), [""; 0]);
    assert_eq!(found(role("a").never_used().tag("opsctl:keep-until", "2027-01-01")), [""; 0]);
}

#[test]
fn old_rare_and_odd_are_what_the_settings_say() {
    let run = |maker: RoleMaker, settings: Settings| {
        let audit = audit(&World::of([maker]).account(), &Usage::default(), &settings);
        audit.findings.iter().map(|f| (f.rule, f.severity)).collect::<Vec<_>>()
    };
    let with = |edit: fn(&mut Settings)| {
        let mut settings = Settings::at(now());
        edit(&mut settings);
        settings
    };
    let old = || with(|s| s.old_after_days = Some(365));
    assert_eq!(run(role("a"), old()), [("IAM403", Severity::Low)], "over two years");
    assert_eq!(run(role("a").created("2025-06-01T00:00:00Z"), old()), [("IAM403", Severity::Info)]);
    assert_eq!(run(role("a").created("2026-06-01T00:00:00Z"), old()), []);
    assert_eq!(run(role("a").tag("opsctl:reviewed", "2026-06-01"), old()), []);
    assert_eq!(run(role("a").tag("opsctl:reviewed", "2024-06-01"), old()).len(), 1, "a review ages too");
    let rare = || with(|s| s.rarely_used = vec!["yearly-*".into()]);
    assert_eq!(run(role("yearly-close").used("2026-01-02T00:00:00Z"), rare()), []);
    assert_eq!(run(role("daily").used("2026-01-02T00:00:00Z"), rare()), [("IAM401", Severity::Medium)]);
    let here = || with(|s| s.regions = Some(vec!["us-east-1".into()]));
    assert_eq!(run(role("a"), here()), [("IAM407", Severity::Info)]);
    let glass = || with(|s| s.break_glass_tag = "emergency".into());
    assert_eq!(run(role("a").never_used().tag("Emergency", "yes"), glass()), []);
}

#[test]
fn machines_that_no_machine_can_be() {
    let machine = || role("a").trusts(trust_service("ec2.amazonaws.com"));
    let dead = |maker: RoleMaker| found(maker).contains(&"IAM408");
    assert!(dead(machine().never_used()));
    assert!(dead(machine().used("2026-01-01T00:00:00Z")), "the last machine was long ago");
    assert!(!dead(machine()), "used of late");
    assert!(!dead(machine().never_used().created("2026-10-20T00:00:00Z")), "new");
    assert!(!dead(machine().never_used().set("InstanceProfileList", json!([{"InstanceProfileName": "p"}]))));
    assert!(!dead(role("a").never_used()));
}

#[test]
fn roles_of_aws_are_left_alone() {
    let linked = role("AWSServiceRoleForX")
        .path("/aws-service-role/x.amazonaws.com/")
        .never_used()
        .aws("AmazonS3FullAccess");
    assert_eq!(found(linked), [""; 0]);
    let center =
        role("AWSReservedSSO_Admin_0123456789abcdef").path("/aws-reserved/sso.amazonaws.com/").never_used();
    assert_eq!(found(center.clone()), [""; 0]);
    let audit = World::of([center.aws("AdministratorAccess")]).audit();
    let admin = audit.findings.iter().find(|f| f.rule == "IAM103").expect("permission rules apply");
    assert!(admin.fix.contains("permission set"));
    let platform = World::of([role("stacksets-exec-0123").aws("AdministratorAccess")]).audit();
    assert!(platform.findings.is_empty() && platform.muted.iter().any(|f| f.rule == "IAM103"));
}

#[test]
fn an_ignore_tag_is_shown_and_ends() {
    let tagged =
        |value: &str| World::of([role("a").aws("AmazonS3FullAccess").tag("opsctl:ignore", value)]).audit();
    for value in ["IAM101 IAM102 until=2027-01-01", "full-access-policy service-wildcard"] {
        let audit = tagged(value);
        assert!(audit.findings.iter().all(|f| f.rule != "IAM101"));
        assert!(audit.muted.iter().any(|f| f.rule == "IAM101" && f.muted.is_some()));
    }
    for value in ["IAM101 until=2026-01-01", "IAM101 until=soon", "IAM402"] {
        assert!(tagged(value).findings.iter().any(|f| f.rule == "IAM101"), "{value}");
    }
}

#[test]
fn a_dump_that_does_not_tell_is_not_clean() {
    let mut value: serde_json::Value = serde_json::from_slice(&World::of([role("a")]).json()).expect("JSON");
    value["RoleDetailList"][0].as_object_mut().expect("a role").remove("RoleLastUsed");
    let account = Account::from_json(value.to_string().as_bytes()).expect("a dump");
    let audit = audit(&account, &Usage::default(), &Settings::at(now()));
    assert!(audit.is_incomplete());
    assert!(audit.not_evaluated.iter().any(|n| n.rule == "IAM401" && n.resources == [role_arn("a")]));
    for untold in audit.not_evaluated.iter().filter(|untold| !untold.resources.is_empty()) {
        assert_eq!(untold.resources, [role_arn("a")], "{} counts a role twice", untold.rule);
    }
}

#[test]
fn administrators_in_every_disguise() {
    for statement in [
        allow(&["*"], &["*"]),
        allow(&["*:*"], &["*"]),
        allow(&["**"], &["**"]),
        allow(&["iam:*"], &["*"]),
        allow(&["IAM:create?olicyVersion", "iam:Pass*"], &["*"]),
        json!({"Effect": "Allow", "NotAction": "no:such", "Resource": "*"}),
        json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::one"}),
        when(allow(&["*"], &["*"]), "StringEquals", "aws:RequestedRegion", "eu-west-1"),
        when(allow(&["*"], &["*"]), "BoolIfExists", "aws:MultiFactorAuthPresent", "true"),
    ] {
        assert!(found(role("a").can(statement.clone())).contains(&"IAM103"), "{statement}");
    }
    let mfa = when(allow(&["*"], &["*"]), "Bool", "aws:MultiFactorAuthPresent", "true");
    assert!(found(role("a").can(mfa)).contains(&"IAM104"));
    let denied = role("a").aws("AdministratorAccess").can(deny(&["*"], &["*"]));
    assert!(found(denied).contains(&"IAM105"));
    let bounded =
        role("a").aws("AdministratorAccess").boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    let rules = found(bounded);
    assert!(rules.contains(&"IAM105") && !rules.contains(&"IAM103"), "{rules:?}");
}

#[test]
fn other_partitions_are_alike() {
    let (world, _) = generate(60);
    let more = World::of([
        role("shell").aws("AWSCloudShellFullAccess"),
        role("attaches").can(when(
            allow(&["iam:AttachRolePolicy"], &["*"]),
            "ArnEquals",
            "iam:PolicyARN",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        )),
        role("any-role").trusts(document(when(
            trust(json!({"AWS": "*"})),
            "ArnLike",
            "aws:PrincipalArn",
            "arn:aws:iam::*:role/*",
        ))),
        role("idle").never_used().can(allow(&["s3:GetObject"], &["*"])),
    ]);
    for world in [world, more] {
        let told = |partition: &str| {
            let own = format!("arn:{partition}:");
            let dump = String::from_utf8(world.json()).expect("text").replace("arn:aws:", &own);
            let account = Account::from_json(dump.as_bytes()).expect("a dump");
            let audit = audit(&account, &Usage::default(), &Settings::at(now()));
            let all = audit.findings.iter().map(|f| {
                (f.rule, f.severity, f.resource.replace(&own, "arn:aws:"), f.fix.replace(&own, "arn:aws:"))
            });
            all.collect::<BTreeSet<_>>()
        };
        let here = told("aws");
        for partition in ["aws-cn", "aws-us-gov"] {
            let there = told(partition);
            let differ: Vec<_> = here.symmetric_difference(&there).collect();
            assert!(differ.is_empty(), "{partition}: {differ:#?}");
        }
    }
}
