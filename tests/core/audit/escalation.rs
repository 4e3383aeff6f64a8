//! Every way to more rights: seen, silent without one of its actions, silent under a boundary.

use opsctl::audit::escalate::{CENTER_WAYS, EXISTING_WAYS, EscalationPath, PASSING_WAYS, USER_WAYS};
use opsctl::audit::{Audit, Severity};
use opsctl_iam::catalogue::Catalogue;
use serde_json::{Value, json};

use super::world::*;

const S3_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn names(way: &EscalationPath) -> Vec<&'static str> {
    way.actions.iter().map(|&id| Catalogue::embedded().name(id)).collect()
}

/// Whether the evidence of a rule on the role `a` says something.
fn says(world: &World, rule: &str, what: &str) -> bool {
    let audit = world.audit();
    audit.findings.iter().any(|f| {
        f.rule == rule && f.resource == role_arn("a") && f.evidence.iter().any(|line| line.contains(what))
    })
}

fn check(rule: &str, way: &EscalationPath, extra: &[&str]) {
    let all: Vec<&str> = names(way).into_iter().chain(extra.iter().copied()).collect();
    let way_name = format!("{} ", way.name());
    let capable = World::of([role("a").can(allow(&all, &["*"]))]);
    assert!(says(&capable, rule, &way_name), "{rule} {way_name}");
    for left_out in 0..all.len() {
        let fewer: Vec<&str> =
            all.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, a)| *a).collect();
        let world = World::of([role("a").can(allow(&fewer, &["*"]))]);
        assert!(!says(&world, rule, &way_name), "{rule} {way_name} without {}", all[left_out]);
    }
    let bounded = World::of([role("a").can(allow(&all, &["*"])).boundary(S3_ONLY)]);
    assert!(!says(&bounded, rule, &way_name), "{rule} {way_name} under a boundary");
    let denied = World::of([role("a").can(allow(&all, &["*"])).can(deny(&all[..1], &["*"]))]);
    assert!(!says(&denied, rule, &way_name), "{rule} {way_name} with a Deny in another policy");
}

#[test]
fn every_way_of_passing_a_role() {
    PASSING_WAYS.iter().for_each(|(_, way)| check("IAM203", way, &["iam:PassRole"]));
}

#[test]
fn every_way_through_what_exists() {
    EXISTING_WAYS.iter().for_each(|way| check("IAM204", way, &[]));
    CENTER_WAYS.iter().for_each(|way| check("IAM209", way, &[]));
}

#[test]
fn every_way_to_a_user() {
    for action in USER_WAYS {
        let everywhere = World::of([role("a").can(allow(&[action], &["*"]))]);
        assert!(says(&everywhere, "IAM202", action), "{action}");
        let own = World::of([role("a").can(allow(&[action], &["arn:aws:iam::*:user/${aws:username}"]))]);
        assert!(!says(&own, "IAM202", action), "{action} on oneself");
        let bounded = World::of([role("a").can(allow(&[action], &["*"])).boundary(S3_ONLY)]);
        assert!(!says(&bounded, "IAM202", action), "{action} under a boundary");
        let denied = World::of([role("a").can(allow(&[action], &["*"])).can(deny(&["iam:*"], &["*"]))]);
        assert!(!says(&denied, "IAM202", action), "{action} with a Deny in another policy");
    }
}

#[test]
fn every_way_to_oneself_and_to_other_roles() {
    for (rule, action) in [
        ("IAM201", "iam:PutRolePolicy"),
        ("IAM201", "iam:AttachRolePolicy"),
        ("IAM201", "iam:CreatePolicyVersion"),
        ("IAM201", "iam:SetDefaultPolicyVersion"),
        ("IAM202", "iam:UpdateAssumeRolePolicy"),
        ("IAM205", "sts:AssumeRole"),
        ("IAM206", "iam:PassRole"),
        ("IAM207", "iam:DeleteRolePermissionsBoundary"),
        ("IAM207", "iam:PutUserPermissionsBoundary"),
    ] {
        let open = || role("a").can(allow(&[action], &["*"]));
        assert!(found(open()).contains(&rule), "{action}");
        assert!(!found(open().boundary(S3_ONLY)).contains(&rule), "{action} under a boundary");
        assert!(!found(open().can(deny(&[action], &["*"]))).contains(&rule), "{action} denied");
        let other = role("a").can(allow(&[action], &[&role_arn("somebody"), &policy_arn("something")]));
        assert!(!found(other).contains(&rule), "{action} on something else");
    }
}

/// A role in an instance profile is there for machines: whoever may enter any machine may have it.
#[test]
fn machines_of_an_administrator_are_a_way() {
    let machine = |name: &str| {
        role(name)
            .trusts(trust_service("ec2.amazonaws.com"))
            .set("InstanceProfileList", json!([{"InstanceProfileName": name}]))
    };
    let enters = || role("a").can(allow(&["ssm:StartSession"], &["*"]));
    let severity = |world: World| {
        let audit = world.audit();
        audit.findings.iter().find(|f| f.rule == "IAM204" && f.resource == role_arn("a")).map(|f| f.severity)
    };
    let plain = World::of([enters(), machine("m")]);
    assert_eq!(severity(plain), Some(Severity::Medium), "never high on the action alone");
    let mighty = || machine("m").aws("AdministratorAccess");
    assert_eq!(severity(World::of([enters(), mighty()])), Some(Severity::High));
    let unused = mighty().set("InstanceProfileList", json!([]));
    assert_eq!(severity(World::of([enters(), unused])), Some(Severity::Medium));
}

#[test]
fn two_policies_make_one_escalation() {
    let split = role("a").can(allow(&["iam:PassRole"], &["*"])).can(allow(&["ec2:RunInstances"], &["*"]));
    assert!(found(split).contains(&"IAM203"));
}

#[test]
fn passing_is_judged_by_role_and_service() {
    let start = || allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
    let admin = || role("admin").aws("AdministratorAccess");
    let harmless = || role("harmless").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    let pass = |target: &str| allow(&["iam:PassRole"], &[&role_arn(target)]);
    let world = |a: super::world::RoleMaker| World::of([a, admin(), harmless()]);

    let to_harmless = world(role("a").can([start(), pass("harmless")].to_vec()));
    assert!(!rules_on(&to_harmless.audit(), "a").contains(&"IAM203"));
    let to_admin = world(role("a").can([start(), pass("admin")].to_vec())).audit();
    let finding = to_admin.findings.iter().find(|f| f.rule == "IAM203").expect("reachable");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(to_admin.findings.iter().any(|f| f.rule == "IAM208" && f.resource == role_arn("a")));

    let other_service =
        when(allow(&["iam:PassRole"], &["*"]), "StringEquals", "iam:PassedToService", "ec2.amazonaws.com");
    assert!(
        !rules_on(&world(role("a").can([start(), other_service].to_vec())).audit(), "a").contains(&"IAM203")
    );
    let this_service =
        when(allow(&["iam:PassRole"], &["*"]), "StringEquals", "iam:PassedToService", "lambda.amazonaws.com");
    let rules = rules_on(&world(role("a").can([start(), this_service].to_vec())).audit(), "a");
    assert!(rules.contains(&"IAM203") && !rules.contains(&"IAM206"), "{rules:?}");
}

#[test]
fn the_chain_is_followed_to_its_end() {
    let named = |who: &str| document(trust(json!({"AWS": role_arn(who)})));
    let world = World::of([
        role("a").can(allow(&["sts:AssumeRole"], &[&role_arn("b")])),
        role("b").trusts(trust_own_account()).can(
            [allow(&["iam:PassRole"], &[&role_arn("c")]), allow(&["glue:CreateDevEndpoint"], &["*"])]
                .to_vec(),
        ),
        role("c").trusts(trust_service("glue.amazonaws.com")),
        role("d").trusts(named("c")).can(allow(&["*"], &["*"])),
        role("e").trusts(trust_own_account()),
        role("f").can(allow(&["sts:AssumeRole"], &[&role_arn("d")])),
    ]);
    let audit = world.audit();
    for name in ["a", "b", "c"] {
        assert!(rules_on(&audit, name).contains(&"IAM208"), "{name}");
    }
    for name in ["d", "e", "f"] {
        assert!(!rules_on(&audit, name).contains(&"IAM208"), "{name}");
    }
    let chain =
        audit.findings.iter().find(|f| f.rule == "IAM208" && f.resource == role_arn("a")).expect("a chain");
    let order: Vec<_> = ["assumes b", "passes to glue", "c, assumes d"]
        .iter()
        .map(|part| chain.evidence[0].find(part))
        .collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{:?}", chain.evidence);
}

#[test]
fn a_deny_on_the_last_link_cuts_the_chain() {
    let admin = || role("admin").trusts(trust_own_account()).aws("AdministratorAccess");
    let any = || role("a").can(allow(&["sts:AssumeRole"], &["*"]));
    assert!(rules_on(&World::of([any(), admin()]).audit(), "a").contains(&"IAM208"));
    let cut = any().can(deny(&["sts:AssumeRole"], &[&role_arn("admin")]));
    assert!(!rules_on(&World::of([cut, admin()]).audit(), "a").contains(&"IAM208"));
    let asked = when(
        trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")})),
        "Bool",
        "aws:MultiFactorAuthPresent",
        "true",
    );
    let guarded = admin().trusts(document(asked));
    assert!(!rules_on(&World::of([any(), guarded]).audit(), "a").contains(&"IAM208"));
    let by_arn = |arn: &str| document(when(trust(json!({"AWS": "*"})), "ArnLike", "aws:PrincipalArn", arn));
    assert!(
        rules_on(&World::of([any(), admin().trusts(by_arn(&role_arn("a")))]).audit(), "a")
            .contains(&"IAM208")
    );
    assert!(
        !rules_on(&World::of([any(), admin().trusts(by_arn(&role_arn("z")))]).audit(), "a")
            .contains(&"IAM208")
    );
}

#[test]
fn writing_ones_own_permissions() {
    let own = role("a").can(allow(&["iam:PutRolePolicy"], &[&role_arn("a")]));
    let audit = World::of([own]).audit();
    assert!(audit.findings.iter().any(|f| f.rule == "IAM201" && f.severity == Severity::Critical));
    let other = role("a").can(allow(&["iam:PutRolePolicy"], &[&role_arn("app-*")]));
    assert!(!found(other).contains(&"IAM201"));
    let guarded = when(
        allow(&["iam:PutRolePolicy"], &["*"]),
        "StringEquals",
        "iam:PermissionsBoundary",
        policy_arn("edge"),
    );
    assert!(
        !found(role("a").can(guarded)).contains(&"IAM201"),
        "delegation with a boundary is the advised way"
    );
    let rewriting =
        role("a").attach(&policy_arn("own")).can(allow(&["iam:CreatePolicyVersion"], &[&policy_arn("own")]));
    let world = World::of([rewriting])
        .policy(customer_policy("own", allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"])));
    assert!(rules_on(&world.audit(), "a").contains(&"IAM201"));
}

#[test]
fn assume_any_and_circles() {
    assert!(found(role("a").can(allow(&["sts:AssumeRole"], &["*"]))).contains(&"IAM205"));
    assert!(
        found(role("a").can(allow(&["sts:*"], &[&format!("arn:aws:iam::{ACCOUNT}:role/*")])))
            .contains(&"IAM205")
    );
    assert!(
        !found(role("a").can(allow(&["sts:AssumeRole"], &["arn:aws:iam::999988887777:role/x"])))
            .contains(&"IAM205")
    );
    let named = |who: &str| document(trust(json!({"AWS": role_arn(who)})));
    let audit =
        World::of([role("a").trusts(named("b")), role("b").trusts(named("a")), role("c").trusts(named("a"))])
            .audit();
    assert!(rules_on(&audit, "a").contains(&"IAM210") && !rules_on(&audit, "c").contains(&"IAM210"));
}

#[test]
fn a_key_for_an_administrator_is_reachable() {
    let user = |name: &str, policy: &str| {
        json!({"UserName": name, "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "GroupList": [],
            "UserPolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": policy,
                "PolicyArn": format!("arn:aws:iam::aws:policy/{policy}")}]})
    };
    let keys_of = |name: &str| {
        role("a").can(allow(&["iam:CreateAccessKey"], &[&format!("arn:aws:iam::{ACCOUNT}:user/{name}")]))
    };
    let world = |name| {
        World::of([keys_of(name)])
            .user(user("root", "AdministratorAccess"))
            .user(user("clerk", "AmazonS3ReadOnlyAccess"))
    };
    assert!(rules_on(&world("root").audit(), "a").contains(&"IAM202"));
    assert!(!rules_on(&world("clerk").audit(), "a").contains(&"IAM202"));
}

#[test]
fn users_who_hold_the_same_are_told_apart() {
    let writes = allow(&["iam:PutUserPolicy"], &[&user_arn("ann")]);
    let of = |name: &str, statement: &Value| user(name, std::slice::from_ref(statement));
    let ways = |audit: &Audit| -> Vec<(String, String)> {
        let ways = audit.findings.iter().filter(|f| f.rule.starts_with("IAM2"));
        let mut all: Vec<_> = ways.map(|f| (f.resource.clone(), f.evidence.join("; "))).collect();
        all.sort();
        all
    };
    let names = ["ann", "bob", "cyn"];
    let world = names.iter().fold(World::of([]), |world, name| world.user(of(name, &writes)));
    let found = ways(&world.audit());
    assert!(found.iter().all(|(who, _)| *who == user_arn("ann")) && !found.is_empty(), "{found:?}");
    let admins = format!("arn:aws:iam::{ACCOUNT}:group/admins");
    let joins = allow(&["iam:AddUserToGroup"], &[&admins]);
    let world = names.iter().fold(World::of([]), |world, name| world.user(of(name, &joins)));
    let found = ways(&world.group(group("admins", &[allow(&["*"], &["*"])])).audit());
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(names.iter().zip(&found).all(|(name, (_, how))| how.contains(name)), "{found:?}");
}
